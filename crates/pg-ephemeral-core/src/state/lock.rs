//! Advisory locks between processes, by files of the state folder. A lock ends with its holder, however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ociman::Kind;

use crate::model::InstanceName;
use crate::state::folders::{Folders, FoldersError};

/// A held lock; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Why a lock could not be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// The folder of locks.
    #[error(transparent)]
    Folders(#[from] FoldersError),
    /// The lock's file.
    #[error("lock {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Lock {
    /// The lock that whoever makes or removes layers of an instance on a backend holds.
    pub(crate) async fn of_build(folders: &Folders, backend: Kind, instance: &InstanceName) -> Result<Self, LockError> {
        Self::take(folders, &format!("{backend}-{instance}")).await
    }

    /// Waits until nobody holds the lock of this name, and tells whether anybody ever has.
    pub(crate) async fn wait(folders: &Folders, name: &str) -> Result<bool, LockError> {
        let was_taken = folders.state().join("locks").join(name).exists();
        if was_taken {
            Self::take(folders, name).await?;
        }
        Ok(was_taken)
    }

    /// The lock of this name, unless somebody holds it.
    pub(crate) fn take_if_free(folders: &Folders, name: &str) -> Result<Option<Self>, LockError> {
        let path = folders.state_folder("locks")?.join(name);
        let file = open(&path).map_err(|source| LockError::File { path: path.clone(), source })?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(LockError::File { path, source }),
        }
    }

    /// Waits for the lock of this name. Waiting ends when the future is dropped.
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
    // Opened for writing alone, a named pipe would wait for a reader.
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use std::future::{Future, poll_fn};
    use std::pin::pin;
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn waiting_for_a_lock_ends_at_once_if_nobody_ever_took_it_and_says_so() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        assert!(!Lock::wait(&folders, "x").await.unwrap());
        // Looking for the lock does not count as taking it.
        assert!(!Lock::wait(&folders, "x").await.unwrap());
        drop(Lock::take(&folders, "x").await.unwrap());
        assert!(Lock::wait(&folders, "x").await.unwrap());
        assert!(!Lock::wait(&folders, "y").await.unwrap());
    }

    #[tokio::test]
    async fn waiting_for_a_lock_lasts_until_its_holder_gives_it_back() {
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
