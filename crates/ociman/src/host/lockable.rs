//! An open folder that can be locked, by this process and by the processes that inherit it.

use std::io;
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FlockOperation, Mode};
use rustix::io::Errno;

use super::folder;

/// An open folder that can be locked. Dropping it releases the lock.
///
/// A lock belongs to the open file, and holds as long as any process has that file open: this process, and every child
/// from its fork on. That includes children of other threads that have not executed their program yet. So the lock is
/// released explicitly, not only by closing the file.
#[derive(Debug)]
pub(super) struct Lockable {
    folder: OwnedFd,
    end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Unlock,
    LeaveLocked,
}

impl Lockable {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { folder: folder::open(path)?, end: End::Unlock })
    }

    /// Opens the root of a container. If a process has taken away even the owner's access, that is restored first.
    pub(super) fn open_root(root: &Path) -> io::Result<Self> {
        Self::open(root).or_else(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => {
                rustix::fs::chmod(root, Mode::RWXU)?;
                Self::open(root)
            }
            _ => Err(error),
        })
    }

    /// Takes the exclusive lock if no other lock is held. Returns `true` if it was taken.
    pub(super) fn try_lock(&self) -> bool {
        rustix::fs::flock(&self.folder, FlockOperation::NonBlockingLockExclusive).is_ok()
    }

    /// Takes the exclusive lock, after all other locks have been released.
    pub(super) fn lock(&self) -> io::Result<()> {
        self.wait_for(FlockOperation::LockExclusive)
    }

    /// Takes a shared lock, after an exclusive lock has been released.
    pub(super) fn lock_shared(&self) -> io::Result<()> {
        self.wait_for(FlockOperation::LockShared)
    }

    /// Closes the folder, and leaves the lock to the processes that have inherited it.
    pub(super) fn leave_locked(mut self) {
        self.end = End::LeaveLocked;
    }

    fn wait_for(&self, operation: FlockOperation) -> io::Result<()> {
        loop {
            match rustix::fs::flock(&self.folder, operation) {
                Err(Errno::INTR) => {}
                result => return Ok(result?),
            }
        }
    }
}

impl Deref for Lockable {
    type Target = OwnedFd;

    fn deref(&self) -> &OwnedFd {
        &self.folder
    }
}

impl Drop for Lockable {
    fn drop(&mut self) {
        if self.end == End::Unlock {
            // If this fails, closing the file releases the lock.
            let _ = rustix::fs::flock(&self.folder, FlockOperation::Unlock);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_releases_the_lock_even_if_a_copy_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lockable::open(folder.path()).unwrap();
        assert!(first.try_lock());
        let copy = first.try_clone().unwrap();
        let second = Lockable::open(folder.path()).unwrap();
        assert!(!second.try_lock());
        drop(first);
        assert!(second.try_lock());
        drop(copy);
    }

    #[test]
    fn a_lock_that_is_left_to_a_copy_lasts_until_the_copy_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lockable::open(folder.path()).unwrap();
        assert!(first.try_lock());
        let copy = first.try_clone().unwrap();
        first.leave_locked();
        let second = Lockable::open(folder.path()).unwrap();
        assert!(!second.try_lock());
        drop(copy);
        assert!(second.try_lock());
    }
}
