//! [`HostError`]: why something that is the host backend's own, its files and its processes, did not work.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why the host backend could not do something with its files or processes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// A file or folder of the backend.
    #[error("{action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What came of it.
        #[source]
        source: std::io::Error,
    },
    /// The user has no home directory, so there is no place for the state.
    #[error("find the state folder: the user has no home directory")]
    NoHome,
    /// A file of the state folder does not hold what this version writes.
    #[error("read {}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// Neither the image nor the caller names a program.
    #[error("run {container}: no program to run, neither in image {image} nor in the call")]
    NoProgram {
        /// The container's name.
        container: String,
        /// The image.
        image: String,
    },
    /// The program of a container could not be started.
    #[error("start {program}")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Only root can run a process as another user.
    #[error("run as user {uid}: only root can change the user")]
    ChangeUser {
        /// The user that was asked for.
        uid: u32,
    },
    /// No such user or group on this machine.
    #[error("find user {user:?}: not on this machine")]
    UnknownUser {
        /// As it was asked for.
        user: String,
    },
    /// Not the name of a signal.
    #[error("{text:?} is not a signal")]
    UnknownSignal {
        /// The text.
        text: String,
    },
    /// A running container is removed only by force.
    #[error("remove {container}: it is running")]
    Running {
        /// The container's name.
        container: String,
    },
    /// The processes did not end in time after the stop signal, where killing them would spoil the result.
    #[error("stop {container}: still running after {} s", limit.as_secs_f32())]
    StillRunning {
        /// The container's name.
        container: String,
        /// The time they had.
        limit: Duration,
    },
    /// Some process of a container does not stand still, so that its files can't be copied while it runs.
    #[error("hold {container} still: one of its processes goes on after {} s", limit.as_secs_f32())]
    Restless {
        /// The container's name.
        container: String,
        /// The time they had.
        limit: Duration,
    },
    /// The processes survive even SIGKILL, or keep the root folder locked from where this user can't see them.
    #[error("kill {container}: its processes still hold {}", root.display())]
    Unkillable {
        /// The container's name.
        container: String,
        /// The root folder that they hold.
        root: PathBuf,
    },
    /// A thread could not be made, or ended before its work was done.
    #[error("run a task in the background")]
    Background {
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl HostError {
    /// For `map_err` on operations with a file.
    pub(crate) fn file<E: Into<std::io::Error>>(action: &'static str, path: &Path) -> impl FnOnce(E) -> Self {
        move |source| Self::File { action, path: path.to_owned(), source: source.into() }
    }
}
