//! The logs of containers: opening a log, and reading its end.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::FallocateFlags;

/// How many bytes of a log can be written even if the disk is full.
const RESERVED: u64 = 64 << 10;

/// The maximum number of bytes to read, however long the lines are.
const LIMIT: u64 = 1 << 20;
const BLOCK: u64 = 16 << 10;

/// Opens a log for appending. Space for its start is reserved, so that messages can be written even if the disk is
/// full.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let log = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    // Not every file system supports this.
    let _ = rustix::fs::fallocate(&log, FallocateFlags::KEEP_SIZE, 0, RESERVED);
    Ok(log)
}

/// Returns the last lines of a file, oldest first, or none if the file does not exist.
pub(crate) fn last_lines(path: &Path, count: usize) -> io::Result<String> {
    let mut file = match crate::files::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let mut wanted = BLOCK.min(length);
    loop {
        let mut tail = Vec::new();
        file.seek(SeekFrom::Start(length - wanted))?;
        file.by_ref().take(wanted).read_to_end(&mut tail)?;
        if wanted == length.min(LIMIT) || newlines(&tail) > count {
            return Ok(cut(&String::from_utf8_lossy(&tail), count));
        }
        wanted = (wanted * 4).min(length).min(LIMIT);
    }
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

fn cut(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut last = lines[lines.len().saturating_sub(count)..].join("\n");
    if !last.is_empty() {
        last.push('\n');
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_new_log_is_empty_and_has_reserved_space() {
        use std::io::Write;
        use std::os::unix::fs::MetadataExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        open(&path).unwrap().write_all(b"one\n").unwrap();
        open(&path).unwrap().write_all(b"two\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\n");
        assert!(path.metadata().unwrap().blocks() * 512 >= RESERVED);
    }

    #[test]
    fn the_last_lines_of_short_and_long_files_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        assert_eq!(last_lines(&path, 3).unwrap(), "");
        std::fs::write(&path, "one\ntwo").unwrap();
        assert_eq!(last_lines(&path, 3).unwrap(), "one\ntwo\n");
        assert_eq!(last_lines(&path, 1).unwrap(), "two\n");
        let long: String = (0..100_000).map(|number| format!("line {number}\n")).collect();
        std::fs::write(&path, long).unwrap();
        assert_eq!(last_lines(&path, 2).unwrap(), "line 99998\nline 99999\n");
        assert_eq!(last_lines(&path, 20_000).unwrap().lines().count(), 20_000);
        assert_eq!(last_lines(&path, 0).unwrap(), "");
    }
}
