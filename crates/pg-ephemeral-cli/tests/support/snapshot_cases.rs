//! Test cases for snapshots of sessions that hold on Docker, Podman and the host.

use std::time::Instant;

use rustix::process::Signal;

use super::site::Site;

/// How often each command is killed on the host. On an engine it is half as often. The variable `RESTORE_KILLS` sets
/// another number.
const KILLS: u32 = 6;

/// A seed that creates a table, so that a reset has a state to return to.
const TABLE: &str = "type = \"sql-statement\"\nstatement = \"create table t (a bigserial primary key, b text)\"";
/// Inserts rows until the file `enough` exists. Each transaction inserts two rows, so an odd number of rows would show
/// a transaction that was saved by half.
const WRITER: &str = "while [ ! -e enough ]; do echo \"insert into t (b) select 'x' from generate_series(1, 2);\"; done | \
                      psql -q";

/// Returns a session's database as SQL.
#[track_caller]
fn dump(site: &Site, name: &str) -> String {
    let ran = site.on(name, &["run-env", "--", "pg_dump", "--inserts"]).run();
    ran.status(0).stderr("");
    // Newer versions of pg_dump write random words into these lines.
    let text = ran.stdout_text();
    let lines = text.lines().filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Restores a session to a snapshot that was taken while a client wrote, and forks other sessions from that moment.
pub fn a_session_is_restored_and_forked_while_a_client_writes(backend: &'static str) {
    let site = Site::new(backend);
    let (name, fork, live) = (site.name("one"), site.name("two"), site.name("three"));
    site.configure("", &[("t", TABLE)]);
    site.on(&name, &["start", "-q"]).run().status(0);
    let url = site.on(&name, &["url"]).run().stdout_text().to_owned();
    site.ask(&name, "insert into t (b) values ('before'), ('before')");

    let writer = site.on(&name, &["host", "run-env", "--", "sh", "-c", WRITER]).start();
    site.on(&name, &["snapshot", "-q", "--as", "busy"]).run().status(0).stderr("");
    site.on(&name, &["fork", "-q", "--to", &live]).run().status(0).stderr("");
    site.project().write("enough", "");
    writer.wait();
    let again = site.on(&name, &["snapshot", "--as", "busy"]).run();
    again.status(1).stdout("").stderr(&format!(
        "error: the session {name} already has a snapshot busy\nhint: choose another name, or take it anew with --replace\n"
    ));

    site.on(&name, &["fork", "--to", &fork, "--from", "busy"]).run().status(0).stderr("");
    let count = "select count(*) filter (where b = 'before') || ' ' || count(*) % 2 from t";
    for of in [&fork, &live] {
        assert_eq!(site.ask(of, count), "2 0");
    }
    let then = dump(&site, &fork);
    site.ask(&name, "drop table t; create table later ()");
    let back = site.on(&name, &["restore", "--from", "busy"]).run();
    back.status(0).stdout(&format!("session {name} is back at busy\n")).stderr("");
    assert_eq!(site.on(&name, &["url"]).run().stdout_text(), url);
    assert_eq!(dump(&site, &name), then);

    let listed = site.json(&["session", "snapshots", "--name", &name]);
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!((&listed[0]["name"], &listed[0]["session"]), (&"busy".into(), &name.as_str().into()));
    let shown = site.json(&["cache", "inspect", listed[0]["image"].as_str().unwrap()]);
    assert_eq!(shown["snapshot"]["name"], "busy");
    let status = site.json(&["session", "status", "--name", &name]);
    assert_eq!((&status[0]["status"], &status[0]["restored"]["snapshot"]), (&"sync".into(), &"busy".into()));

    site.ask(&name, "create unlogged table u as select 1 as x");
    let unlogged = site.on(&name, &["snapshot", "--as", "unlogged"]).run();
    unlogged.status(0).stdout(&format!("session {name} is saved as unlogged\n")).stderr(&format!(
        "the server of session {name} was stopped for a moment to keep UNLOGGED tables; connections to it were cut\n"
    ));
    site.on(&name, &["reset"]).run().status(0).stdout(&format!("session {name} is back at its seeds\n"));
    assert_eq!(site.ask(&name, "select count(*), to_regclass('u') from t"), "0|");
    assert_eq!(site.on(&name, &["url"]).run().stdout_text(), url);
    site.on(&name, &["restore", "--from", "unlogged"]).run().status(0).stderr("");
    assert_eq!(site.ask(&name, "select x from u"), "1");

    for of in [&name, &fork, &live] {
        site.stop(of);
    }
    // A snapshot outlives its session.
    site.on(&name, &["fork", "--to", &fork, "--from", "busy"]).run().status(0).stderr("");
    assert_eq!(dump(&site, &fork), then);
    site.stop(&fork);
    site.assert_nothing_left();
}

/// Kills a command that replaces a session, each time a little later, until about the time that a complete one takes.
pub fn a_restore_or_reset_that_is_killed_at_any_moment_leaves_the_old_session_or_the_new_one(backend: &'static str) {
    let usual = if backend == "host" { KILLS } else { KILLS / 2 };
    let kills = std::env::var("RESTORE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let site = Site::new(backend);
    let name = site.name("one");
    site.start_with(&name, &["--ttl", "1h"]);
    let url = || site.on(&name, &["url"]).run().status(0).stdout_bytes().to_vec();
    let before = url();
    site.ask(&name, "create table saved ()");
    site.on(&name, &["snapshot", "--as", "clean"]).run().status(0);
    let tables = "select coalesce(string_agg(relname, ' ' order by relname), '') \
                  from pg_class where relname in ('saved', 'unsaved')";
    for (words, new) in [(&["restore", "-q", "--from", "clean"][..], "saved"), (&["reset", "-q"], "")] {
        let begin = Instant::now();
        site.on(&name, words).run().status(0);
        let whole = begin.elapsed();
        for kill in 0..kills {
            site.ask(
                &name,
                "set client_min_messages = error; drop table if exists saved, unsaved; create table saved (); \
             create table unsaved ()",
            );
            let command = site.on(&name, words).start();
            std::thread::sleep(whole * (kill + 1) / (kills + 1));
            command.signal(Signal::KILL);
            command.wait();
            if backend == "host" {
                // Not on an engine, where `gc` would also find leftovers of other tests.
                site.command(&["gc", "-q"]).run().status(0);
            }
            let found = site.ask(&name, tables);
            assert!(found == "saved unsaved" || found == new, "{words:?}, kill {kill}: {found:?}");
            assert!(url() == before);
            assert_eq!(site.containers().len(), 1, "{:?}", site.containers());
        }
    }
    assert!(site.sessions()[0]["expires_in"].as_u64().unwrap() > 3000);
    site.stop(&name);
    // The last killed command left a record of the server it was about to start, for the next start or `gc` to remove.
    site.command(&["gc", "-q"]).run().status(0);
    site.assert_nothing_left();
}

/// Kills a command that takes a snapshot, each time a little later, until about the time that a complete one takes. On an
/// engine, a commit whose client ends too early would leave the container paused.
pub fn a_snapshot_that_is_killed_at_any_moment_leaves_the_session_running(backend: &'static str) {
    let site = Site::new(backend);
    let name = site.name("one");
    site.start_with(&name, &[]);
    let snapshot = ["snapshot", "-q", "--as", "saved", "--replace"];
    let begin = Instant::now();
    site.on(&name, &snapshot).run().status(0);
    let whole = begin.elapsed();
    for kill in 0..KILLS {
        let command = site.on(&name, &snapshot).start();
        std::thread::sleep(whole * (kill + 1) / (KILLS + 1));
        command.signal(Signal::KILL);
        command.wait();
        assert_eq!(site.ask(&name, "select 'alive'"), "alive");
    }
    site.on(&name, &snapshot).run().status(0);
    site.stop(&name);
    site.on(&name, &["snapshot", "--remove", "saved"]).run().status(0);
    site.command(&["gc", "-q"]).run().status(0);
    site.assert_nothing_left();
}
