//! Waits for a program that runs for the caller, and derives this process's exit status from the program's.

use ociman::command::{ExitStatus, Process};
use ociman::kill_tree;
use rustix::process::Pid;
use signal_hook::consts::SIGINT;

use super::signals::{Event, Sender, Signals};
use crate::output::Failure;

/// How a user's command ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CommandEnd {
    pub(crate) status: ExitStatus,
    /// Whether SIGINT arrived while the command ran.
    pub(crate) was_interrupted: bool,
}

/// Returns the exit status of this process after a command.
///
/// # Errors
///
/// Returns [`Failure::Interrupted`] if SIGINT ended the command, so that this process ends by SIGINT as well.
pub(crate) fn outcome(end: CommandEnd) -> Result<u8, Failure> {
    let status = u8::try_from(end.status.code()).unwrap_or(u8::MAX);
    if end.was_interrupted && status == INTERRUPTED {
        return Err(Failure::Interrupted { signal: SIGINT });
    }
    Ok(status)
}

/// The status of a program that SIGINT killed. A program that handles SIGINT may exit with this status too.
const INTERRUPTED: u8 = 130;

/// How a child process ended, and the first signal that arrived while it ran.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) signal: Option<Event>,
    pub(crate) by: EndedBy,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndedBy {
    Itself,
    Us,
}

/// Waits for a child process. The first signal is passed on, so that the child can handle it; the second kills the
/// child and all its descendants. If `interactive` is `true`, a SIGINT from the terminal is ignored, because the child
/// handles Ctrl-C itself.
pub(crate) async fn wait(
    mut process: Process,
    interactive: bool,
    signals: &mut Signals,
    mut pass_on: impl FnMut(Pid, Event),
) -> Result<Ended, Failure> {
    let pid = process.id.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let mut first = None;
    let mut by = EndedBy::Itself;
    loop {
        let event = tokio::select! {
            biased;
            ended = &mut process.exit => {
                let status = ended.map_err(Failure::new)?;
                return Ok(Ended { status, signal: first, by });
            }
            event = signals.next() => event,
        };
        if interactive && event.sender == Sender::Terminal && event.number == SIGINT {
            continue;
        }
        let is_first = first.is_none();
        first.get_or_insert(event);
        let Some(pid) = pid else { continue };
        if is_first {
            pass_on(pid, event);
        } else {
            by = EndedBy::Us;
            kill_tree(pid.as_raw_pid().unsigned_abs());
        }
    }
}
