//! Programs of this machine that run for the caller.

use std::path::Path;

use ociman::System;
use ociman::command::{CommandLine, Executor, Orphaning, ProcessError, ProcessGroup, Stream};
use rustix::io::Errno;
use rustix::process::{Signal, kill_process};

use super::child::{CommandEnd, outcome, wait};
use super::group::GroupWitness;
use super::signals::{Event, Sender, Signals};
use crate::output::{FAILED_AROUND, Failure, NOT_EXECUTABLE, NOT_FOUND};

/// Runs a program of this machine on the caller's streams and in the caller's process group, and returns its exit
/// status.
pub(crate) async fn run_here(mut line: CommandLine, interactive: bool, signals: &mut Signals) -> Result<u8, Failure> {
    line = line.streams(Stream::Inherit, Stream::Inherit, Stream::Inherit);
    line.group = ProcessGroup::Caller;
    line.orphaning = Orphaning::KilledWithDescendants;
    // The witness starts before the program, because a signal may arrive as soon as the program runs.
    let mut witness = GroupWitness::start();
    let process = match System.spawn(line).await {
        Ok(process) => process,
        Err(error) => return refused(error),
    };
    let pass_on = |pid, event: Event| {
        // The child has already received a signal that went to the whole group. Signals from the terminal always do.
        let has_got_it = event.sender == Sender::Terminal || witness.has_got(event.number);
        if let (false, Some(signal)) = (has_got_it, Signal::from_named_raw(event.number)) {
            // The child may have just ended.
            let _ = kill_process(pid, signal);
        }
    };
    let status = wait(process, interactive, signals, pass_on).await?.status;
    outcome(CommandEnd { status, was_interrupted: signals.was_interrupted() })
}

/// Prints why a command could not be started and returns an exit status that tells the reason, as a shell does.
fn refused(error: ProcessError) -> Result<u8, Failure> {
    let status = match &error {
        ProcessError::ProgramNotFound { .. } => NOT_FOUND,
        ProcessError::Spawn { source, .. } if !is_shortage(source) => NOT_EXECUTABLE,
        _ => FAILED_AROUND,
    };
    match &error {
        ProcessError::ProgramNotFound { program } if Path::new(program).is_file() => {
            Failure::with_hint(error, "the file is there: the interpreter that its first line names is not")
        }
        _ => Failure::new(error),
    }
    .print();
    Ok(status)
}

/// Returns `true` if the system currently lacks the resources to start any program.
fn is_shortage(error: &std::io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE))
}
