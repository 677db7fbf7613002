//! Test cases for sessions that hold on Docker, Podman and the host.

use std::thread::sleep;
use std::time::{Duration, SystemTime};

use pg_ephemeral_testkit::{Ran, Started, wait_until};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::AMPLE;
use super::site::Site;

/// Generates a test on this backend for every case that the host has.
#[macro_export]
macro_rules! session_tests {
    ($backend:literal) => {
        $crate::backend_tests! { session_cases, $backend:
            a_session_runs_between_commands_until_it_is_stopped
            a_listing_shows_every_field_of_a_session
            every_command_runs_on_a_session_and_passes_on_its_status
            a_shell_can_evaluate_the_output_of_session_env
            a_session_from_cached_layers_is_in_sync_and_every_change_is_reported
            session_status_compares_seeds_that_are_not_cached
            session_status_ignores_changes_of_other_instances
            exactly_one_of_several_starts_with_one_name_succeeds
            a_failing_seed_leaves_nothing_and_the_session_name_free
            servers_beside_a_session_are_not_listed_as_sessions
            the_error_for_an_unknown_session_name_lists_the_running_sessions
            a_session_ends_when_its_time_to_live_is_over_and_not_before
            a_session_whose_server_was_killed_is_removed_and_its_name_is_free
            a_session_of_another_secret_is_marked_and_refused_without_force
            a_signal_during_a_start_leaves_nothing
            the_next_command_removes_what_a_killed_start_left
            an_interrupted_start_leaves_a_complete_session_or_nothing
        }
    };
}

/// A seed that runs until its server ends. It creates the file `begun` when it starts.
const ENDLESS: &str = "type = \"script\"\ncache = { type = \"none\" }\n\
                       script = \"touch begun; exec psql -qc 'select pg_sleep(1000)'\"";
const TABLE: &str = "type = \"sql-statement\"\nstatement = \"create table t (a int)\"";
const ROWS: &str = "type = \"sql-statement\"\nstatement = \"insert into t values (42)\"";
const MORE: &str = "type = \"sql-statement\"\nstatement = \"create table more ()\"";

pub fn a_session_runs_between_commands_until_it_is_stopped(backend: &'static str) {
    let site = Site::cold(backend);
    let name = site.name("review");
    site.on(&name, &["start"])
        .run()
        .status(0)
        .stdout(&format!("session {name} runs on {backend}\n"))
        .stderr("pg-ephemeral: initialise the base layer\n");
    site.ask(&name, "create table t (a int)");
    site.ask(&name, "insert into t values (42)");
    assert_eq!(site.ask(&name, "select a from t"), "42");

    let url = site.on(&name, &["url"]).run();
    url.status(0).stdout("postgresql://postgres:[..]@127.0.0.1:[..]/postgres?sslmode=disable\n").stderr("");
    let by_url = ["-Atc", "select a from t", url.stdout_text().trim()].map(str::to_owned);
    site.project().command(by_url).program("psql").run().status(0).stdout("42\n").stderr("");

    let again = site.on(&name, &["start"]).run();
    again.status(1).stdout("").stderr(&format!(
        "error: the session {name} is already running\nhint: attach to it, or stop it first: pg-ephemeral session stop \
         --name {name}\n"
    ));
    assert_eq!(site.ask(&name, "select a from t"), "42");

    site.stop(&name);
    assert!(site.names().is_empty());
    site.assert_nothing_left();
}

pub fn a_listing_shows_every_field_of_a_session(backend: &'static str) {
    let site = Site::new(backend);
    let (one, two) = (site.name("one"), site.name("two"));
    site.start(&two);
    let started = site.on(&one, &["start", "-q", "--ttl", "2h", "--format", "json"]).run();
    started.status(0).stderr("");
    let started: Value = serde_json::from_slice(started.stdout_bytes()).unwrap();
    let listed = site.sessions();
    assert_eq!(site.names(), [one.as_str(), two.as_str()]);
    for (session, name) in [(&listed[0], &one), (&listed[1], &two)] {
        assert_eq!(session["name"], name.as_str());
        assert_eq!(session["instance"], site.instance());
        assert_eq!(session["backend"], backend);
        assert!(session["image"].as_str().unwrap().contains("/postgres:"), "{session}");
        assert!(session["age"].as_u64().unwrap() < AMPLE.as_secs(), "{session}");
    }
    assert!((7100..=7200).contains(&listed[0]["expires_in"].as_u64().unwrap()), "{}", listed[0]);
    assert_eq!(listed[1]["expires_in"], Value::Null);
    let fixed = |session: &Value| ["name", "instance", "backend", "image", "port"].map(|key| session[key].clone());
    assert_eq!(fixed(&started), fixed(&listed[0]));

    let table = site.command(&["session", "list"]).run();
    table.status(0).stderr("").stdout(&format!(
        " NAME[..]INSTANCE[..]BACKEND[..]IMAGE[..]AGE[..]EXPIRES IN[..]PORT\n...\n \
         {one} [..] {backend} [..]/postgres:[..]s [..]h[..] {}\n...\n \
         {two} [..] {backend} [..]/postgres:[..]s [..]never[..] {}\n...",
        port(&listed[0]),
        port(&listed[1]),
    ));
    site.stop(&one);
    assert_eq!(site.names(), [two.as_str()]);
    site.stop(&two);
    site.assert_nothing_left();
}

fn port(session: &Value) -> String {
    session["port"].to_string()
}

pub fn every_command_runs_on_a_session_and_passes_on_its_status(backend: &'static str) {
    let site = Site::new(backend);
    let name = site.name("review");
    site.start(&name);
    site.project().write("query.sql", "select 'from a file';\n");
    let is_host = backend == "host";
    for form in [&[][..], &["host"], &["container"]] {
        let run = |words: &[&str]| site.on(&name, &[form, words].concat());
        if is_host && form == ["container"] {
            run(&["psql"]).run().status(125).stdout("").stderr(
                "error: the host backend has no container to run a command in\n\
                 hint: leave out `container`, or use docker or podman\n",
            );
            continue;
        }
        run(&["psql", "-At"]).input("select 1;\nselect 2").run().status(0).stdout("1\n2\n").stderr("");
        run(&["psql", "-Atc", "select 1/0"]).run().status(1).stdout("").stderr("ERROR:  division by zero\n");
        run(&["run-env", "--", "psql", "-Atc", "select 3"]).run().status(0).stdout("3\n").stderr("");
        run(&["run-env", "--", "sh", "-c", "exit 42"]).run().status(42).stdout("").stderr("");
        run(&["run-env", "--", "sh", "-c", "kill -9 $$"]).run().status(137).stdout("").stderr("");
        run(&["run-env", "nosuch"]).run().status(127).stdout("").stderr("[..]nosuch[..]\n");
        let shell = run(&["shell"]).variable("SHELL", "/bin/sh").input("psql -Atc 'select 4'\nexit 7\n").run();
        shell.status(7).stdout("4\n").stderr("");
        let by_url = "psql \"$DATABASE_URL\" -Atc 'select 5'";
        if form != ["container"] {
            run(&["run-env", "--", "sh", "-c", by_url]).run().status(0).stdout("5\n").stderr("");
        }
        run(&["pgbench", "-i", "-q"]).run().status(0).stdout("");
        let dump = run(&["schema-dump"]).run();
        dump.status(0).stderr("");
        assert!(dump.stdout_text().contains("CREATE TABLE public.pgbench_branches"), "{}", dump.stdout_text());
        if form != ["container"] {
            let file = run(&["psql", "-At", "-f", "query.sql", "-o", "result"]).run();
            file.status(0).stdout("").stderr("");
            assert_eq!(std::fs::read_to_string(site.project().folder().join("result")).unwrap(), "from a file\n");
        }
        let nobody = site.name("nobody");
        let unknown = site.on(&nobody, &[form, &["psql"]].concat()).run();
        unknown
            .status(125)
            .stdout("")
            .stderr(&format!("error: there is no session {nobody}\nhint: running sessions: [..]{name}[..]\n"));
    }
    assert_eq!(site.ask(&name, "select 'still there'"), "still there");
    site.stop(&name);
    site.assert_nothing_left();
}

pub fn a_shell_can_evaluate_the_output_of_session_env(backend: &'static str) {
    let site = Site::new(backend);
    let user = "Me & you @:/%?#ü `x` !";
    for (part, database) in [("one", "it's"), ("two", "my db's \\\"`x`\" $HOME @:/%?#=ü! \\")] {
        let quoted = serde_json::to_string(database).unwrap();
        site.configure(&format!("superuser = \"{user}\"\ndatabase = {quoted}"), &[]);
        let name = site.name(part);
        site.start(&name);
        let binary = format!("{} --backend {backend} session env --name {name}", site.project().binary().display());
        let query = "psql -Atc 'select current_user' -c 'select current_database()'";
        let expected = format!("{user}\n{database}\n");
        let evaluated = [
            format!("eval \"$({binary})\""),
            format!("eval \"$({binary} --format shell)\""),
            format!("{binary} --format dotenv >.env; set -a; . ./.env"),
        ];
        for line in evaluated {
            let script = site.project().command(["-euc", &format!("{line}\n{query}")]).program("/bin/sh");
            script.run().status(0).stdout(&expected).stderr("");
        }
        let variables = site.json(&["session", "env", "--name", &name]);
        let names: Vec<&str> = variables.as_object().unwrap().keys().map(String::as_str).collect();
        let all = ["DATABASE_URL", "PGDATABASE", "PGHOST", "PGPASSWORD", "PGPORT", "PGSSLMODE", "PGUSER"];
        assert_eq!(names, all);
        assert_eq!((&variables["PGUSER"], &variables["PGDATABASE"]), (&json!(user), &json!(database)));
        let url = site.on(&name, &["url"]).run().stdout_text().trim().to_owned();
        assert_eq!(url, variables["DATABASE_URL"]);
        let by_url = site.project().command([&url, "-Atc", "select current_database()"]).program("psql").run();
        by_url.status(0).stdout(&format!("{database}\n")).stderr("");
        site.stop(&name);
    }
    site.assert_nothing_left();
}

/// Returns the status of one session from `session status`, followed by the reason if there is one.
#[track_caller]
fn status(site: &Site, name: &str, options: &[&str]) -> String {
    let all = site.json(&[&["session", "status", "--name", name], options].concat());
    assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
    assert_eq!((&all[0]["name"], &all[0]["instance"]), (&json!(name), &json!(site.instance())));
    let word = all[0]["status"].as_str().unwrap();
    match all[0]["reason"].as_str() {
        Some(reason) => format!("{word}: {reason}"),
        None => word.to_owned(),
    }
}

pub fn a_session_from_cached_layers_is_in_sync_and_every_change_is_reported(backend: &'static str) {
    let site = Site::new(backend);
    let (cold, name) = (site.name("cold"), site.name("warm"));
    let seeds = [("table", TABLE), ("rows", ROWS)];
    site.configure("", &seeds);
    site.start(&cold);
    let warm = site.on(&name, &["start"]).run();
    warm.status(0).stderr("");
    assert_eq!(site.ask(&name, "select a from t"), "42");
    assert_eq!(status(&site, &cold, &[]), "sync");
    assert_eq!(status(&site, &name, &[]), "sync");
    site.stop(&cold);

    let other = ROWS.replace("42", "43");
    let changes: [(&[(&str, &str)], &str); 7] = [
        (&[("table", TABLE), ("rows", ROWS), ("more", MORE)], "seed more added at position 3"),
        (&[("more", MORE), ("table", TABLE), ("rows", ROWS)], "seed more added at position 1"),
        (&[("table", TABLE)], "seed rows removed at position 2"),
        (&[], "seed table removed at position 1"),
        (&[("table", TABLE), ("lines", ROWS)], "seed rows at position 2 is now lines"),
        (&[("rows", ROWS), ("table", TABLE)], "seed table at position 1 is now rows"),
        (&[("table", TABLE), ("rows", &other)], "seed rows at position 2 changed"),
    ];
    for (changed, reason) in changes {
        site.configure("", changed);
        assert_eq!(status(&site, &name, &[]), format!("diverged: {reason}"));
    }
    site.configure("", &seeds);
    assert_eq!(status(&site, &name, &[]), "sync");
    // An image that is missing on this machine is not pulled for the comparison.
    let elsewhere = status(&site, &name, &["--image", "127.0.0.1:1/acme/postgres:9"]);
    let is_told =
        elsewhere.starts_with("diverged: image ") && elsewhere.ends_with(" is now 127.0.0.1:1/acme/postgres:9");
    assert!(is_told, "{elsewhere}");

    site.configure("", &[]);
    site.on(&name, &["status"]).run().status(0).stderr("").stdout(&format!(
        " NAME[..]INSTANCE[..]STATUS[..]REASON\n {name} [..] diverged  seed table removed at position 1\n"
    ));
    assert_eq!(site.ask(&name, "select a from t"), "42");
    site.stop(&name);
    site.assert_nothing_left();
}

pub fn session_status_compares_seeds_that_are_not_cached(backend: &'static str) {
    let site = Site::new(backend);
    let name = site.name("review");
    let script = |cache: &str| format!("type = \"script\"\nscript = \"psql -qc 'create table u ()'\"\ncache = {cache}");
    let (uncached, cached) = (script("{ type = \"none\" }"), script("{ type = \"command-hash\" }"));
    let keyed = script("{ type = \"key-script\", script = \"cat key\" }");
    site.configure("", &[("table", TABLE), ("rows", ROWS), ("script", &uncached)]);
    site.start(&name);
    assert_eq!(status(&site, &name, &[]), "sync");
    for changed in [uncached.replace("table u", "table v"), cached.clone()] {
        site.configure("", &[("table", TABLE), ("rows", ROWS), ("script", &changed)]);
        assert_eq!(status(&site, &name, &[]), "diverged: seed script at position 3 changed");
    }
    site.configure("", &[("table", TABLE), ("rows", &uncached), ("script", &uncached)]);
    assert_eq!(status(&site, &name, &[]), "diverged: seed rows at position 2 changed");
    site.stop(&name);

    site.project().write("key", "1");
    site.configure("", &[("script", &keyed)]);
    site.start(&name);
    assert_eq!(status(&site, &name, &[]), "sync");
    site.project().write("key", "2");
    assert_eq!(status(&site, &name, &[]), "diverged: seed script at position 1 changed");
    site.configure("", &[("script", &uncached)]);
    assert_eq!(status(&site, &name, &[]), "diverged: seed script at position 1 changed");
    site.stop(&name);
    site.assert_nothing_left();
}

pub fn session_status_ignores_changes_of_other_instances(backend: &'static str) {
    let site = Site::new(backend);
    let name = site.name("review");
    let other =
        |statement: &str| format!("[instances.other.seeds.a]\ntype = \"sql-statement\"\nstatement = \"{statement}\"\n");
    let write = |statement: &str| {
        site.configure("", &[("table", &format!("{TABLE}\n{}", other(statement)))]);
    };
    write("select 1");
    site.start(&name);
    write("select 2");
    assert_eq!(status(&site, &name, &[]), "sync");

    site.project().write("other.toml", other("select 1"));
    for options in [&["--config-file", "other.toml"][..], &["--config-file", "other.toml", "--instance", "other"]] {
        let binary = ["--backend", backend, "session", "status", "--name", &name, "--format", "json"];
        let ran = site.project().command(binary.iter().chain(options)).run();
        ran.status(0).stderr("");
        let all: Value = serde_json::from_slice(ran.stdout_bytes()).unwrap();
        let expected = json!([{
            "name": name, "instance": site.instance(), "status": "unknown-instance", "reason": null,
            "restored": null, "secret": "own"
        }]);
        assert_eq!(all, expected);
    }
    site.stop(&name);
    site.assert_nothing_left();
}

pub fn exactly_one_of_several_starts_with_one_name_succeeds(backend: &'static str) {
    let site = Site::new(backend);
    let name = site.name("review");
    // The first round is cold, the second warm. In a warm round, the starts conflict much later.
    for count in [2, 4] {
        let running: Vec<_> = (0..count).map(|_| site.on(&name, &["start", "-q"]).start()).collect();
        let ended: Vec<Ran<'_>> = running.into_iter().map(Started::wait).collect();
        let (won, lost): (Vec<_>, Vec<_>) = ended.iter().partition(|ran| ran.code() == 0);
        assert_eq!(won.len(), 1, "{ended:?}");
        won[0].stdout(&format!("session {name} runs on {backend}\n")).stderr("");
        for ran in lost {
            ran.status(1).stdout("").stderr(&format!("error: the session {name} is already running\nhint: [..]\n"));
        }
        assert_eq!(site.ask(&name, "select 'it works'"), "it works");
        assert_eq!(site.names(), [name.as_str()]);
        assert_eq!(site.containers().len(), 1);
        site.stop(&name);
        site.assert_nothing_left();
    }
}

pub fn a_failing_seed_leaves_nothing_and_the_session_name_free(backend: &'static str) {
    let site = Site::new(backend);
    let name = site.name("review");
    let broken = "type = \"sql-statement\"\nstatement = \"select 1/0\"";
    let uncached = "type = \"script\"\ncache = { type = \"none\" }\nscript = \"exit 3\"";
    // The first fails while layers are built, the second in the session's own server.
    for seed in [broken, uncached] {
        site.configure("", &[("table", TABLE), ("broken", seed)]);
        let ran = site.on(&name, &["start", "-q"]).run();
        let instance = site.instance();
        ran.status(1)
            .stdout("")
            .stderr(&format!("error: failed to seed instance {instance}\ncaused by: seed \"broken\" failed[..]\n..."));
        assert!(site.names().is_empty());
        site.assert_nothing_left();
    }
    site.configure("", &[("table", TABLE)]);
    site.start(&name);
    assert_eq!(site.ask(&name, "select count(*) from t"), "0");
    site.stop(&name);
    site.assert_nothing_left();
}

pub fn servers_beside_a_session_are_not_listed_as_sessions(backend: &'static str) {
    let site = Site::cold(backend);
    let name = site.name("review");
    site.configure("", &[("table", TABLE), ("rows", ROWS)]);
    site.start(&name);
    let count = "select count(*) from t";
    site.command(&["-q", "psql", "-Atc", count]).run().status(0).stdout("1\n").stderr("");
    let mut running = site.command(&["-q", "run-env", "--", "sh", "-c", "echo ready; exec sleep 1000"]).start();
    running.wait_for("ready");
    assert_eq!(site.containers().len(), 2);
    assert_eq!(site.names(), [name.as_str()]);
    running.signal(Signal::TERM);
    assert_eq!(running.wait().code(), 143);
    site.command(&["cache", "reset"]).run().status(1);
    assert_eq!(site.names(), [name.as_str()], "a session that runs is in the way of a reset");
    site.stop(&name);
    site.assert_nothing_left();
}

pub fn the_error_for_an_unknown_session_name_lists_the_running_sessions(backend: &'static str) {
    let site = Site::new(backend);
    let (one, two, nobody) = (site.name("one"), site.name("two"), site.name("nobody"));
    site.start(&one);
    site.start(&two);
    for command in ["stop", "status", "url", "env"] {
        let ran = site.on(&nobody, &[command]).run();
        ran.status(1)
            .stdout("")
            .stderr(&format!("error: there is no session {nobody}\nhint: running sessions: [..]{one}, {two}[..]\n"));
    }
    assert_eq!(site.names(), [one.as_str(), two.as_str()]);
    site.stop(&one);
    site.stop(&two);
    site.assert_nothing_left();
}

pub fn a_session_ends_when_its_time_to_live_is_over_and_not_before(backend: &'static str) {
    let site = Site::new(backend);
    let (long, short) = (site.name("long"), site.name("short"));
    site.start_with(&long, &["--ttl", "1h"]);
    // Another test on the same engine may end the session too, even before it has started. The session then gets more
    // time.
    let start = || {
        let mut ttl = Duration::from_millis(if backend == "host" { 1500 } else { 3000 });
        while site.on(&short, &["start", "-q", "--ttl", &format!("{}ms", ttl.as_millis())]).run().code() != 0 {
            ttl *= 2;
            assert!(ttl < AMPLE, "the session does not start");
        }
        ttl
    };
    for next in [&["session", "list"][..], &["run-env", "true"], &["gc"]] {
        let begin = SystemTime::now();
        let ttl = start();
        let container = format!("pg-ephemeral-session-{short}");
        wait_until(format!("{next:?} ends the session"), AMPLE, || {
            site.command(next).run().status(0);
            !site.containers().contains(&container)
        });
        let lived = SystemTime::now().duration_since(begin).unwrap();
        assert!(lived >= ttl, "{next:?} ended it after {lived:?}");
    }
    // The name is free as soon as the session has expired, even if `session start` is the first command afterwards.
    sleep(start());
    wait_until("the name is free", AMPLE, || site.on(&short, &["start", "-q"]).run().code() == 0);
    site.stop(&short);
    assert_eq!(site.names(), [long.as_str()]);
    assert_eq!(site.ask(&long, "select 1"), "1");
    site.stop(&long);
    site.assert_nothing_left();
}

pub fn a_session_whose_server_was_killed_is_removed_and_its_name_is_free(backend: &'static str) {
    let site = Site::new(backend);
    let (name, other) = (site.name("review"), site.name("other"));
    site.start(&name);
    site.start(&other);
    site.kill_server(&name);
    let removed = format!("session {name} is removed: its server had ended\n");
    wait_until("it is removed", AMPLE, || site.command(&["session", "list"]).run().stderr_text() == removed);
    assert!(!site.containers().contains(&format!("pg-ephemeral-session-{name}")));
    assert_eq!(site.names(), [other.as_str()]);
    let attached = site.on(&name, &["psql", "-c", "select 1"]).run();
    attached
        .status(125)
        .stdout("")
        .stderr(&format!("error: there is no session {name}\nhint: running sessions: [..]{other}[..]\n"));
    site.start(&name);
    assert_eq!(site.ask(&name, "select 1"), "1");
    assert_eq!(site.names(), [other.as_str(), name.as_str()]);

    site.kill_server(&name);
    wait_until("a stop says so", AMPLE, || {
        let told = site.on(&name, &["stop"]).run().status(0).stderr_text();
        if told != removed {
            // The command was faster than the server's end, so it stopped the session as usual.
            site.start(&name);
            site.kill_server(&name);
        }
        told == removed
    });
    site.stop(&other);
    site.assert_nothing_left();
}

/// A session of another secret belongs to another user of the engine, or the user's own secret was changed.
pub fn a_session_of_another_secret_is_marked_and_refused_without_force(backend: &'static str) {
    let site = Site::new(backend);
    let name = site.name("theirs");
    site.start(&name);
    let secret = site.project().state().join("pg-ephemeral/secret");
    let own = std::fs::read(&secret).unwrap();
    std::fs::write(&secret, [7; 32]).unwrap();
    assert_eq!(site.sessions()[0]["secret"], "other");
    assert_eq!(site.json(&["session", "status", "--name", &name])[0]["secret"], "other");
    let refused = |words: &[&str], message: &str| {
        let ran = site.on(&name, words).run();
        ran.status(1).stdout("");
        let told = ran.stderr_text();
        assert!(told.starts_with(&format!("error: {message}")) && told.contains("--force"), "{words:?}: {told}");
    };
    let attach = format!("failed to attach to the session {name}: it was started with another secret\n");
    let session = format!("the session {name} was started with another secret\n");
    refused(&["url"], &attach);
    refused(&["env"], &attach);
    refused(&["snapshot", "--as", "x"], &attach);
    refused(&["reset"], &session);
    refused(&["stop"], &session);
    let all = site.command(&["session", "stop", "--all"]).run();
    assert!(all.status(0).stderr_text().contains(&format!("session {name} is left alone")), "{}", all.stderr_text());
    std::fs::write(&secret, own).unwrap();
    assert_eq!(site.ask(&name, "select 1"), "1");

    std::fs::write(&secret, [7; 32]).unwrap();
    site.on(&name, &["stop", "--force"]).run().status(0).stderr(&format!("session {name} is stopped\n"));
    assert!(site.names().is_empty());
    site.assert_nothing_left();
}

/// Starts a session and waits until its last seed runs on the session's own server.
fn begun<'a>(site: &'a Site, name: &str) -> Started<'a> {
    let mark = site.project().folder().join("begun");
    let _ = std::fs::remove_file(&mark);
    site.configure("", &[("endless", ENDLESS)]);
    let started = site.on(name, &["start", "-q"]).start();
    wait_until("the seed has begun", 2 * AMPLE, || mark.exists());
    started
}

pub fn a_signal_during_a_start_leaves_nothing(backend: &'static str) {
    let site = Site::new(backend);
    let name = site.name("review");
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let started = begun(&site, &name);
        let second = site.on(&name, &["start", "-q"]).run();
        second.status(1).stdout("").stderr(&format!("error: the session {name} is already running\nhint: [..]\n"));
        started.signal(signal);
        let ran = started.wait();
        ran.stdout("").stderr("");
        assert_eq!(ran.code(), 128 + signal.as_raw());
        assert!(site.names().is_empty());
        site.assert_nothing_left();
    }
    site.configure("", &[]);
    site.start(&name);
    site.stop(&name);
    site.assert_nothing_left();
}

pub fn the_next_command_removes_what_a_killed_start_left(backend: &'static str) {
    let site = Site::new(backend);
    let name = site.name("review");
    let killed = || {
        let started = begun(&site, &name);
        started.signal(Signal::KILL);
        assert_eq!(started.wait().code(), 137);
        site.configure("", &[]);
    };
    killed();
    assert!(site.names().is_empty());
    site.assert_nothing_left();
    killed();
    site.start(&name);
    assert_eq!(site.ask(&name, "select 1"), "1");
    site.stop(&name);
    site.assert_nothing_left();
}

pub fn an_interrupted_start_leaves_a_complete_session_or_nothing(backend: &'static str) {
    let site = Site::new(backend);
    let name = site.name("review");
    site.start(&name);
    site.stop(&name);
    // The delays cover about the time of a warm start, so that the signal arrives at different moments.
    let (longest, step) = if backend == "host" { (150, 6) } else { (1600, 320) };
    let signals = [Signal::INT, Signal::KILL, Signal::TERM];
    for (delay, signal) in (0..=longest).step_by(step).zip(signals.iter().cycle()) {
        let started = site.on(&name, &["start", "-q"]).start();
        std::thread::sleep(Duration::from_millis(delay));
        // The start may have ended by then.
        started.signal(*signal);
        let ran = started.wait();
        let was_killed = ran.code() == 128 + signal.as_raw();
        assert!(was_killed || ran.code() == 0, "{ran:?}");
        if *signal != Signal::KILL {
            // A start that reports an interruption leaves no session.
            assert_eq!(site.names().is_empty(), was_killed, "{ran:?}");
        }
        // The engine may finish a request after its client has been killed.
        wait_until("the session is whole, or nothing of it is left", AMPLE, || {
            site.command(&["gc"]).run().status(0);
            let whole = site.on(&name, &["psql", "-Atc", "select 1"]).run().code() == 0;
            whole || site.containers().is_empty()
        });
        if !site.names().is_empty() {
            site.stop(&name);
        }
        site.assert_nothing_left();
    }
}

/// On engines only, because the host backend can reach every folder.
pub fn a_command_works_below_the_session_folder_and_is_refused_outside(backend: &'static str) {
    let site = Site::new(backend);
    let name = site.name("review");
    site.start(&name);
    let folder = site.project().folder();
    site.project().write("deep/it's ü/query.sql", "select 'found';\n");
    let deep = folder.join("deep/it's ü");
    let written = site.on(&name, &["psql", "-At", "-f", "query.sql", "-o", "result"]).folder(&deep).run();
    written.status(0).stdout("").stderr("");
    assert_eq!(std::fs::read_to_string(deep.join("result")).unwrap(), "found\n");
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(deep.join("result")).unwrap());
    assert_eq!(owner, rustix::process::geteuid().as_raw());

    let config = folder.join("database.toml").display().to_string();
    let outside = |form: &[&str]| {
        let words = ["session", "--name", &name, "--config-file", &config];
        site.command(&[&words, form].concat()).folder(site.project().root()).run()
    };
    outside(&["psql", "-Atc", "select 1"]).status(125).stdout("").stderr(&format!(
        "error: the session {name} does not see the working directory [ROOT]\n\
         hint: change to [ROOT]/work, or use the `host` or `container` form of the command\n"
    ));
    outside(&["container", "psql", "-Atc", "select 1"]).status(0).stdout("1\n").stderr("");
    outside(&["host", "run-env", "--", "pwd"]).status(0).stdout("[ROOT]\n").stderr("");
    site.stop(&name);
    site.assert_nothing_left();
}

/// On engines only, because the host backend can't pause a server.
pub fn a_paused_session_keeps_its_name_and_can_be_stopped(backend: &'static str) {
    let site = Site::new(backend);
    let Site::Engine(engine) = &site else { panic!("{backend} is no engine") };
    let name = site.name("review");
    site.start(&name);
    // On a busy machine, the container runtime may fail to freeze all processes in time.
    let pause = || engine.engine(&["pause", &format!("pg-ephemeral-session-{name}")]);
    let mut paused = pause();
    for _ in 0..10 {
        if paused.status.success() {
            break;
        }
        paused = pause();
    }
    assert!(paused.status.success(), "{paused:?}");
    assert_eq!(site.names(), [name.as_str()]);
    let expected =
        format!("error: failed to attach to the session {name}: its container is paused\nhint: [..]unpause[..]\n");
    // Each command waits for a while, because a snapshot only pauses the container for a moment.
    std::thread::scope(|scope| {
        let taken = "error: the session [..] is already running\nhint: [..]\n";
        scope.spawn(|| {
            site.on(&name, &["start", "-q"]).run().status(1).stderr(taken);
        });
        scope.spawn(|| {
            site.on(&name, &["url"]).run().status(1).stdout("").stderr(&expected);
        });
        scope.spawn(|| {
            site.on(&name, &["psql"]).run().status(125).stdout("").stderr(&expected);
        });
    });
    site.stop(&name);
    site.assert_nothing_left();
}
