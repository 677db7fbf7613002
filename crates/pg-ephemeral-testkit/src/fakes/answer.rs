//! How an engine command goes on: with a reply, or with something that is not a plain answer.

use ociman::command::CommandLine;

use super::machine::Machine;
use super::process::Processes;
use super::reply::Reply;

/// How an engine command goes on.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It says this and ends.
    Reply(Reply),
    /// It hands its streams to a process of this machine, which is one of this container, and ends as that does.
    Exec(Box<Exec>),
    /// It says nothing and never ends.
    Hang,
    /// A signal ends it before it has said anything.
    Killed,
}

/// A process in a container that has the streams of an engine command.
#[derive(Debug)]
pub(crate) struct Exec {
    pub(crate) line: CommandLine,
    /// Whether it gets the standard input of the command.
    pub(crate) interactive: bool,
    /// Where the container's processes are written down.
    pub(crate) processes: Processes,
    /// Its container, when it is the first process there.
    pub(crate) first_of: Option<Attached>,
}

/// A container that lives as long as its first process, which has the streams of the engine command that started it.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) machine: Machine,
    pub(crate) id: String,
    /// Whether it goes with its process.
    pub(crate) is_passing: bool,
}

impl Attached {
    /// Takes in that the process has ended.
    pub(crate) fn ended(&self, status: i32) -> std::io::Result<()> {
        self.machine.processes(&self.id).ended(status)?;
        if self.is_passing { self.machine.discard(&self.id) } else { Ok(()) }
    }
}
