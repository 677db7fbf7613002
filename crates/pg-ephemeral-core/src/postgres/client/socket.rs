//! A short path to a server's private socket on this machine.

use std::io;
use std::path::{Path, PathBuf};

/// A symbolic link to the folder of a server's socket. The path of a socket is limited to about a hundred bytes, and
/// the path of the state folder alone can be longer; the link's path is short. The link is removed when the value is
/// dropped. If this process is killed, the next command removes it.
#[derive(Debug)]
pub(crate) struct SocketLink(PathBuf);

impl SocketLink {
    /// Creates a link in `sockets`, a folder that other users can't access.
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
        // If this fails, the next command removes the link.
        let _ = std::fs::remove_file(&self.0);
    }
}
