//! Commands that return their output, and that return an error with their standard error if they fail.

use std::ffi::OsStr;
use std::process::{ExitStatus, Stdio};

use tokio::process::Command;

use super::Failure;

/// Returns a command that is killed if its future is dropped.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs a command and returns its trimmed standard output.
pub(crate) async fn output(mut command: Command) -> Result<String, Failure> {
    let shown = shown(&command);
    let output = command.output().await.map_err(|error| format!("{shown}: {error}"))?;
    succeeded(&shown, output.status, &output.stderr)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn shown(command: &Command) -> String {
    let command = command.as_std();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

fn succeeded(command: &str, status: ExitStatus, printed: &[u8]) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    Err(format!("{command}: {status}: {}", String::from_utf8_lossy(printed).trim()).into())
}
