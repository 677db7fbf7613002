//! The errors of backend operations, with the same variants for every backend.

use crate::Kind;
use crate::command::{ExitStatus, ProcessError};

mod host;

pub use host::HostError;

/// Error of an operation of a [`crate::Backend`].
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// No container has this name or ID.
    #[error("no container {container}")]
    ContainerNotFound {
        /// The name or ID.
        container: String,
    },
    /// The backend has no image with this name; for a pull, the registry has none.
    #[error("no image {image}")]
    ImageNotFound {
        /// The reference.
        image: String,
    },
    /// Another container already has the name.
    #[error("the container name {name} is already in use")]
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
    /// The container exists but is not running.
    #[error("container {container} is not running")]
    ContainerNotRunning {
        /// The name or ID.
        container: String,
    },
    /// The engine can't pause the container's processes. One example is a rootless engine on control groups version 1.
    #[error("container {container} can't be paused")]
    CanNotPause {
        /// The name or ID.
        container: String,
    },
    /// A port to be published is already in use.
    #[error("failed to publish a port of {name}: the address is in use: {detail}")]
    PortTaken {
        /// The container's name.
        name: String,
        /// The engine's message.
        detail: String,
    },
    /// The engine's program is not installed or its service does not answer.
    #[error("{backend} does not answer: {detail}")]
    Unreachable {
        /// The backend.
        backend: Kind,
        /// The reason, or what the backend printed instead of an answer.
        detail: String,
    },
    /// The host name of the engine's machine can't be resolved.
    #[error("failed to find the address of {host}, where the {backend} engine is")]
    NoAddress {
        /// The backend.
        backend: Kind,
        /// The host name.
        host: String,
        /// The error of the look-up.
        #[source]
        source: std::io::Error,
    },
    /// The backend does not support the operation.
    #[error("the {backend} backend can't {operation}")]
    Unsupported {
        /// The backend.
        backend: Kind,
        /// The operation.
        operation: &'static str,
    },
    /// The engine's program ran and failed for a reason that no other variant covers.
    #[error("{command}: {status}: {stderr}")]
    Failed {
        /// The engine's program and operation, such as `podman run`.
        command: String,
        /// How the program ended, as far as that is known.
        status: Failure,
        /// What the program printed on standard error. Only the end of a long text is kept.
        stderr: String,
    },
    /// The engine's output does not have its documented form.
    #[error("{command}: expected {expected}, got {got:?}")]
    UnexpectedOutput {
        /// The engine's program and operation.
        command: String,
        /// The expected output.
        expected: &'static str,
        /// The actual output. Only the end of a long text is kept.
        got: String,
    },
    /// The engine's program could not be run.
    #[error("failed to run {command}")]
    Command {
        /// The engine's program and operation.
        command: String,
        /// Why the program could not be run.
        #[source]
        source: ProcessError,
    },
    /// A file or process of the host backend itself caused the failure.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// How an engine command failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The command ended with this status.
    Status(ExitStatus),
    /// The command failed, but its status is unknown: queries don't keep it.
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
