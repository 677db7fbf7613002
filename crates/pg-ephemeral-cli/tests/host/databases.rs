//! Tests of `database …` and `--fresh-database` on the host backend.

use crate::support::site::Site;

crate::backend_tests! { database_cases, "host":
    a_command_gets_a_copy_of_the_database_that_is_dropped_afterwards
    a_database_whose_creation_was_killed_is_complete_or_can_be_created_again
}

const BOOKS: &str =
    "type = \"sql-statement\"\nstatement = \"create table books as select n from generate_series(1, 3) n\"";

fn site() -> Site {
    let site = Site::new("host");
    site.configure("", &[("books", BOOKS)]);
    site.on("review", &["start", "-q"]).run().status(0);
    site
}

fn database<'a>(site: &'a Site, words: &[&str]) -> pg_ephemeral_testkit::ProjectCommand<'a> {
    let line = [&["--backend", "host", "database", "--session", "review"], words].concat();
    site.project().command(line)
}

#[test]
fn a_database_stays_until_it_is_dropped_and_can_be_reset() {
    let site = site();
    database(&site, &["create", "mine"]).run().status(0).stdout("mine\n").stderr("");
    let url = database(&site, &["url", "mine"]).run().status(0).stderr("").stdout_text();
    assert!(url.trim_end().ends_with("/mine?sslmode=disable"), "{url}");
    let ask = |sql: &str| {
        let ran = site.project().command([url.trim_end(), "-XAtc", sql]).program("psql").run();
        ran.status(0).stderr("").stdout_text()
    };
    assert_eq!(ask("delete from books returning 1"), "1\n1\n1\nDELETE 3\n");
    assert_eq!(site.ask("review", "select count(*) from books"), "3");
    database(&site, &["reset", "mine"]).run().status(0).stdout("database mine is back at its seeds\n").stderr("");
    assert_eq!(ask("select count(*) from books"), "3\n");

    let other = database(&site, &["create"]).run().status(0).stdout_text();
    let listed = site.json(&["database", "list", "--session", "review"]);
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!(names, [other.trim_end(), "mine"]);
    assert_eq!((&listed[1]["owner"], &listed[1]["connections"]), (&serde_json::Value::Null, &0.into()));
    database(&site, &["drop", "mine"]).run().status(0).stdout("").stderr("database mine is dropped\n");
    database(&site, &["list"]).run().status(0).stderr("").stdout(" NAME[..]\n db_[..]\n");
    site.stop("review");
    site.assert_nothing_left();
}

#[test]
fn invalid_database_commands_fail_with_a_reason() {
    let site = site();
    database(&site, &["create", "mine"]).run().status(0);
    let refused = |words: &[&str], told: &str| {
        database(&site, words).run().status(1).stdout("").stderr(told);
    };
    refused(
        &["create", "mine"],
        "error: failed to create the database mine: it already exists\nhint: drop it first, or choose another name\n",
    );
    refused(&["drop", "postgres"], "error: the database postgres was not made by pg-ephemeral\n");
    refused(&["url", "nosuch"], "error: the database nosuch does not exist\n");
    refused(&["reset", "nosuch"], "error: the database nosuch does not exist\n");
    let misused = |words: &[&str], told: &str| {
        let ran = site.project().command(words).run();
        ran.status(2).stdout("");
        assert!(ran.stderr_text().contains(told), "{}", ran.stderr_text());
    };
    misused(&["database", "create"], "of which session? It is named by `--session <NAME>`");
    misused(&["database", "--session", "review", "create", "Mine"], "name has 'M' at byte 0");
    misused(&["session", "url", "--fresh-database"], "--fresh-database is for commands that run on a session");
    site.stop("review");
    site.assert_nothing_left();
}

#[test]
fn a_fresh_database_is_dropped_after_its_command_even_if_that_was_killed() {
    let site = site();
    let change = "psql -XAtc 'delete from books' -c 'select count(*), current_database() from books'; exit 7";
    let ran = site.on("review", &["run-env", "--fresh-database", "--", "sh", "-c", change]).run();
    ran.status(7).stderr("").stdout("DELETE 3\n0|pge_[..]\n");
    assert_eq!(site.ask("review", "select count(*) from books"), "3");
    let ran = site.on("review", &["psql", "--fresh-database", "-Atc", "select current_database()"]).run();
    ran.status(0).stderr("").stdout("pge_[..]\n");
    database(&site, &["list"]).run().status(0).stdout(" NAME[..]\n");

    // The next command drops the database that a killed command left, which also ends the psql that is connected to it.
    let sleep = "echo up; exec psql -XAtc 'select pg_sleep(1000)'";
    let mut killed = site.on("review", &["run-env", "--fresh-database", "--", "sh", "-c", sleep]).start();
    killed.wait_for("up");
    killed.signal(rustix::process::Signal::KILL);
    killed.wait();
    site.on("review", &["run-env", "--fresh-database", "--", "true"]).run().status(0);
    database(&site, &["list"]).run().status(0).stdout(" NAME[..]\n");
    site.stop("review");
    site.assert_nothing_left();
}
