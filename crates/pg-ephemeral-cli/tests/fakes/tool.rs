//! Tests of `bin` on fake engines: its streams, its exit status, the variables it passes on, and that it leaves
//! nothing.

use crate::support::AMPLE;
use crate::support::fakes::fake;
use pg_ephemeral_testkit::{Project, ProjectCommand, wait_until};
use rustix::process::Signal;

const ENGINES: [&str; 2] = ["docker", "podman"];

fn bin<'a>(project: &'a Project, engine: &str, words: &[&str]) -> ProjectCommand<'a> {
    project.command(["--backend", engine, "--image", "17", "bin", "--"].iter().chain(words))
}

fn containers(project: &Project, engine: &str) -> String {
    let link = project.root().join("programs").join(engine);
    let listed = project.command(["ps", "--all", "--format", "{{.Names}}"]).program(link).run();
    listed.status(0).stderr("");
    listed.stdout_text()
}

#[track_caller]
fn assert_nothing_left(project: &Project, engine: &str) {
    assert_eq!(containers(project, engine), "");
    project.assert_nothing_left();
}

#[test]
fn a_tool_gets_the_callers_pg_variables_and_no_engine_argument_contains_the_password() {
    for engine in ENGINES {
        let project = fake(engine, &[]);
        let script = "echo $PGHOST/$PGAPPNAME/$OTHER; echo $PGPASSWORD | tr a-z A-Z; pwd -P";
        let command = bin(&project, engine, &["sh", "-c", script]).variable("PGHOST", "db.example.com");
        let command = command.variable("PGAPPNAME", "a b").variable("OTHER", "no").variable("PGPASSWORD", "hunter");
        command.run().status(0).stdout("db.example.com/a b/\nHUNTER\n[ROOT]/work\n").stderr("");
        let journal = project.engine_journal(engine);
        assert!(journal.contains(" run --rm ") && !journal.contains("hunter"), "{journal}");
        assert_nothing_left(&project, engine);
    }
}

#[test]
fn a_tool_passes_every_byte_through_and_its_status_is_the_exit_status() {
    for engine in ENGINES {
        let project = fake(engine, &[]);
        let bytes: Vec<u8> = (0..=255).cycle().take(1_000_000).collect();
        let through = bin(&project, engine, &["cat"]).input(bytes.clone()).run();
        through.status(0).stderr("");
        assert!(through.stdout_bytes() == bytes, "other bytes came out than went in");
        let status = |words: &[&str]| bin(&project, engine, words).run();
        status(&["sh", "-c", "echo out; echo err >&2; exit 42"]).status(42).stdout("out\n").stderr("err\n");
        status(&["sh", "-c", "exit 125"]).status(125).stdout("").stderr("");
        status(&["sh", "-c", "kill -9 $$"]).status(137).stdout("").stderr("");
        status(&["nosuch"]).status(127).stdout("").stderr("error: no program \"nosuch\" in the image\n");
        let refused = status(&["/etc"]);
        refused
            .status(126)
            .stdout("")
            .stderr("error: failed to start \"/etc\"\ncaused by: Permission denied (os error 13)\n");
        project.write("new", "");
        status(&["sh", "-c", "rm new && echo written >file"]).status(0).stdout("").stderr("");
        assert_eq!(std::fs::read_to_string(project.folder().join("file")).unwrap(), "written\n");
        assert_nothing_left(&project, engine);
    }
}

#[test]
fn a_tool_handles_a_signal_itself() {
    for engine in ENGINES {
        let project = fake(engine, &[]);
        let script = "trap 'echo handled; exit 7' TERM; echo ready; while :; do sleep 0.1; done";
        let mut started = bin(&project, engine, &["sh", "-c", script]).start();
        started.wait_for("ready");
        started.signal(Signal::TERM);
        started.wait().status(7).stdout("ready\nhandled\n").stderr("");
        assert_nothing_left(&project, engine);
    }
}

#[test]
fn gc_removes_the_container_of_a_killed_tool() {
    for engine in ENGINES {
        let project = fake(engine, &[]);
        let mut started = bin(&project, engine, &["sh", "-c", "echo ready; exec sleep 1000"]).start();
        started.wait_for("ready");
        started.signal(Signal::KILL);
        assert_eq!(started.wait().code(), 137);
        // A killed process may take a moment to disappear.
        wait_until("gc removes it", AMPLE, || {
            project.command(["--backend", engine, "gc"]).run().status(0);
            containers(&project, engine).is_empty() && project.processes().is_empty()
        });
        assert_nothing_left(&project, engine);
    }
}
