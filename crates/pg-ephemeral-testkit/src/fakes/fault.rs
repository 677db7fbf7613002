//! [`Failure`]: how a call of an operation goes wrong on purpose.

use serde::{Deserialize, Serialize};

use super::operation::Operation;

/// How a call goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Failure {
    /// The name of the new container is taken by another one.
    NameTaken,
    /// The engine does not answer.
    EngineDown,
    /// The command ends with this status and these words.
    Exit {
        /// Its exit status.
        status: i32,
        /// Its standard error.
        #[serde(default)]
        stderr: String,
    },
    /// It succeeds and prints something that no engine prints.
    Garbage,
    /// It succeeds, but its output ends in the middle.
    TruncatedJson,
    /// It does nothing and never ends. A query ends at its time limit.
    Hang,
    /// A signal ends it when the engine has done its work, before it could say so.
    KilledMidway,
    /// The images that it names are gone just before it.
    ImageVanished,
    /// There is no space left on the engine's disk.
    DiskFull,
}

/// Which calls of an operation go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Calls {
    /// The nth, from 1.
    Nth(usize),
    Every,
}

/// A failure and when it happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fault {
    /// By its name.
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
