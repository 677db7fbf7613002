//! Commands in a running container: their outputs, exit status, arguments, working folder and user.

use std::sync::Arc;

use ociman::{ContainerState, ExecSpec, Kind};

use super::expect::{Outcome, equal, one_of, text};
use super::stage::{ENTER, Stage};

/// Arguments that could be changed on their way from the caller to the process, for example by a shell.
pub(super) const UNUSUAL: [&str; 16] = [
    "",
    "a b",
    "  ",
    "*",
    "$HOME",
    "it's",
    "\"quoted\"",
    "back\\slash\\",
    "two\nlines\n",
    "\ttab",
    "zażółć 🦀",
    "-x",
    "--",
    "KEY=VALUE",
    "{{.ID}}",
    ";|&<>()`!#~%",
];

/// A script that prints each of its arguments in brackets.
pub(super) const PRINT: &str = r#"for word in "$@"; do printf '[%s]' "$word"; done"#;

/// Returns the output of [`PRINT`] with the arguments [`UNUSUAL`].
pub(super) fn printed() -> String {
    UNUSUAL.iter().map(|word| format!("[{word}]")).collect()
}

pub(super) async fn a_command_gives_both_of_its_outputs(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    let output = container.exec(&ExecSpec::new(["sh", "-c", "echo out; echo err >&2"]), b"").await?;
    text("standard output", &output.stdout, "out\n")?;
    text("standard error", &output.stderr, "err\n")
}

pub(super) async fn a_command_gives_its_exit_status(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    for code in [0, 1, 2, 42, 125, 126, 127, 255] {
        let output = container.exec(&ExecSpec::new(["sh", "-c", &format!("exit {code}")]), b"").await?;
        equal("status", output.status.code(), code)?;
    }
    Ok(())
}

pub(super) async fn a_command_ended_by_a_signal_gives_128_and_its_number(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    for (signal, code) in [("TERM", 143), ("KILL", 137), ("USR1", 138)] {
        let output = container.exec(&ExecSpec::new(["sh", "-c", &format!("kill -{signal} $$")]), b"").await?;
        equal("status", output.status.code(), code)?;
    }
    Ok(())
}

pub(super) async fn a_missing_program_ends_with_127_or_126(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    let permitted: &[i32] = match stage.kind() {
        Kind::Docker => &[126, 127],
        Kind::Podman | Kind::Host => &[127],
    };
    for program in ["no-such-program", "/no/such/program"] {
        let output = container.exec(&ExecSpec::new([program, "argument"]), b"").await?;
        one_of("status", &output.status.code(), permitted)?;
    }
    Ok(())
}

pub(super) async fn a_file_that_is_not_executable_ends_with_126(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    for program in ["/etc/passwd", "/etc"] {
        let output = container.exec(&ExecSpec::new([program]), b"").await?;
        equal("status", output.status.code(), 126)?;
    }
    Ok(())
}

pub(super) async fn empty_arguments_arrive(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    let output = container.exec(&ExecSpec::new(["sh", "-c", PRINT, "sh", "", "x", ""]), b"").await?;
    text("arguments", &output.stdout, "[][x][]")
}

pub(super) async fn arguments_arrive_as_they_were_given(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    let command = ["sh", "-c", PRINT, "sh"].into_iter().chain(UNUSUAL);
    let output = container.exec(&ExecSpec::new(command), b"").await?;
    text("arguments", &output.stdout, &printed())
}

pub(super) async fn a_command_runs_in_the_folder_asked_for(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    let folder = stage.shell(&container, &format!("{ENTER}; mkdir -p 'a folder'; cd 'a folder'; pwd -P")).await?;
    let folder = folder.trim_end();
    // The host backend takes paths of this machine, and engines take paths of the container.
    let asked = match stage.kind() {
        Kind::Docker | Kind::Podman => "/a folder",
        Kind::Host => folder,
    };
    let output = container.exec(&ExecSpec::new(["sh", "-c", "pwd -P"]).folder(asked), b"").await?;
    text("folder", &output.stdout, &format!("{folder}\n"))
}

pub(super) async fn a_command_runs_as_the_user_asked_for(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    let own = stage.shell(&container, "id -u").await?;
    if own != "0\n" {
        // Only root may change to another user.
        let output = container.exec(&ExecSpec::new(["id", "-u"]).user(own.trim_end()), b"").await?;
        return text("user", &output.stdout, &own);
    }
    let output = container.exec(&ExecSpec::new(["sh", "-c", "id -u; id -g"]).user("65534:65534"), b"").await?;
    text("user and group", &output.stdout, "65534\n65534\n")
}

pub(super) async fn engine_error_texts_printed_by_a_command_are_not_engine_errors(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    let words = [
        "ERROR:  address already in use",
        "Error: no such container",
        "error: the container name \"x\" is taken, container state improper",
        "psql: error: no such object",
    ];
    for words in words {
        let script = "echo \"$1\" >&2; exit 3";
        let output = container.exec(&ExecSpec::new(["sh", "-c", script, "sh", words]), b"").await?;
        equal("status", output.status.code(), 3)?;
        text("standard error", &output.stderr, &format!("{words}\n"))?;
    }
    Ok(())
}

pub(super) async fn a_failing_command_leaves_the_container_running(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    container.exec(&ExecSpec::new(["sh", "-c", "kill -9 $$"]), b"").await?;
    equal("state", container.inspect().await?.state, ContainerState::Running)
}
