//! A descriptor that the caller passed, by its number.

use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::str::FromStr;
use std::sync::Arc;

use rustix::io::FdFlags;

/// A descriptor that the caller passed, taken over from it. This has to come before the process opens anything of its
/// own, which could get the number of one that the caller forgot to pass: so it is done where arguments are read.
#[derive(Debug, Clone)]
pub(crate) struct Descriptor(Arc<OwnedFd>);

impl FromStr for Descriptor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.parse().map_err(|_| "a descriptor is a number".to_owned())?;
        let taken =
            take(number).map_err(|error| format!("the caller passed no open descriptor of this number: {error}"))?;
        Ok(Self(Arc::new(taken)))
    }
}

impl Descriptor {
    /// A copy of it, to read from or to write to.
    pub(crate) fn file(&self) -> io::Result<File> {
        Ok(File::from(self.0.try_clone()?))
    }
}

/// A copy of a descriptor, with its number left as it was. Neither goes on to children: a server that held them open
/// would hide the caller's end from us, and ours from the caller.
#[allow(unsafe_code)]
fn take(number: RawFd) -> io::Result<OwnedFd> {
    if number < 0 {
        return Err(rustix::io::Errno::BADF.into());
    }
    // SAFETY: it is only asked whether it is open, and copied; a number that is not open makes both fail. It is not
    // closed here, so that whoever owns it keeps it.
    let given = unsafe { BorrowedFd::borrow_raw(number) };
    let taken = rustix::io::fcntl_dupfd_cloexec(given, 3)?;
    if number > 2 {
        rustix::io::fcntl_setfd(given, FdFlags::CLOEXEC)?;
    }
    // The caller may have made it for an event loop.
    rustix::io::ioctl_fionbio(&taken, false)?;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_not_open_is_refused() {
        for number in [-1, 987_654] {
            assert_eq!(take(number).unwrap_err().raw_os_error(), Some(9), "{number}");
        }
    }
}
