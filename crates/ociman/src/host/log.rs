//! The end of a log.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// No more than this is read, however long the lines are.
const LIMIT: u64 = 1 << 20;
const BLOCK: u64 = 16 << 10;

/// The last lines of a file, oldest first; none when there is no file.
pub(super) fn last_lines(path: &Path, count: usize) -> io::Result<String> {
    let mut file = match File::open(path) {
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
