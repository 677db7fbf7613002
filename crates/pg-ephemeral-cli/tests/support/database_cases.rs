//! Test cases for copies of a session's seeded database that hold on Docker, Podman and the host.

use std::time::Instant;

use pg_ephemeral_testkit::wait_until;
use rustix::process::Signal;

use super::AMPLE;
use super::site::Site;

const BOOKS: &str =
    "type = \"sql-statement\"\nstatement = \"create table books as select n from generate_series(1, 3) n\"";
const CHANGE: &str = "psql -XAtc 'delete from books' -c 'select count(*) from books'; exit 7";

/// Every form of a command gets its own copy, and no copy remains afterwards.
pub fn a_command_gets_a_copy_of_the_database_that_is_dropped_afterwards(backend: &'static str) {
    let site = Site::new(backend);
    let name = site.name("copies");
    site.configure("", &[("books", BOOKS)]);
    site.on(&name, &["start", "-q"]).run().status(0);
    let fresh =
        |words: &[&str]| site.on(&name, &[words, &["--fresh-database", "--", "sh", "-c", CHANGE]].concat()).run();
    fresh(&["run-env"]).status(7).stderr("").stdout("DELETE 3\n0\n");
    fresh(&["host", "run-env"]).status(7).stderr("").stdout("DELETE 3\n0\n");
    if backend != "host" {
        fresh(&["container", "run-env"]).status(7).stderr("").stdout("DELETE 3\n0\n");
    }
    assert_eq!(site.ask(&name, "select count(*) from books"), "3");
    assert_eq!(site.json(&["database", "list", "--session", &name]), serde_json::json!([]));
    site.stop(&name);
    site.assert_nothing_left();
}

/// Kills a command that creates a database, each time a little later, until about the time that a complete one takes.
pub fn a_database_whose_creation_was_killed_is_complete_or_can_be_created_again(backend: &'static str) {
    let site = Site::new(backend);
    let name = site.name("copies");
    site.configure("", &[("books", BOOKS)]);
    site.on(&name, &["start", "-q"]).run().status(0);
    let on = |words: &[&str]| site.command(&[&["database", "--session", &name], words].concat());
    on(&["create", "first"]).run().status(0);
    let begin = Instant::now();
    on(&["create", "second"]).run().status(0);
    let whole = begin.elapsed();
    for kill in 1..10 {
        let create = on(&["create", "mine"]).start();
        std::thread::sleep(whole * kill / 10);
        create.signal(Signal::KILL);
        create.wait();
        let dropped = on(&["drop", "mine"]).run();
        if dropped.code() != 0 {
            assert!(dropped.stderr_text().contains("does not exist"), "{}", dropped.stderr_text());
            wait_until("it can be made", AMPLE, || on(&["create", "mine"]).run().code() == 0);
            on(&["drop", "mine"]).run().status(0);
        }
    }
    let names = "select string_agg(datname, ' ' order by datname) from pg_database where not datistemplate";
    wait_until("the next one sweeps what is left", AMPLE, || {
        on(&["create", "mine"]).run().status(0);
        on(&["drop", "mine"]).run().status(0);
        site.ask(&name, names) == "first postgres second"
    });
    site.stop(&name);
    site.assert_nothing_left();
}
