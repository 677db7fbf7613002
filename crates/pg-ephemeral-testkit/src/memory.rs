//! What PostgreSQL has in the system's memory, which outlives a server that is killed.

use std::path::PathBuf;

/// The files that a process of PostgreSQL shares with others. On Linux; elsewhere none are known.
#[must_use]
pub fn shared_memory(pid: u32) -> Vec<PathBuf> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let paths = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
    paths.filter(|path| path.starts_with("/dev/shm/PostgreSQL.")).map(PathBuf::from).collect()
}
