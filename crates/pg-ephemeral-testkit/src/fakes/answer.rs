//! [`Answer`]: the outcome of an engine command, which is a reply, a process, or no output at all.

use ociman::command::CommandLine;

use super::machine::Machine;
use super::process::Processes;
use super::reply::Reply;

/// The outcome of an engine command.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The command prints this and ends.
    Reply(Reply),
    /// The command passes its streams to a process of a container, and ends with the status of that process.
    Exec(Box<Exec>),
    /// The command prints nothing and never ends.
    Hang,
    /// A signal ends the command before it prints anything.
    Killed,
}

/// A process in a container that has the streams of an engine command.
#[derive(Debug)]
pub(crate) struct Exec {
    pub(crate) line: CommandLine,
    /// `true` if the process reads the standard input of the command.
    pub(crate) interactive: bool,
    /// The records of the container's processes.
    pub(crate) processes: Processes,
    /// The container, if the process is the container's first process.
    pub(crate) first_of: Option<Attached>,
}

/// An attached container: its first process has the streams of the engine command that started it.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) machine: Machine,
    pub(crate) id: String,
    /// `true` if the container is removed when its process ends (`--rm`).
    pub(crate) is_passing: bool,
}

impl Attached {
    /// Records that the process has ended, and removes the container if it was started with `--rm`.
    pub(crate) fn ended(&self, status: i32) -> std::io::Result<()> {
        self.machine.processes(&self.id).ended(status)?;
        if self.is_passing { self.machine.discard(&self.id) } else { Ok(()) }
    }
}
