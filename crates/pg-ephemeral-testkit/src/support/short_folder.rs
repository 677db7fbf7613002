//! Temporary folders in which sockets are made.

use std::io;
use std::path::Path;

use tempfile::TempDir;

/// Makes a temporary folder whose path leaves room for that of a socket, which ends at 107 bytes.
pub(crate) fn create_short_folder(prefix: &str) -> io::Result<TempDir> {
    let parent = std::env::temp_dir();
    let parent = if parent.as_os_str().len() > 20 { Path::new("/tmp") } else { &parent };
    tempfile::Builder::new().prefix(prefix).tempdir_in(parent)
}
