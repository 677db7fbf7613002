//! The way to a server's private socket on this machine.

use std::io;
use std::path::{Path, PathBuf};

/// A symbolic link to the folder of a server's socket. The path of a socket may have no more than about a hundred bytes,
/// which the state folder alone can exceed; the link's path is short. It is removed when the value is dropped, and by the
/// next command when this process is killed.
#[derive(Debug)]
pub(crate) struct SocketLink(PathBuf);

impl SocketLink {
    /// Makes a link in a folder that is closed to other users.
    pub(crate) fn new(sockets: &Path, target: &Path) -> io::Result<Self> {
        let path = ociman::host::temporary(sockets);
        std::os::unix::fs::symlink(target, &path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SocketLink {
    fn drop(&mut self) {
        // What stays is swept by the next command.
        let _ = std::fs::remove_file(&self.0);
    }
}
