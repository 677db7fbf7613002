//! Standard streams of commands in a container: empty, small and large ones, written at once or line by line.

use std::sync::Arc;

use ociman::command::{Process, communicate};
use ociman::{ContainerState, ExecSpec};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::expect::{Outcome, equal, holds, some, text};
use super::stage::Stage;

const TEN_MEGABYTES: usize = 10 * 1024 * 1024;

/// Returns pseudo-random bytes.
fn binary(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(length).collect()
}

pub(super) async fn a_command_without_input_reads_end_of_file_at_once(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    let output = container.exec(&ExecSpec::new(["cat"]), b"").await?;
    equal("status and output", (output.status.code(), output.stdout), (0, Vec::new()))
}

pub(super) async fn a_command_reads_its_input_to_the_end(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    let output = container.exec(&ExecSpec::new(["sh", "-c", "cat; echo end"]), b"one\ntwo").await?;
    text("output", &output.stdout, "one\ntwoend\n")
}

pub(super) async fn ten_megabytes_of_binary_input_come_back_unchanged(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    let input = binary(TEN_MEGABYTES);
    let output = container.exec(&ExecSpec::new(["cat"]), &input).await?;
    equal("status", output.status.code(), 0)?;
    holds("the bytes are the same", output.stdout == input, &output.stdout.len())
}

pub(super) async fn ten_megabytes_of_output_arrive_whole(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    let output = container.exec(&ExecSpec::new(["head", "-c", &TEN_MEGABYTES.to_string(), "/dev/zero"]), b"").await?;
    equal("length", output.stdout.len(), TEN_MEGABYTES)
}

pub(super) async fn ten_megabytes_on_both_outputs_at_once_arrive_whole(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    let script = format!("head -c {TEN_MEGABYTES} /dev/zero >&2 & head -c {TEN_MEGABYTES} /dev/zero; wait");
    let output = container.exec(&ExecSpec::new(["sh", "-c", &script]), b"").await?;
    equal("lengths", (output.stdout.len(), output.stderr.len()), (TEN_MEGABYTES, TEN_MEGABYTES))
}

pub(super) async fn a_command_that_reads_no_input_ends_by_itself(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    let output = container.exec(&ExecSpec::new(["sh", "-c", "exit 6"]), &binary(TEN_MEGABYTES)).await?;
    equal("status", output.status.code(), 6)
}

pub(super) async fn a_command_that_reads_some_of_its_input_ends_by_itself(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    // At most one write: if podman 4.3 can't deliver all input, it loses the output.
    let input = [b"abcdef".to_vec(), binary(4096 - 6)].concat();
    let output = container.exec(&ExecSpec::new(["head", "-c", "3"]), &input).await?;
    equal("status", output.status.code(), 0)?;
    text("output", &output.stdout, "abc")
}

/// A script that answers each line of input until it reads `quit`.
const ANSWER: &str = "while read -r line; do echo \"got $line\"; [ \"$line\" = quit ] && exit 9; done; echo end";

/// Reads one line byte by byte, so that it consumes nothing after the line.
async fn line(process: &mut Process) -> Outcome<String> {
    let stdout = some("standard output", process.stdout.as_mut())?;
    let mut line = Vec::new();
    loop {
        match stdout.read_u8().await? {
            b'\n' => return Ok(String::from_utf8_lossy(&line).into_owned()),
            byte => line.push(byte),
        }
    }
}

async fn say(process: &mut Process, text: &str) -> Outcome {
    let stdin = some("standard input", process.stdin.as_mut())?;
    stdin.write_all(text.as_bytes()).await?;
    stdin.flush().await?;
    Ok(())
}

pub(super) async fn a_streamed_command_answers_each_line_of_input(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    let mut process = container.exec_streamed(&ExecSpec::new(["sh", "-c", ANSWER])).await?;
    for word in ["one", "two"] {
        say(&mut process, &format!("{word}\n")).await?;
        equal("answer", line(&mut process).await?, format!("got {word}"))?;
    }
    say(&mut process, "quit\n").await?;
    equal("answer", line(&mut process).await?, "got quit".to_owned())?;
    equal("status", process.exit.await?.code(), 9)
}

pub(super) async fn a_streamed_command_gives_its_exit_status(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    for code in [0, 1, 42, 127] {
        let script = format!("echo out; echo err >&2; exit {code}");
        let process = container.exec_streamed(&ExecSpec::new(["sh", "-c", &script])).await?;
        let output = communicate(process, b"").await?;
        equal("status", output.status.code(), code)?;
        text("standard output", &output.stdout, "out\n")?;
        text("standard error", &output.stderr, "err\n")?;
    }
    Ok(())
}

pub(super) async fn a_streamed_command_reads_end_of_file_when_its_input_is_closed(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    let process = container.exec_streamed(&ExecSpec::new(["sh", "-c", ANSWER])).await?;
    let output = communicate(process, b"one\n").await?;
    text("output", &output.stdout, "got one\nend\n")
}

pub(super) async fn a_dropped_streamed_command_leaves_the_container_running(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    let mut process = container.exec_streamed(&ExecSpec::new(["sh", "-c", ANSWER])).await?;
    say(&mut process, "one\n").await?;
    line(&mut process).await?;
    drop(process);
    equal("a second command", stage.shell(&container, "echo here").await?.as_str(), "here\n")?;
    equal("state", container.inspect().await?.state, ContainerState::Running)
}
