//! Tests of the program `fake-engine`, which answers as the in-memory fake does and keeps its state in a folder.

use std::time::Duration;

use pg_ephemeral_testkit::{Project, ProjectCommand, project, wait_until};

const PROGRAM: &str = env!("CARGO_BIN_EXE_fake-engine");
const AMPLE: Duration = Duration::from_secs(20);
const IMAGE: &str = "docker.io/library/postgres:17";
const SCENARIO: &str = r#"
[[images]]
name = "docker.io/library/postgres:17"
variables = { PG_MAJOR = "17" }
programs = { psql = { answer = { stdout = "1\n", status = 0 } }, postgres = "idle" }

[[containers]]
name = "left-over"
image = "docker.io/library/postgres:17"
life = { exited = 137 }

[[failures]]
operation = "tag"
failure = { exit = { status = 7, stderr = "out of luck\n" } }
on-call = 2

[[failures]]
operation = "start"
failure = "killed-midway"

[[failures]]
operation = "images"
failure = "engine-down"
"#;

fn with(engine: &str) -> Project {
    project(PROGRAM).scenario(SCENARIO).fake_engine(engine, PROGRAM)
}

fn command<'a>(project: &'a Project, engine: &str, line: &str) -> ProjectCommand<'a> {
    command_with(project, engine, line, &[])
}

/// Returns the command of a line that is split at spaces, with `more` arguments that may contain spaces.
fn command_with<'a>(project: &'a Project, engine: &str, line: &str, more: &[&str]) -> ProjectCommand<'a> {
    // The program imitates the engine by whose name it is called, which is the name of the link.
    let link = project.root().join("programs").join(engine);
    project.command(line.split(' ').chain(more.iter().copied())).program(link)
}

#[test]
fn a_container_keeps_running_between_commands() {
    let project = with("podman");
    let podman = |line: &str| command(&project, "podman", line);
    let run = format!("run --detach --pull never --name a {IMAGE} sh -c");
    command_with(&project, "podman", &run, &["echo hello; sleep 60"]).run().status(0).stdout("[HASH]\n").stderr("");
    command_with(&project, "podman", "exec a sh -c", &["echo here; exit 5"]).run().status(5).stdout("here\n");
    podman("exec --interactive a cat").input("input").run().stdout("input");
    wait_until("the log has its line", AMPLE, || podman("logs a").run().stdout_text() == "hello\n");
    podman("container inspect a --format {{.State.Status}}").run().stdout("running\n");
    podman("rm a").run().status(2).stderr("Error: cannot remove container [HASH] as it is running - [..]\n");
    podman("rm --force --time 0 a").run().status(0).stdout("a\n");
    podman("container inspect a")
        .run()
        .status(125)
        .stdout("[]\n")
        .stderr("Error: inspecting object: no such container a\n");
}

#[test]
fn a_stopped_container_reports_its_status() {
    let project = with("docker");
    let docker = |line: &str| command(&project, "docker", line);
    command_with(&project, "docker", &format!("run -d --name a {IMAGE} sh -c"), &["exit 3"]).run().stdout("[HASH]\n");
    docker("wait a").run().stdout("3\n");
    docker("ps --all --format {{.Names}}={{.State}}").run().stdout("a=exited\nleft-over=exited\n");
    docker("container inspect --format {{.State.ExitCode}} a left-over").run().stdout("3\n137\n");
}

#[test]
fn one_of_eight_programs_at_once_gets_a_name() {
    let project = with("docker");
    let line = format!("run -d --name a {IMAGE} sleep 60");
    let started: Vec<_> = (0..8).map(|_| command(&project, "docker", &line).start()).collect();
    let mut codes: Vec<i32> = started.into_iter().map(|started| started.wait().code()).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 125, 125, 125, 125, 125, 125, 125]);
}

#[test]
fn containers_are_removed_with_their_project() {
    let project = with("docker");
    command(&project, "docker", &format!("run -d --name a {IMAGE} sleep 4711")).run().status(0);
    assert!(!project.processes().is_empty());
    let root = project.root().to_owned();
    drop(project);
    assert!(!root.exists());
}

#[test]
fn concurrent_first_commands_all_see_the_complete_scenario() {
    for _ in 0..5 {
        let project = with("podman");
        let inspect = || command(&project, "podman", &format!("image inspect {IMAGE}")).start();
        let commands: Vec<_> = (0..8).map(|_| inspect()).collect();
        for command in commands {
            command.wait().status(0);
        }
    }
}

#[test]
fn programs_of_an_image_do_what_the_scenario_says() {
    let project = with("podman");
    let podman = |line: &str| command(&project, "podman", line);
    podman(&format!("run -d --name a {IMAGE} postgres -c fsync=off")).run().stdout("[HASH]\n");
    command_with(&project, "podman", "exec a psql -c", &["select 1"]).run().stdout("1\n");
    podman("stop a").run().stdout("a\n");
    podman("rm a").run().stdout("a\n");
}

#[test]
fn failures_happen_on_the_call_that_the_scenario_names() {
    let project = with("docker");
    let docker = |line: &str| command(&project, "docker", line);
    docker(&format!("tag {IMAGE} x/y:1")).run().status(0);
    docker(&format!("tag {IMAGE} x/y:2")).run().status(7).stderr("out of luck\n");
    docker(&format!("tag {IMAGE} x/y:3")).run().status(0);
    docker("images")
        .run()
        .status(1)
        .stderr("Cannot connect to the Docker daemon at [..]. Is the docker daemon running?\n");
    assert_eq!(docker("start left-over").run().code(), 137);
}

#[test]
fn every_command_is_recorded() {
    let project = with("podman");
    command(&project, "podman", "ps --all").run().status(0);
    command(&project, "podman", "image inspect nope").run().status(125);
    assert_eq!(project.engine_journal("podman"), "podman ps --all\npodman image inspect nope\n");
    assert_eq!(project.engine_journal("docker"), "");
}

#[test]
fn an_invalid_scenario_is_reported_with_its_cause() {
    let scenario = "[[failures]]\noperation = \"fly\"\nfailure = \"hang\"\n";
    let project = project(PROGRAM).scenario(scenario).fake_engine("docker", PROGRAM);
    command(&project, "docker", "ps").run().status(125).stderr(
        "fake-engine: scenario [ROOT]/scenario.toml: failure 1\ncaused by: \"fly\" is not an operation of an engine\n",
    );
}

#[test]
fn a_program_with_another_name_is_refused() {
    let project = with("nerdctl");
    let ran = command(&project, "nerdctl", "ps").run();
    ran.status(125).stderr("fake-engine: [..] is not called docker or podman\n");
}
