//! Temporary folders with short paths, in which sockets can be created.

use std::io;
use std::path::Path;

use tempfile::TempDir;

/// Creates a temporary folder with a short path, because the path of a socket in it can have at most 107 bytes.
pub(crate) fn create_short_folder(prefix: &str) -> io::Result<TempDir> {
    let parent = std::env::temp_dir();
    let parent = if parent.as_os_str().len() > 20 { Path::new("/tmp") } else { &parent };
    tempfile::Builder::new().prefix(prefix).tempdir_in(parent)
}
