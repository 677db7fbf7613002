//! An open folder that can be locked, for this process and for those that inherit it.

use std::io;
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FlockOperation, Mode};
use rustix::io::Errno;

use super::folder;

/// An open folder that can be locked. Dropping it takes the lock off.
///
/// A lock belongs to what was opened, and holds as long as any process has that open: this one, and every child from its
/// fork on. Every child, also those of other threads that only have not executed their program yet; so the lock is taken
/// off by a word, and not by closing alone.
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

    /// Opens a root, which a process may have closed even to its owner.
    pub(super) fn open_root(root: &Path) -> io::Result<Self> {
        Self::open(root).or_else(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => {
                rustix::fs::chmod(root, Mode::RWXU)?;
                Self::open(root)
            }
            _ => Err(error),
        })
    }

    /// Locks it for this one alone, if nobody has it locked.
    pub(super) fn try_lock(&self) -> bool {
        rustix::fs::flock(&self.folder, FlockOperation::NonBlockingLockExclusive).is_ok()
    }

    /// Locks it for this one alone, after whoever has it locked.
    pub(super) fn lock(&self) -> io::Result<()> {
        self.wait_for(FlockOperation::LockExclusive)
    }

    /// Locks it together with others who do so, after whoever has it locked alone.
    pub(super) fn lock_shared(&self) -> io::Result<()> {
        self.wait_for(FlockOperation::LockShared)
    }

    /// Closes it and leaves the lock to the processes that have inherited it.
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
            // It works, or closing does it.
            let _ = rustix::fs::flock(&self.folder, FlockOperation::Unlock);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_off_when_it_is_dropped_though_a_copy_is_open() {
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
    fn a_lock_that_is_left_lasts_as_long_as_a_copy() {
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
