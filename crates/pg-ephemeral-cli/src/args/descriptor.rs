//! File descriptors that the caller passes by number.

use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::str::FromStr;
use std::sync::Arc;

use rustix::io::FdFlags;

/// A file descriptor that the caller passed. It is duplicated while the arguments are parsed, before the process opens
/// any file of its own: otherwise a number that the caller forgot to pass could refer to one of those.
#[derive(Debug, Clone)]
pub(crate) struct Descriptor(Arc<OwnedFd>);

impl FromStr for Descriptor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.parse().map_err(|_| "a file descriptor is a number".to_owned())?;
        let taken = take(number).map_err(|error| format!("file descriptor {number} is not open: {error}"))?;
        Ok(Self(Arc::new(taken)))
    }
}

impl Descriptor {
    /// Returns a duplicate as a file.
    pub(crate) fn file(&self) -> io::Result<File> {
        Ok(File::from(self.0.try_clone()?))
    }
}

/// Duplicates a file descriptor and leaves the original open. Neither is inherited by child processes: a server that kept one
/// open would keep this process and the caller from noticing each other's end.
#[allow(unsafe_code)]
fn take(number: RawFd) -> io::Result<OwnedFd> {
    if number < 0 {
        return Err(rustix::io::Errno::BADF.into());
    }
    // SAFETY: the descriptor is only duplicated and gets a flag, both of which fail if it is not open. It is not closed
    // here, so its owner keeps it.
    let given = unsafe { BorrowedFd::borrow_raw(number) };
    let taken = rustix::io::fcntl_dupfd_cloexec(given, 3)?;
    if number > 2 {
        rustix::io::fcntl_setfd(given, FdFlags::CLOEXEC)?;
    }
    // The caller may have set it to non-blocking mode for an event loop.
    rustix::io::ioctl_fionbio(&taken, false)?;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_that_is_not_open_is_refused() {
        for number in [-1, 987_654] {
            assert_eq!(take(number).unwrap_err().raw_os_error(), Some(9), "{number}");
        }
    }
}
