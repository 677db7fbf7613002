//! Advisory locks between processes, based on files in the state folder. The system releases a lock when its holder
//! ends, even if the holder is killed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ociman::Kind;

use crate::model::InstanceName;
use crate::state::folders::{Folders, FoldersError};

/// A held lock. Dropping it releases the lock.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// The reason why a lock could not be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// The folder of the lock files could not be created or used.
    #[error(transparent)]
    Folders(#[from] FoldersError),
    /// The lock file could not be opened or locked.
    #[error("failed to lock {}", path.display())]
    File {
        /// The path of the lock file.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: io::Error,
    },
}

impl Lock {
    /// Waits for the lock of an instance's layers on a backend. Every process that makes or removes such layers holds
    /// it.
    pub(crate) async fn of_build(folders: &Folders, backend: Kind, instance: &InstanceName) -> Result<Self, LockError> {
        Self::take(folders, &format!("{backend}-{instance}")).await
    }

    /// Waits until no process holds the lock of this name. Returns `true` if any process has ever taken the lock.
    pub(crate) async fn wait(folders: &Folders, name: &str) -> Result<bool, LockError> {
        let was_taken = folders.state().join("locks").join(name).exists();
        if was_taken {
            Self::take(folders, name).await?;
        }
        Ok(was_taken)
    }

    /// Takes the lock of this name; returns `None` if it is held already.
    pub(crate) fn take_if_free(folders: &Folders, name: &str) -> Result<Option<Self>, LockError> {
        let path = folders.state_folder("locks")?.join(name);
        let file = open(&path).map_err(|source| LockError::File { path: path.clone(), source })?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(LockError::File { path, source }),
        }
    }

    /// Waits for the lock of this name and takes it. Dropping the future ends the wait.
    pub(crate) async fn take(folders: &Folders, name: &str) -> Result<Self, LockError> {
        let path = folders.state_folder("locks")?.join(name);
        let file = open(&path).map_err(|source| LockError::File { path: path.clone(), source })?;
        let mut pause = Duration::from_millis(1);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(pause).await,
                Err(TryLockError::Error(source)) => return Err(LockError::File { path, source }),
            }
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    // Opening a named pipe for writing only would block until there is a reader.
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use std::future::{Future, poll_fn};
    use std::pin::pin;
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn waiting_for_a_lock_that_was_never_taken_returns_false_at_once() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        assert!(!Lock::wait(&folders, "x").await.unwrap());
        // The first wait does not count as taking the lock.
        assert!(!Lock::wait(&folders, "x").await.unwrap());
        drop(Lock::take(&folders, "x").await.unwrap());
        assert!(Lock::wait(&folders, "x").await.unwrap());
        assert!(!Lock::wait(&folders, "y").await.unwrap());
    }

    #[tokio::test]
    async fn waiting_for_a_lock_lasts_until_it_is_released() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let held = Lock::take(&folders, "x").await.unwrap();
        let mut waiting = pin!(Lock::wait(&folders, "x"));
        let is_pending = poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context).is_pending())).await;
        assert!(is_pending);
        drop(held);
        assert!(waiting.await.unwrap());
    }
}
