//! [`Failure`]: a fault that is injected into a call of an operation.

use serde::{Deserialize, Serialize};

use super::operation::Operation;

/// A fault that a fake engine injects into a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Failure {
    /// The name of the new container is taken by another one.
    NameTaken,
    /// The engine does not answer.
    EngineDown,
    /// The command does nothing and ends with this status and this standard error.
    Exit {
        /// The exit status.
        status: i32,
        /// The standard error. Empty by default.
        #[serde(default)]
        stderr: String,
    },
    /// The command succeeds but prints invalid output.
    Garbage,
    /// The command is carried out, but its output ends in the middle.
    TruncatedJson,
    /// The command does nothing and never ends. A query ends at its time limit.
    Hang,
    /// The command is carried out, but a signal ends it before it prints anything.
    KilledMidway,
    /// The images that the command names disappear just before the command is carried out.
    ImageVanished,
    /// There is no space left on the engine's disk.
    DiskFull,
}

/// The calls of an operation that fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Calls {
    /// The nth call, counted from 1.
    Nth(usize),
    Every,
}

/// A planned failure: which calls of which operation fail, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fault {
    /// The name of the operation.
    pub(super) operation: String,
    pub(super) failure: Failure,
    pub(super) calls: Calls,
}

impl Fault {
    pub(super) fn concerns(&self, operation: Operation, call: usize) -> bool {
        let is_due = match self.calls {
            Calls::Nth(nth) => nth == call,
            Calls::Every => true,
        };
        is_due && self.operation == operation.as_str()
    }
}
