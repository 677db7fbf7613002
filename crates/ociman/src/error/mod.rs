//! Why an operation of a backend did not work, told apart by kind on every backend alike.

use crate::Kind;
use crate::command::{ExitStatus, ProcessError};

mod host;

pub use host::HostError;

/// Why an operation of a [`crate::Backend`] did not work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// No container of this name.
    #[error("no container {container}")]
    ContainerNotFound {
        /// The name or identifier.
        container: String,
    },
    /// No image of this name on the backend.
    #[error("no image {image}")]
    ImageNotFound {
        /// The reference.
        image: String,
    },
    /// The name of a new container is taken.
    #[error("the container name {name} is taken")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The image is in use by a container and can't be removed.
    #[error("image {image} is in use")]
    ImageInUse {
        /// The reference.
        image: String,
    },
    /// The container is there but does not run.
    #[error("container {container} is not running")]
    ContainerNotRunning {
        /// The name or identifier.
        container: String,
    },
    /// The engine can't make the container's processes hold still, as a rootless one on control groups of version 1.
    #[error("container {container} can't be paused")]
    CanNotPause {
        /// The name or identifier.
        container: String,
    },
    /// A port that should be published is in use.
    #[error("publish a port of {name}: the address is in use: {detail}")]
    PortTaken {
        /// The container's name.
        name: String,
        /// The engine's message.
        detail: String,
    },
    /// The engine's program is not installed or its service does not answer.
    #[error("{backend} does not answer: {detail}")]
    Unreachable {
        /// Which backend.
        backend: Kind,
        /// What came instead of an answer.
        detail: String,
    },
    /// The name of the machine that the engine is on leads to no address.
    #[error("find the address of {host}, where the {backend} engine is")]
    NoAddress {
        /// Which backend.
        backend: Kind,
        /// The machine.
        host: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The backend can't do this at all.
    #[error("the {backend} backend can't {operation}")]
    Unsupported {
        /// Which backend.
        backend: Kind,
        /// What was asked for.
        operation: &'static str,
    },
    /// The engine's program ran and failed, for another reason than those above.
    #[error("{command}: {status}: {stderr}")]
    Failed {
        /// The engine's program and operation, such as `podman run`.
        command: String,
        /// How it ended, as far as it is known.
        status: Failure,
        /// What it printed on standard error, cut short.
        stderr: String,
    },
    /// The engine printed something else than its documented output.
    #[error("{command}: expected {expected}, got {got:?}")]
    UnexpectedOutput {
        /// The engine's program and operation.
        command: String,
        /// What should have come.
        expected: &'static str,
        /// What came, cut short.
        got: String,
    },
    /// The engine's program could not be run.
    #[error("run {command}")]
    Command {
        /// The engine's program and operation.
        command: String,
        /// Why.
        #[source]
        source: ProcessError,
    },
    /// The host backend's own files or processes.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// How an engine command failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It ended with this status.
    Status(ExitStatus),
    /// It failed; queries do not keep the status.
    Unknown,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => status.fmt(formatter),
            Self::Unknown => formatter.write_str("failure"),
        }
    }
}
