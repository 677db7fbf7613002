//! Tests of snapshots of sessions on the host backend.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::site::Site;

crate::backend_tests! { snapshot_cases, "host":
    a_session_is_restored_and_forked_while_a_client_writes
    a_restore_or_reset_that_is_killed_at_any_moment_leaves_the_old_session_or_the_new_one
}

#[test]
fn a_killed_snapshot_command_leaves_a_working_session_and_no_partial_snapshot() {
    let site = Site::new("host");
    site.start("review");
    site.ask("review", "create table t as select 1 as a");
    for delay in [30, 60, 120] {
        let snapshot = site.on("review", &["snapshot", "-q", "--replace", "--as", "clean"]).start();
        std::thread::sleep(Duration::from_millis(delay));
        snapshot.signal(Signal::KILL);
        snapshot.wait();
        assert_eq!(site.ask("review", "select a from t"), "1");
    }
    site.on("review", &["snapshot", "--replace", "--as", "clean"]).run().status(0);
    site.on("review", &["restore", "--from", "clean"]).run().status(0);
    assert_eq!(site.ask("review", "select a from t"), "1");
    site.stop("review");
    site.assert_nothing_left();
}

#[test]
fn a_killed_snapshot_of_unlogged_tables_leaves_a_working_session() {
    let site = Site::new("host");
    site.start("review");
    site.ask("review", "create unlogged table t as select 1 as a");
    for delay in [30, 60, 90, 120, 160, 200] {
        let snapshot = site.on("review", &["snapshot", "-q", "--replace", "--as", "clean"]).start();
        std::thread::sleep(Duration::from_millis(delay));
        snapshot.signal(Signal::KILL);
        snapshot.wait();
        site.on("review", &["start", "-q"]).run().status(1);
        assert_eq!(site.ask("review", "select a from t"), "1", "after {delay} ms");
    }
    site.on("review", &["snapshot", "-q", "--replace", "--as", "clean"]).run().status(0);
    site.ask("review", "drop table t");
    site.on("review", &["restore", "--from", "clean"]).run().status(0);
    assert_eq!(site.ask("review", "select a from t"), "1");

    // The snapshot outlives its session until it is removed.
    site.stop("review");
    let removed = site.on("review", &["snapshot", "--remove", "clean"]).run();
    removed.status(0).stdout("the snapshot clean of session review is removed\n");
    let missing = site.on("review", &["snapshot", "--remove", "clean"]).run();
    missing.status(1);
    assert!(missing.stderr_text().contains("the session review has no snapshot clean"), "{}", missing.stderr_text());
    site.on("review", &["snapshot"]).run().status(2);
    site.assert_nothing_left();
}

#[test]
fn concurrent_restores_run_one_after_the_other() {
    let site = Site::new("host");
    site.start_with("review", &["--ttl", "1h"]);
    for name in ["one", "two"] {
        site.ask("review", &format!("create table {name} ()"));
        site.on("review", &["snapshot", "--as", name]).run().status(0);
    }
    let restores: Vec<_> =
        ["one", "two"].map(|name| site.on("review", &["restore", "--from", name]).start()).into_iter().collect();
    for restore in restores {
        assert_eq!(restore.wait().code(), 0);
    }
    assert_eq!(site.ask("review", "select count(*) from pg_class where relname = 'one'"), "1");
    assert!(site.sessions()[0]["expires_in"].as_u64().unwrap() > 3000);
    site.stop("review");
    site.assert_nothing_left();
}

#[test]
fn a_session_is_found_at_any_moment_of_a_restore() {
    let site = Site::new("host");
    site.start_with("review", &[]);
    site.on("review", &["snapshot", "--as", "clean"]).run().status(0);
    let url = site.on("review", &["url"]).run().status(0).stdout_text();
    let mut restore = site.on("review", &["restore", "--from", "clean"]).start();
    while restore.is_running() {
        site.on("review", &["url"]).run().status(0).stdout(&url);
    }
    assert_eq!(restore.wait().code(), 0);
    site.stop("review");
    site.assert_nothing_left();
}

#[test]
fn a_restored_session_with_tls_keeps_its_url_and_its_ca_file() {
    let site = Site::new("host");
    site.configure("ssl_config = { hostname = \"db.test\" }", &[]);
    site.on("review", &["start", "-q"]).run().status(0);
    let environment = site.json(&["session", "env", "--name", "review"]);
    site.ask("review", "create table t as select 1 as a");
    site.on("review", &["snapshot", "--as", "clean"]).run().status(0).stderr("");
    site.on("review", &["restore", "--from", "clean"]).run().status(0).stderr("");
    assert_eq!(site.json(&["session", "env", "--name", "review"]), environment);
    assert_eq!(site.ask("review", "select a from t"), "1");
    site.stop("review");
    site.assert_nothing_left();
}

#[test]
fn the_commands_of_the_sessions_example_work_as_written() {
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/sessions");
    let read = |name: &str| std::fs::read_to_string(example.join(name)).unwrap();
    let project = crate::support::warm_project().database_toml(&read("database.toml"));
    let text = read("README.md");
    let commands = text.lines().filter(|line| line.starts_with("pg-ephemeral ")).collect::<Vec<_>>();
    assert!(commands.len() > 5);
    let binary = project.binary().display().to_string();
    let script = format!("set -e\npg-ephemeral() {{ '{binary}' --backend host -q \"$@\"; }}\n{}", commands.join("\n"));
    let ran = project.command(["-c", &script]).program("/bin/bash").run();
    ran.status(0);
    assert!(ran.stdout_text().lines().any(|line| line == "5"), "{}", ran.stdout_text());
    project.assert_nothing_left();
}
