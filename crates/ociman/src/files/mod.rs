//! Reads files that another user may have put in place. Only regular files are opened: opening a named pipe would
//! block, without end and without reacting to signals, until some process writes to it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

pub(crate) mod leftovers;
pub(crate) mod remove;

/// Opens a regular file for reading.
///
/// # Errors
/// Returns an error if [`File::open`] does, or if `path` is a folder or another file that is not regular.
pub fn open(path: &Path) -> io::Result<File> {
    let metadata = path.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    File::open(path)
}

/// Reads a whole regular file.
///
/// # Errors
/// Returns an error if [`open`] does, or if reading fails.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a whole regular file as text.
///
/// # Errors
/// Returns an error if [`read`] does, or if the file is not UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_but_a_regular_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        rustix::fs::mknodat(rustix::fs::CWD, path("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        std::os::unix::fs::symlink("loop", path("loop")).unwrap();
        std::fs::write(path("file"), "text").unwrap();
        assert_eq!(read(&path("pipe")).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(read(folder.path()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        assert_eq!(read(&path("nothing")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(read(&path("loop")).unwrap_err().raw_os_error(), Some(rustix::io::Errno::LOOP.raw_os_error()));
        assert_eq!(read_to_string(&path("file")).unwrap(), "text");
    }
}
