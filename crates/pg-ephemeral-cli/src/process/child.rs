//! Waiting for a program that runs for the caller, and the exit status that follows from its end.

use ociman::command::{ExitStatus, Process};
use ociman::kill_tree;
use rustix::process::Pid;
use signal_hook::consts::SIGINT;

use super::signals::{Event, Sender, Signals};
use crate::output::Failure;

/// How a command ended that ran for the user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CommandEnd {
    pub(crate) status: ExitStatus,
    /// Whether SIGINT came while it ran.
    pub(crate) was_interrupted: bool,
}

/// The exit status of this process after a command. A command that SIGINT has ended ends this process by SIGINT as well.
pub(crate) fn outcome(end: CommandEnd) -> Result<u8, Failure> {
    let status = u8::try_from(end.status.code()).unwrap_or(u8::MAX);
    if end.was_interrupted && status == INTERRUPTED {
        return Err(Failure::Interrupted { signal: SIGINT });
    }
    Ok(status)
}

/// The status of a program that died of SIGINT, and of one that got it and says so by its exit status.
const INTERRUPTED: u8 = 130;

/// How a child ended, and the first signal that came while it ran.
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

/// Waits for a child. The first signal is passed on, so that it can finish its own handling; the second kills it and
/// all it has started.
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
