//! Test cases for `bin` that hold on both Docker and Podman.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use pg_ephemeral_testkit::wait_until;
use rustix::process::Signal;

use super::AMPLE;
use super::engine::Engine;

/// The server runs on the host backend, which is reached on this machine's loopback address with any engine.
pub fn a_tool_of_the_image_sees_the_working_folder_and_reaches_a_server_on_the_loopback(program: &'static str) {
    let engine = Engine::cold(program);
    let (path, notes) = engine.noting();
    let folder = engine.project.folder().join("it's ü, a \"b\"");
    let elsewhere = engine.project.root().join("cache/passwords");
    engine.project.write(folder.join("query.sql"), "select 'from ' || current_user;\n");
    // The password is in a file outside the working folder, which only `PGPASSFILE` names.
    let script = format!(
        "echo \"*:*:*:*:$PGPASSWORD\" >{passwords} && chmod 600 {passwords} && unset PGPASSWORD && \
         PGPASSFILE={passwords} exec {binary} --backend {program} --instance {instance} bin -- psql -At -f query.sql -o result",
        passwords = elsewhere.display(),
        binary = engine.project.binary().display(),
        instance = engine.instance(),
    );
    let server = ["--backend", "host", "--no-config-file", "-q", "run-env", "--", "sh", "-c", &script];
    let ran = engine.project.command(server).folder(&folder).variable("PATH", &path).run();
    ran.status(0).stdout("").stderr("");
    assert_eq!(fs::read_to_string(folder.join("result")).unwrap(), "from postgres\n");
    let result = fs::metadata(folder.join("result")).unwrap();
    assert_eq!(result.uid(), rustix::process::geteuid().as_raw());
    let asked = fs::read_to_string(&notes).unwrap();
    assert_eq!(asked.lines().filter(|line| line.starts_with("run ")).collect::<Vec<_>>(), ["run --rm"], "{asked}");
    assert!(asked.lines().count() <= 3 && engine.layers().is_empty(), "more than look-ups and the run:\n{asked}");
    engine.assert_nothing_left();
}

pub fn a_tool_passes_every_byte_through_and_its_status_is_the_exit_status(program: &'static str) {
    let engine = Engine::new(program);
    let (binary, instance) = (engine.project.binary().display(), engine.instance());
    let version = format!("{binary} --backend {program} --instance {instance} bin -- pg_dump --version | cat");
    let piped = engine.project.command(["-c", &version]).program("/bin/sh").run();
    piped.status(0).stdout("pg_dump (PostgreSQL) 15.[..]\n").stderr("");
    let bytes: Vec<u8> = (0..=255).cycle().take(8_000_000).collect();
    let through = engine.command(&["bin", "cat"]).input(bytes.clone()).run();
    through.status(0).stderr("");
    assert!(through.stdout_bytes() == bytes, "other bytes came out than went in");
    let status = |words: &[&str]| engine.command(&[&["bin", "--"], words].concat()).run();
    status(&["sh", "-c", "echo out; echo err >&2; exit 42"]).status(42).stdout("out\n").stderr("err\n");
    status(&["sh", "-c", "exit 125"]).status(125).stdout("").stderr("");
    status(&["sh", "-c", "kill -9 $$"]).status(137).stdout("").stderr("");
    status(&["nosuch"]).status(127).stdout("").stderr("error: no program \"nosuch\" in the image\n");
    status(&["/etc"])
        .status(126)
        .stdout("")
        .stderr("error: failed to start \"/etc\"\ncaused by: Permission denied (os error 13)\n");
    engine.assert_nothing_left();
}

pub fn a_tool_handles_a_signal_itself_and_leaves_nothing(program: &'static str) {
    let engine = Engine::new(program);
    let script = "trap 'echo handled; exit 7' TERM; echo ready; while :; do sleep 0.1; done";
    let mut started = engine.command(&["bin", "--", "sh", "-c", script]).start();
    started.wait_for("ready");
    started.signal(Signal::TERM);
    started.wait().status(7).stdout("ready\nhandled\n").stderr("");
    engine.assert_nothing_left();
    // A tool that continues after the first signal is killed by the second.
    let script = "trap 'echo noted' INT; echo ready; while :; do sleep 0.1; done";
    let mut started = engine.command(&["bin", "--", "sh", "-c", script]).start();
    started.wait_for("ready");
    started.signal(Signal::INT);
    started.wait_for("noted");
    started.signal(Signal::INT);
    let ran = started.wait();
    ran.stdout("ready\nnoted\n").stderr("");
    assert_eq!(ran.exit_status().signal(), Some(Signal::INT.as_raw()), "{ran:?}");
    engine.assert_nothing_left();
    // This signal arrives so early that there may be no container yet.
    let started = engine.command(&["bin", "sleep", "1000"]).start();
    let records = engine.project.state().join("pg-ephemeral/servers");
    wait_until("the engine is asked", AMPLE, || {
        fs::read_dir(&records)
            .is_ok_and(|mut records| records.any(|record| record.is_ok_and(|record| !is_draft(&record))))
    });
    started.signal(Signal::TERM);
    started.wait().status(143).stdout("").stderr("");
    engine.assert_nothing_left();
}

pub fn a_tool_has_the_terminal(program: &'static str) {
    let engine = Engine::new(program);
    let script = r#"test -t 0 && test -t 1 && echo "$((1 + 1)) are" && read -r line && echo "read $line" && tty -s"#;
    let terminal = engine.terminal(&format!("bin -- sh -c '{script}'"));
    // Keys that are typed before the engine has taken over the terminal are lost.
    terminal.wait_for("the tool's first words", |screen| screen.contains("2 are"));
    terminal.enter("a line");
    terminal.wait_for("the answer", |screen| screen.contains("read a line"));
    let screen = terminal.wait_for_status(0);
    assert!(!screen.contains("look up"), "the spinner goes on: {screen}");
    drop(terminal);
    engine.assert_nothing_left();
}

pub fn gc_removes_what_a_killed_tool_left(program: &'static str) {
    let engine = Engine::new(program);
    let secret = "a-password-to-be-seen-nowhere";
    let command = engine.command(&["bin", "--", "sh", "-c", "echo $PGPASSWORD | tr a-z A-Z; exec sleep 1000"]);
    let mut started = command.variable("PGPASSWORD", secret).start();
    started.wait_for("A-PASSWORD");
    let all = Command::new("ps").args(["-eo", "args"]).output().expect("there is a program ps");
    assert!(!String::from_utf8_lossy(&all.stdout).contains(secret), "a password is an argument");
    started.signal(Signal::KILL);
    assert_eq!(started.wait().code(), 137);
    engine.gc();
    engine.assert_nothing_left();
}

fn is_draft(record: &fs::DirEntry) -> bool {
    record.file_name().to_string_lossy().starts_with('.')
}
