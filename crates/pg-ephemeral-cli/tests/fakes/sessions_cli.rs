//! Tests of the session commands on fake engines: their exact output, their behaviour with every kind of container, and
//! the number of engine commands that each takes.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::fakes::{Container, IMAGE, and_fake, failing, fake};
use crate::support::make_executable;
use pg_ephemeral_testkit::{Project, ProjectCommand};
use serde_json::{Value, json};

const ENGINES: [&str; 2] = ["docker", "podman"];
const CONFIG: &str = "image = \"17\"\n[instances.main]\n";

fn command<'a>(project: &'a Project, engine: &str, arguments: &[&str]) -> ProjectCommand<'a> {
    project.command(["--backend", engine].iter().chain(arguments))
}

fn json(project: &Project, engine: &str, arguments: &[&str]) -> Value {
    let ran = command(project, engine, &[arguments, &["--format", "json"]].concat()).run();
    ran.status(0).stderr("");
    serde_json::from_slice(ran.stdout_bytes()).unwrap()
}

/// Returns the first word of each engine command. `version` is the check that the engine works.
fn journal(project: &Project, engine: &str) -> Vec<String> {
    let journal = project.engine_journal(engine);
    let words = journal.lines().filter_map(|line| line.split(' ').find(|word| *word != engine));
    words.map(str::to_owned).collect()
}

fn seconds_from_now(offset: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    now.saturating_add_signed(offset).to_string()
}

fn many(count: usize) -> Vec<Container> {
    (0..count).map(|number| Container::session(&format!("s{number:02}"), "main", &[])).collect()
}

#[test]
fn a_listing_takes_one_engine_command_for_any_number_of_sessions() {
    for engine in ENGINES {
        for count in [0, 1, 50] {
            let project = fake(engine, &many(count));
            let listed = json(&project, engine, &["session", "list"]);
            assert_eq!(listed.as_array().unwrap().len(), count);
            assert_eq!(journal(&project, engine), ["version", "ps"]);
        }
    }
}

#[test]
fn one_session_among_fifty_is_found_by_one_engine_command() {
    for engine in ENGINES {
        for count in [1, 50] {
            let project = fake(engine, &many(count));
            command(&project, engine, &["session", "url", "--name", "s00"])
                .run()
                .status(0)
                .stdout("postgresql://postgres:[..]@127.0.0.1:40000/postgres?sslmode=disable\n")
                .stderr("");
            assert_eq!(journal(&project, engine), ["version", "ps"]);
        }
    }
}

#[test]
fn the_status_of_fifty_sessions_takes_two_engine_commands() {
    for engine in ENGINES {
        let project = fake(engine, &many(50)).database_toml(CONFIG);
        let all = json(&project, engine, &["session", "status"]);
        let all = all.as_array().unwrap();
        assert_eq!(all.len(), 50);
        assert!(all.iter().all(|session| session["status"] == "sync"), "{all:?}");
        assert_eq!(journal(&project, engine), ["version", "ps", "image"]);
    }
}

#[test]
fn the_status_of_sessions_of_unknown_instances_looks_up_no_image() {
    for engine in ENGINES {
        let containers = [Container::session("a", "main", &[]), Container::session("b", "other", &[])];
        let project = fake(engine, &containers).database_toml("[instances.third]\n");
        let unknown = |name: &str, instance: &str| json!({"name": name, "instance": instance, "status": "unknown-instance", "reason": null, "restored": null, "secret": "own"});
        assert_eq!(
            json(&project, engine, &["session", "status"]),
            json!([unknown("a", "main"), unknown("b", "other")])
        );
        assert_eq!(journal(&project, engine), ["version", "ps"]);
    }
}

#[test]
fn a_listing_shows_each_session_in_a_line_and_as_json() {
    for engine in ENGINES {
        let (started, expires) = (seconds_from_now(-7200), seconds_from_now(3600));
        let containers = [
            Container::session("b", "main", &[("started", &started)]),
            Container::session("a", "other", &[("started", &started), ("expires", &expires)]).port(40_001),
            Container::session("ended", "main", &[]).exited(),
            Container::new("no-session", &[("version", "0.1.0"), ("instance", "main")]),
        ];
        let project = fake(engine, &containers);
        let removed = "session ended is removed: its server had ended\n";
        command(&project, engine, &["session", "list"]).run().status(0).stderr(removed).stdout(&format!(
            " NAME  INSTANCE  BACKEND  IMAGE                          AGE[..]EXPIRES IN[..]PORT\n \
             a     other     {engine}   {IMAGE}  2h[..] [..] 40001\n \
             b     main      {engine}   {IMAGE}  2h[..] never[..] 40000\n"
        ));
        let listed = json(&project, engine, &["session", "list"]);
        let (age, rest) = (listed[0]["age"].as_u64().unwrap(), listed[0]["expires_in"].as_u64().unwrap());
        assert!((7200..7300).contains(&age) && (3500..=3600).contains(&rest), "{listed}");
        let expected = json!([
            {"name": "a", "instance": "other", "backend": engine, "image": IMAGE, "age": age, "expires_in": rest, "port": 40001, "secret": "own"},
            {"name": "b", "instance": "main", "backend": engine, "image": IMAGE, "age": listed[1]["age"], "expires_in": null, "port": 40000, "secret": "own"}
        ]);
        assert_eq!(listed, expected);
    }
}

#[test]
fn every_listing_marks_a_session_of_another_secret() {
    for engine in ENGINES {
        let containers =
            [Container::session("own", "main", &[]), Container::session("theirs", "main", &[("secret", "0123@4567")])];
        let project = fake(engine, &containers).database_toml(CONFIG);
        for listing in ["list", "status"] {
            let table = command(&project, engine, &["session", listing]).run();
            table
                .status(0)
                .stderr("")
                .stdout(" NAME [..]\n own                         main [..]\n theirs (of another secret)  main [..]\n");
            let all = json(&project, engine, &["session", listing]);
            assert_eq!((&all[0]["secret"], &all[1]["secret"]), (&json!("own"), &json!("other")), "{all}");
        }
    }
}

#[test]
fn a_listing_without_sessions_is_a_header_and_an_empty_array() {
    for engine in ENGINES {
        let project = fake(engine, &[]);
        let header = " NAME  INSTANCE  BACKEND  IMAGE  AGE  EXPIRES IN  PORT\n";
        command(&project, engine, &["session", "list"]).run().status(0).stdout(header).stderr("");
        assert_eq!(json(&project, engine, &["session", "list"]), json!([]));
        command(&project, engine, &["session", "stop", "--name", "a"]).run().status(1).stdout("").stderr(
            "error: there is no session a\nhint: no session is running; `pg-ephemeral session start --name a` starts it\n",
        );
    }
}

#[test]
fn session_stop_stops_one_session_or_all_and_no_other_container() {
    for engine in ENGINES {
        let foreign = Container::new("somebody-elses", &[]);
        let server = Container::new("pg-ephemeral-1", &[("version", "0.1.0")]);
        let project = fake(engine, &many(3).into_iter().chain([foreign, server]).collect::<Vec<_>>());
        let stop = |words: &[&str]| command(&project, engine, &[&["session", "stop"], words].concat()).run();
        stop(&["--name", "s01"]).status(0).stdout("").stderr("session s01 is stopped\n");
        assert_eq!(journal(&project, engine), ["version", "ps", "rm"]);
        stop(&["--name", "s01"]).status(1).stderr("error: there is no session s01\nhint: running sessions: s00, s02\n");
        stop(&["--all", "-q"]).status(0).stdout("").stderr("");
        stop(&["--all"]).status(0).stdout("").stderr("");
        assert_eq!(json(&project, engine, &["session", "list"]), json!([]));
        let left = project.engine_journal(engine);
        assert!(!left.contains("somebody-elses") && !left.contains("pg-ephemeral-1"), "{left}");
    }
}

#[test]
fn a_listing_removes_expired_sessions_and_no_others() {
    for engine in ENGINES {
        let containers = [
            Container::session("over", "main", &[("expires", &seconds_from_now(-1))]),
            Container::session("soon", "main", &[("expires", &seconds_from_now(1000))]),
            Container::session("unreadable", "main", &[("expires", "soon")]),
        ];
        let project = fake(engine, &containers);
        let listed = json(&project, engine, &["session", "list"]);
        let names: Vec<_> = listed.as_array().unwrap().iter().map(|session| session["name"].clone()).collect();
        assert_eq!(names, ["soon", "unreadable"]);
        assert_eq!(journal(&project, engine), ["version", "ps", "rm"]);
        let over = command(&project, engine, &["session", "url", "--name", "over"]).run();
        over.status(1).stdout("").stderr("error: there is no session over\nhint: running sessions: soon, unreadable\n");
    }
}

/// Replaces a fake engine with a script that shows its running containers as paused in the first listing.
fn paused_at_first(project: &Project, engine: &str) {
    let program = project.root().join("programs").join(engine);
    let real = project.root().join("real").join(engine);
    fs::create_dir(real.parent().unwrap()).unwrap();
    fs::rename(&program, &real).unwrap();
    let (real, listed) = (real.display(), project.root().join("listed"));
    let script = format!(
        "#!/bin/sh
if [ $1 = ps ] && mkdir {} 2>/dev/null; then
  {real} \"$@\" | sed s/running/paused/
else
  exec {real} \"$@\"
fi
",
        listed.display()
    );
    project.write(&program, script);
    make_executable(&program);
}

#[test]
fn a_command_on_a_session_waits_while_its_container_is_paused() {
    for engine in ENGINES {
        for words in [&["url", "--name", "a"][..], &["stop", "--name", "a"]] {
            let project = fake(engine, &[Container::session("a", "main", &[])]);
            paused_at_first(&project, engine);
            command(&project, engine, &[&["session"], words].concat()).run().status(0);
            assert_eq!(journal(&project, engine)[..3], ["version", "ps", "ps"]);
        }
    }
}

/// Creates a project with a session `a`. A killed command had stopped its server, and another program has taken its
/// port since then.
fn stopped_for_good(engine: &str) -> Project {
    let failure = "[[failures]]\noperation = \"start\"\n\
                   failure = { exit = { status = 125, stderr = \"bind: address already in use\" } }\n";
    let containers = [Container::session("a", "main", &[]).exited(), Container::session("b", "main", &[])];
    let project = failing(engine, &containers, failure);
    let note = json!({"nonce": "n", "selection": {}, "boot": ociman::host::boot_id(), "successor": null});
    project.write(project.state().join(format!("pg-ephemeral/stopped/{engine}:a")), note.to_string());
    project
}

#[test]
fn a_session_whose_server_can_not_be_started_again_is_an_error_with_a_hint_and_can_be_stopped() {
    let problem =
        "the server of the session a was stopped by a command that was killed, and could not be started again";
    let hint = "the next command on it tries again; `pg-ephemeral session stop --name a` ends the session";
    for engine in ENGINES {
        for stop in [&["stop", "--name", "a"][..], &["stop", "--all"]] {
            let project = stopped_for_good(engine);
            let session = |words: &[&str]| command(&project, engine, &[&["session"], words].concat()).run();
            for words in [&["url", "--name", "a"][..], &["status", "--name", "a"], &["reset", "--name", "a"]] {
                let refused = session(words);
                refused
                    .status(1)
                    .stdout("")
                    .stderr(&format!("error: {problem}\ncaused by: [..]\ncaused by: [..]\nhint: {hint}\n"));
            }
            let listed = session(&["list"]);
            listed.status(0).stderr(&format!("warning: {problem}: [..]; {hint}\n"));
            let ended = "session a is removed: its server had ended\n";
            assert!(session(stop).status(0).stderr_text().starts_with(ended));
            session(&["url", "--name", "a"]).status(1).stderr("error: there is no session a\nhint: [..]\n");
        }
    }
}

#[test]
fn a_container_with_a_session_label_and_another_name_is_an_error_that_names_it() {
    for engine in ENGINES {
        let project = fake(engine, &[Container::new("prices", &[("session", "prices")])]);
        let error = "error: container prices matched session label filter but name does not start with \
                     \"pg-ephemeral-session-\"\n";
        for words in [&["list"][..], &["status"], &["stop", "--all"], &["url", "--name", "prices"]] {
            command(&project, engine, &[&["session"], words].concat()).run().status(1).stdout("").stderr(error);
        }
        let start = command(&project, engine, &["session", "start", "--name", "prices"]).run();
        start.status(1).stdout("").stderr(&format!("...\n{error}"));
    }
}

#[test]
fn session_status_names_an_invalid_label() {
    let cases = [
        (
            ("version", "999.0.0"),
            "the label pg-ephemeral.version has version 999.0.0, which is newer than this pg-ephemeral, [..]",
        ),
        (("instance", ""), "the label pg-ephemeral.instance is missing"),
        (("seeds", "{}"), "failed to read the label pg-ephemeral.seeds \"{}\"\n..."),
        (("ssl.ca-cert-pem", "-----BEGIN"), "the label pg-ephemeral.ssl.ca-cert-pem is inconsistent: [..]"),
    ];
    for engine in ENGINES {
        for (change, cause) in cases {
            let project = fake(engine, &[Container::session("a", "main", &[change])]);
            let ran = command(&project, engine, &["session", "status"]).run();
            let cause = format!(
                "error: failed to determine the status of the session a\ncaused by: failed to decode pg-ephemeral metadata from \
                 session labels\ncaused by: {cause}\n"
            );
            ran.status(1).stdout("").stderr(&cause);
            // The session can still be stopped.
            command(&project, engine, &["session", "stop", "--name", "a"]).run().status(0);
        }
    }
}

#[test]
fn session_start_refuses_a_taken_name_and_leaves_its_container_alone() {
    for engine in ENGINES {
        let session = fake(engine, &[Container::session("a", "main", &[])]);
        command(&session, engine, &["session", "start", "-q", "--name", "a"]).run().status(1).stdout("").stderr(
            "error: the session a is already running\nhint: attach to it, or stop it first: pg-ephemeral session stop --name a\n",
        );
        assert_eq!(journal(&session, engine), ["version", "ps"]);
        let foreign = fake(engine, &[Container::new("pg-ephemeral-session-a", &[]).exited()]);
        let ran = command(&foreign, engine, &["session", "start", "-q", "--name", "a"]).run();
        ran.status(1).stdout("").stderr("error: [..]\ncaused by: [..]pg-ephemeral-session-a[..]\n");
        assert_eq!(journal(&foreign, engine), ["version", "ps", "container"]);
    }
}

#[test]
fn without_a_chosen_backend_sessions_of_every_backend_are_listed() {
    let project = and_fake(fake("docker", &[Container::session("a", "main", &[])]), "podman");
    let run = |words: &[&str]| project.command(words).variable("PG_EPHEMERAL_BIN_DIR", "/nosuch").run();
    let ran = run(&["session", "list", "--format", "json"]);
    ran.status(0).stderr("");
    let listed: Value = serde_json::from_slice(ran.stdout_bytes()).unwrap();
    let backends: Vec<_> = listed.as_array().unwrap().iter().map(|session| session["backend"].clone()).collect();
    assert_eq!(backends, ENGINES);
    run(&["session", "stop", "--name", "a"]).status(0).stderr("session a is stopped\n");
    run(&["session", "stop", "--name", "a"]).status(0).stderr("session a is stopped\n");
    run(&["session", "stop", "--name", "a"]).status(1);
}

#[test]
fn wrong_usage_is_reported_before_any_engine_command() {
    for engine in ENGINES {
        let project = fake(engine, &[]);
        let wrong: [&[&str]; 7] = [
            &["session", "start"],
            &["session", "stop"],
            &["session", "stop", "--all", "--name", "a"],
            &["session", "psql"],
            &["session", "url", "--name", "no spaces"],
            &["session", "start", "--name", "a", "--ttl", "soon"],
            &["session", "list", "--format", "shell"],
        ];
        for words in wrong {
            command(&project, engine, words).run().status(2).stdout("").stderr("error: [..]\n...");
        }
        assert!(journal(&project, engine).is_empty());
    }
}
