//! Finds PostgreSQL's shared memory, which a killed server leaves behind.

use std::path::PathBuf;

/// Returns the shared memory files that a PostgreSQL process has mapped or opened. Works on Linux only; on other
/// systems the result is empty.
#[must_use]
pub fn shared_memory(pid: u32) -> Vec<PathBuf> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let mapped = maps.lines().filter_map(|line| line.split_whitespace().nth(5)).map(PathBuf::from);
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    // A new file is open before it is mapped.
    let open = files.filter_map(|file| std::fs::read_link(file.path()).ok());
    mapped.chain(open).filter(|path| path.to_string_lossy().starts_with("/dev/shm/PostgreSQL.")).collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_open_but_not_mapped_is_found() {
        let path = PathBuf::from(format!("/dev/shm/PostgreSQL.{}", std::process::id()));
        let file = std::fs::File::create(&path).unwrap();
        assert_eq!(shared_memory(std::process::id()), std::slice::from_ref(&path));
        drop(file);
        assert!(shared_memory(std::process::id()).is_empty());
        std::fs::remove_file(path).unwrap();
    }
}
