//! [`HostError`]: failures of the host backend's own files and processes.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Error of an operation of the host backend on its files or processes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// An operation on a file or folder failed.
    #[error("failed to {action} {}", path.display())]
    File {
        /// The operation.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The user has no home directory, so there is no folder for the state.
    #[error("failed to find the state folder: the user has no home directory")]
    NoHome,
    /// A file in the state folder does not have the format that this version writes.
    #[error("failed to read {}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The parse error.
        #[source]
        source: serde_json::Error,
    },
    /// Neither the image nor the caller names a program to run.
    #[error("failed to run {container}: no program to run, neither in image {image} nor in the call")]
    NoProgram {
        /// The container's name.
        container: String,
        /// The image.
        image: String,
    },
    /// The program of a container could not be started.
    #[error("failed to start {program}")]
    Start {
        /// The program.
        program: String,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// Only root can run a process as another user.
    #[error("failed to run as user {uid}: only root can change the user")]
    ChangeUser {
        /// The ID of the requested user.
        uid: u32,
    },
    /// The user or group does not exist on this machine.
    #[error("failed to find user {user:?}: not on this machine")]
    UnknownUser {
        /// The user, as it was requested.
        user: String,
    },
    /// The text is not the name of a signal.
    #[error("{text:?} is not a signal")]
    UnknownSignal {
        /// The text.
        text: String,
    },
    /// The container is running, so it can be removed only by force.
    #[error("failed to remove {container}: it is running")]
    Running {
        /// The container's name.
        container: String,
    },
    /// The container's processes did not end in time after the stop signal. They were not killed, because that would
    /// spoil the result.
    #[error("failed to stop {container}: still running after {} s", limit.as_secs_f32())]
    StillRunning {
        /// The container's name.
        container: String,
        /// The time that the processes had.
        limit: Duration,
    },
    /// A process of the container can't be paused, so the container's files can't be copied while it runs.
    #[error("failed to pause {container}: one of its processes is still running after {} s", limit.as_secs_f32())]
    CanNotPause {
        /// The container's name.
        container: String,
        /// The time that the processes had.
        limit: Duration,
    },
    /// The processes survive even SIGKILL, or processes that this user can't see keep the root folder locked.
    #[error("failed to kill {container}: its processes still hold {}", root.display())]
    Unkillable {
        /// The container's name.
        container: String,
        /// The root folder that the processes hold.
        root: PathBuf,
    },
    /// A thread could not be created, or it ended before its work was done.
    #[error("failed to start a background task")]
    Background {
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
}

impl HostError {
    /// Returns a function for `map_err` that adds the operation and the path to a file's error.
    pub(crate) fn file<E: Into<std::io::Error>>(action: &'static str, path: &Path) -> impl FnOnce(E) -> Self {
        move |source| Self::File { action, path: path.to_owned(), source: source.into() }
    }
}
