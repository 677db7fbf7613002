//! Test cases for the binary that hold on both Docker and Podman.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::thread::sleep;
use std::time::Duration;

use pg_ephemeral_testkit::{Started, wait_until};
use rustix::process::Signal;

use super::AMPLE;
use super::engine::{Engine, commands_of_a_start};

/// Generates the tests of cases on engines. By default, every case is tested on both engines. CI tests the cases of
/// `both` on both engines, those of `docker` and `podman` on that engine only, and those of `host` on no engine,
/// because the host tier tests them. The tests that CI leaves out are in modules `also`. They depend on the engine only
/// in ways that the conformance suite covers on both engines.
#[macro_export]
macro_rules! on_engines {
    (
        both { $($both:ident { $($on_both:ident)* })* }
        docker { $($docker:ident { $($on_docker:ident)* })* }
        podman { $($podman:ident { $($on_podman:ident)* })* }
        host { $($host:ident { $($on_host:ident)* })* }
    ) => {
        mod docker {
            $($crate::backend_tests! { $both, "docker": $($on_both)* })*
            $($crate::backend_tests! { $docker, "docker": $($on_docker)* })*

            mod also {
                $($crate::backend_tests! { $podman, "docker": $($on_podman)* })*
                $($crate::backend_tests! { $host, "docker": $($on_host)* })*
            }
        }

        mod podman {
            $($crate::backend_tests! { $both, "podman": $($on_both)* })*
            $($crate::backend_tests! { $podman, "podman": $($on_podman)* })*

            mod also {
                $($crate::backend_tests! { $docker, "podman": $($on_docker)* })*
                $($crate::backend_tests! { $host, "podman": $($on_host)* })*
            }
        }
    };
}

/// Generates a test on this backend for every case of a module.
#[macro_export]
macro_rules! backend_tests {
    ($cases:ident, $backend:literal: $($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                $crate::support::$cases::$case($backend);
            }
        )*
    };
}

pub fn a_query_prints_exactly_its_result_cold_and_warm(program: &'static str) {
    let engine = Engine::cold(program);
    let query = ["run-env", "--", "psql", "-Atc", "select 42"];
    engine.command(&query).run().status(0).stdout("42\n").stderr("pg-ephemeral: initialise the base layer\n");
    engine.assert_nothing_left();
    engine.command(&query).run().status(0).stdout("42\n").stderr("");
    for form in ["host", "container"] {
        engine.command(&[&[form], &query[..]].concat()).run().status(0).stdout("42\n").stderr("");
        engine.command(&[form, "psql", "-Atc", "select 1"]).run().status(0).stdout("1\n").stderr("");
    }
    engine
        .command(&["psql"])
        .input("select 1")
        .run()
        .status(0)
        .stderr("")
        .stdout(" ?column? \n----------\n        1\n(1 row)\n\n");
    engine
        .command(&["schema-dump"])
        .run()
        .status(0)
        .stderr("")
        .stdout("--\n-- PostgreSQL database dump\n--\n...\n-- PostgreSQL database dump complete\n--\n...\n");
    assert_eq!(engine.layers().len(), 1);
    engine.assert_nothing_left();
}

pub fn the_exit_status_is_that_of_the_command(program: &'static str) {
    let engine = Engine::new(program);
    engine.project.write("plain", "echo hi\n");
    engine.warm_up();
    for form in [&[][..], &["host"], &["container"]] {
        let run = |words: &[&str]| engine.command(&[form, &["run-env", "--"], words].concat()).run();
        run(&["sh", "-c", "exit 42"]).status(42).stdout("").stderr("");
        run(&["sh", "-c", "kill -9 $$"]).status(137).stdout("").stderr("");
        let place = if form == ["host"] { "on PATH" } else { "in the server's container" };
        run(&["nosuch"]).status(127).stdout("").stderr(&format!("error: no program \"nosuch\" {place}\n"));
        run(&["/etc"])
            .status(126)
            .stdout("")
            .stderr("error: failed to start \"/etc\"\ncaused by: Permission denied (os error 13)\n");
    }
    let refused = "error: failed to start \"./plain\"\ncaused by: Permission denied (os error 13)\n";
    engine.command(&["run-env", "./plain"]).run().status(126).stdout("").stderr(refused);
    engine.command(&["run-env", "./none"]).run().status(127).stdout("").stderr("error: no program \"./none\"\n");
    engine.command(&["psql", "-Atc", "select 1/0"]).run().status(1).stdout("").stderr("ERROR:  division by zero\n");
    engine.assert_nothing_left();
}

/// The names contain every character that a step on the way to the container could interpret.
pub fn a_working_folder_may_have_any_name(program: &'static str) {
    let engine = Engine::new(program);
    engine.warm_up();
    let names =
        ["a b,c:d;e=f", "it's \"quoted\" `$x` %s {{.ID}}", "back\\slash\\", "two\nlines", "źdźbło 🦀", "-v", " ~ * "];
    let script = r#"printf %s "$PWD" >here && mkdir "./$1" && cp here "./$1/deep""#;
    for (number, name) in names.into_iter().enumerate() {
        let folder = engine.project.folder().join(name);
        engine.project.write(folder.join("in"), "");
        // Both forms mount the folder in the same way, so each name is tested with one of them.
        let form = if number % 2 == 0 { "run-env" } else { "bin" };
        let ran = engine.command(&["-q", form, "--", "sh", "-ec", script, "sh", name]).folder(&folder).run();
        ran.status(0).stdout("").stderr("");
        for path in ["here".to_owned(), format!("{name}/deep")] {
            assert_eq!(fs::read_to_string(folder.join(&path)).unwrap(), folder.to_string_lossy(), "{path:?}");
            let metadata = fs::metadata(folder.join(&path)).unwrap();
            assert_eq!(metadata.uid(), rustix::process::geteuid().as_raw(), "{path:?}");
            assert_eq!(metadata.gid(), rustix::process::getegid().as_raw(), "{path:?}");
        }
    }
    engine.assert_nothing_left();
}

pub fn a_command_in_the_container_sees_the_working_folder_and_writes_files_as_the_caller(program: &'static str) {
    let engine = Engine::new(program);
    let folder = engine.project.folder().join("it's ü, a \"b\" $x");
    engine.project.write(folder.join("query.sql"), "select 'from a file';\n");
    let script = "echo written >new && mkdir -p deep && echo more >deep/file && pwd";
    let ran = engine.command(&["-q", "run-env", "--", "sh", "-c", script]).folder(&folder).run();
    ran.status(0)
        .stdout(&format!("{}\n", folder.display()).replace(&*engine.project.root().to_string_lossy(), "[ROOT]"));
    for path in ["new", "deep", "deep/file"] {
        let metadata = fs::metadata(folder.join(path)).unwrap();
        assert_eq!(metadata.uid(), rustix::process::geteuid().as_raw(), "{path}");
        assert_eq!(metadata.gid(), rustix::process::getegid().as_raw(), "{path}");
    }
    assert_eq!(fs::read_to_string(folder.join("deep/file")).unwrap(), "more\n");
    let file = engine.command(&["psql", "-At", "-f", "query.sql", "-o", "result"]).folder(&folder).run();
    file.status(0).stdout("").stderr("");
    assert_eq!(fs::read_to_string(folder.join("result")).unwrap(), "from a file\n");
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let through = engine.command(&["run-env", "cat"]).input(bytes.clone()).run();
    through.status(0).stderr("");
    assert!(through.stdout_bytes() == bytes, "other bytes came out than went in");
    let arguments = ["run-env", "--", "printf", "<%s>\n", "", "a b", "--", "-q", "KEY=VALUE", "$HOME", "\n"];
    engine.command(&arguments).run().status(0).stderr("").stdout("<>\n<a b>\n<-->\n<-q>\n<KEY=VALUE>\n<$HOME>\n<\n>\n");
    engine.assert_nothing_left();
}

pub fn a_dump_through_run_env_is_clean_to_the_last_byte(program: &'static str) {
    let engine = Engine::new(program);
    let size: u32 = std::env::var("PG_EPHEMERAL_TEST_DUMP").map_or(2, |size| size.parse().unwrap());
    for form in ["host", "container"] {
        let script = super::dump_script(size);
        let ran = engine.command(&["-q", form, "run-env", "--", "sh", "-c", &script]).limit(4 * AMPLE).run();
        super::assert_dump_is_clean(&ran, size);
    }
    engine.assert_nothing_left();
}

pub fn psql_is_interactive_and_ctrl_c_cancels_only_the_query(program: &'static str) {
    let engine = Engine::new(program);
    let terminal = engine.terminal("psql");
    let screen = terminal.wait_for_prompt("postgres=# ");
    assert!(screen.starts_with("psql ("), "the spinner left something on the screen:\n{screen}");
    terminal.cancel_a_query("postgres=# ");
    terminal.enter("select 'still ' || 'there';");
    terminal.wait_for("the answer", |screen| screen.contains("still there"));
    terminal.enter("\\q");
    terminal.wait_for_status(0);
    drop(terminal);
    engine.assert_nothing_left();
}

pub fn no_password_is_visible_in_arguments_metadata_or_logs(program: &'static str) {
    let engine = Engine::new(program);
    let script = "echo password=$PGPASSWORD.; exec sleep 1000";
    let mut started = engine.command(&["-q", "host", "run-env", "--", "sh", "-c", script]).start();
    // The start is cold, so the server has received the layer's password as well.
    started.wait_for(".\n");
    let password = started.stdout_so_far().trim().trim_start_matches("password=").trim_end_matches('.').to_owned();
    let container = engine.containers().pop().expect("the server runs in a container");
    let environment = engine.engine(&["exec", &container, "cat", "/proc/1/environ"]).stdout;
    let environment = String::from_utf8_lossy(&environment).into_owned();
    let layers_own = environment.split('\0').find_map(|variable| variable.strip_prefix("POSTGRES_PASSWORD="));
    let mut secrets = vec![password];
    secrets.extend(layers_own.map(str::to_owned));
    assert!(secrets.iter().all(|secret| secret.len() > 20), "{secrets:?}");

    let layer = engine.layers().pop().expect("the layer is there");
    let mut places = vec![("arguments of processes".to_owned(), arguments_of_all_processes())];
    for words in [
        &["inspect", &container][..],
        &["logs", &container],
        &["image", "inspect", &layer],
        &["history", "--no-trunc", &layer],
        &["ps", "--all", "--no-trunc"],
    ] {
        let output = engine.engine(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        let text = [output.stdout, output.stderr].concat();
        places.push((words.join(" "), String::from_utf8_lossy(&text).into_owned()));
    }
    started.signal(Signal::TERM);
    started.wait().status(143);
    let verbose = engine.command(&["-vv", "run-env", "true"]).run();
    places.push(("everything that -vv says".to_owned(), verbose.stderr_text()));
    for (place, text) in places {
        assert!(!text.is_empty(), "there are no {place}");
        for secret in &secrets {
            assert!(!text.contains(secret), "a password stands in: {place}");
        }
    }
    engine.assert_nothing_left();
}

fn arguments_of_all_processes() -> String {
    let processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
    processes.map(|arguments| String::from_utf8_lossy(&arguments).into_owned() + "\n").collect()
}

pub fn a_command_inside_handles_a_signal_itself(program: &'static str) {
    let engine = Engine::new(program);
    engine.warm_up();
    let script = "trap 'echo handled; exit 7' TERM; trap 'echo noted' INT; echo ready; while :; do sleep 0.1; done";
    for form in [&["run-env"][..], &["container", "run-env"]] {
        let mut started = engine.command(&[form, &["--", "sh", "-c", script]].concat()).start();
        started.wait_for("ready");
        started.signal(Signal::TERM);
        started.wait().status(7).stdout("ready\nhandled\n").stderr("");
    }
    let mut started = engine.command(&["run-env", "--", "sh", "-c", script]).start();
    started.wait_for("ready");
    started.signal(Signal::INT);
    started.wait_for("noted");
    started.signal(Signal::TERM);
    let ran = started.wait();
    ran.stdout("ready\nnoted\n");
    assert_eq!(ran.code(), 130);
    engine.assert_nothing_left();
}

pub fn a_signal_at_any_moment_leaves_nothing(program: &'static str) {
    let engine = Engine::new(program);
    engine.warm_up();
    let signals = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT];
    for (delay, signal) in (0..=1200).step_by(200).zip(signals.iter().cycle()) {
        let started = engine.command(&["-q", "run-env", "sleep", "1000"]).start();
        sleep(Duration::from_millis(delay));
        started.signal(*signal);
        let ran = started.wait();
        ran.stdout("");
        assert_eq!(ran.code(), 128 + signal.as_raw());
        engine.assert_nothing_left();
    }
}

pub fn gc_and_the_next_command_remove_what_a_killed_command_left(program: &'static str) {
    let engine = Engine::new(program);
    engine.warm_up();
    let ready = || {
        let mut started = engine.command(&["run-env", "--", "sh", "-c", "echo ready; exec sleep 1000"]).start();
        started.wait_for("ready");
        started
    };
    let kill = |started: Started<'_>| {
        started.signal(Signal::KILL);
        assert_eq!(started.wait().code(), 137);
    };
    kill(ready());
    engine.gc();
    engine.assert_nothing_left();
    kill(ready());
    engine.command(&["run-env", "true"]).run().status(0).stdout("").stderr("");
    engine.assert_nothing_left();
    for delay in [200, 400] {
        let started = engine.command(&["-q", "run-env", "sleep", "1000"]).start();
        sleep(Duration::from_millis(delay));
        kill(started);
        // The engine may finish a request after its client has been killed.
        wait_until("gc finds all of it", AMPLE, || {
            engine.command(&["gc"]).run().status(0);
            engine.project.processes().is_empty() && engine.containers().is_empty()
        });
    }
}

pub fn a_live_server_is_listed_and_left_alone_by_gc(program: &'static str) {
    let engine = Engine::new(program);
    let mut started = engine.command(&["-q", "run-env", "--", "sh", "-c", "echo ready; exec sleep 1000"]).start();
    started.wait_for("ready");
    let container = engine.containers().pop().expect("the server runs in a container");
    let listed = engine.command(&["list", "--format", "json"]).run();
    listed.status(0).stderr("").stdout(&format!(
        "...\n    \"name\": \"{container}\",\n    \"backend\": \"{program}\",\n    \"instance\": \"test-[..]\",\n    \
         \"image\": \"docker.io/library/postgres:15\",\n    \"session\": null,\n    \"state\": \"running\",\n    \
         \"owner_pid\": {},\n...",
        started.id()
    ));
    let mounts = engine.engine(&["inspect", "--format", "{{range .Mounts}}{{.Type}} {{end}}", &container]).stdout;
    assert!(!String::from_utf8_lossy(&mounts).contains("volume"), "a volume would stay when the engine is killed");
    engine.command(&["gc"]).run().status(0);
    assert_eq!(engine.containers(), [container]);
    started.signal(Signal::TERM);
    started.wait().status(143);
    engine.assert_nothing_left();
}

pub fn a_server_that_dies_at_boot_is_an_error_with_the_end_of_its_log(program: &'static str) {
    let engine = Engine::cold(program);
    let broken = ["-q", "--parameter", "shared_buffers=garbage", "run-env", "true"];
    let ran = engine.command(&broken).run();
    ran.status(125)
        .stdout("")
        .stderr("error: [..]\n...\n[..]invalid value for parameter \"shared_buffers\": \"garbage\"\n...");
    // The time-out of a first start is twice as long, so the start did not wait for it.
    ran.within(AMPLE);
    assert!(engine.layers().is_empty(), "half a layer: {:?}", engine.layers());
    engine.assert_nothing_left();
}

pub fn an_image_that_can_not_be_pulled_is_an_error_with_a_hint(program: &'static str) {
    let engine = Engine::new(program);
    // Nothing listens on this port, and the test needs no network.
    let ran = engine.command(&["--image", "127.0.0.1:1/acme/postgres:1", "psql"]).run();
    ran.status(125).stdout("").within(Duration::from_secs(30)).stderr(
        "pg-ephemeral: pull 127.0.0.1:1/acme/postgres:1\nerror: failed to pull the image 127.0.0.1:1/acme/postgres:1\n\
         caused by: [..]\n...\nhint: check the image's name and the network; an image that is already on this machine is \
         used without a network\n",
    );
    engine.assert_nothing_left();
}

pub fn a_warm_start_takes_at_most_five_engine_commands(program: &'static str) {
    let engine = Engine::new(program);
    let (path, notes) = engine.noting();
    for form in [&["run-env", "true"][..], &["host", "run-env", "true"], &["psql", "-c", "select 1"]] {
        engine.warm_up();
        engine.command(form).variable("PATH", &path).run().status(0);
        let asked = fs::read_to_string(&notes).unwrap();
        let count = commands_of_a_start(&asked);
        assert!(count <= 5, "{form:?} asked {count} times:\n{asked}");
        fs::remove_file(&notes).unwrap();
    }
    engine.assert_nothing_left();
}

pub fn eight_cold_starts_at_once_build_one_layer_and_leave_nothing(program: &'static str) {
    let engine = Engine::cold(program);
    let start = |number: i32| {
        let query = format!("select {number}");
        engine.command(&["-q", "psql", "-Atc", &query]).limit(4 * AMPLE).start()
    };
    let running: Vec<_> = (0..8).map(start).collect();
    for (number, started) in running.into_iter().enumerate() {
        started.wait().status(0).stdout(&format!("{number}\n")).stderr("");
    }
    assert_eq!(engine.layers().len(), 1);
    engine.assert_nothing_left();
}

/// `PG_EPHEMERAL_TEST_BOOTS` sets the number of servers. The default is 10, because 100 take minutes on a busy machine.
pub fn many_servers_one_after_the_other_leave_nothing(program: &'static str) {
    let engine = Engine::new(program);
    engine.warm_up();
    let rounds = std::env::var("PG_EPHEMERAL_TEST_BOOTS").map_or(10, |rounds| rounds.parse().unwrap());
    for round in 0..rounds {
        let query = format!("select {round}");
        engine.command(&["host", "psql", "-Atc", &query]).run().status(0).stdout(&format!("{round}\n")).stderr("");
    }
    engine.assert_nothing_left();
}
