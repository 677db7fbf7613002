//! Finds the processes that belong to a container. Knows nothing of containers but the root that their processes hold.

use std::collections::HashSet;
use std::path::Path;

use rustix::fs::OFlags;

use crate::process::{ProcessIdentity, Status};

/// The root folder that the processes of a container hold open and locked, by which they are recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeldRoot {
    /// The number of the descriptor in each of these processes.
    pub(crate) descriptor: i32,
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// Returns all living processes that belong to the leader of a process session: that session, all processes that
/// inherited its locked root (even if the leader has ended and they have other parents now), and the descendants of
/// both.
pub(crate) fn members(leader: Option<ProcessIdentity>, root: HeldRoot) -> Vec<ProcessIdentity> {
    let mut all = Status::all();
    all.retain(|status| status.lives);
    // After the leader has ended, another process may have its ID, and only that ID identifies the process session.
    let session = leader.filter(|leader| leader.is_alive()).map(|leader| leader.pid);
    let mut found: HashSet<u32> = HashSet::new();
    for status in &all {
        if session == Some(status.session) || holds(status.pid, root) {
            found.insert(status.pid);
        }
    }
    loop {
        let before = found.len();
        for status in &all {
            if found.contains(&status.parent) {
                found.insert(status.pid);
            }
        }
        if found.len() == before {
            break;
        }
    }
    found.remove(&std::process::id());
    all.into_iter().filter(|status| found.contains(&status.pid)).map(Status::identity).collect()
}

/// Returns `true` if a process holds the lock on a root through the descriptor that it inherited for good.
fn holds(pid: u32, root: HeldRoot) -> bool {
    use std::os::unix::fs::MetadataExt;
    let descriptor = root.descriptor;
    let link = format!("/proc/{pid}/fd/{descriptor}");
    let same = std::fs::metadata(Path::new(&link))
        .is_ok_and(|metadata| metadata.dev() == root.device && metadata.ino() == root.inode);
    same && std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{descriptor}"))
        .is_ok_and(|info| is_locked_and_inherited(&info))
}

/// Returns `true` if the `fdinfo` of a descriptor shows a lock and that the descriptor survives exec. The lock is
/// required because a process that only tries to take it has the folder open too. Surviving exec is required because a
/// child that was just forked has a copy of every descriptor until it executes its program.
fn is_locked_and_inherited(info: &str) -> bool {
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    let closes = flags.is_none_or(|flags| flags & OFlags::CLOEXEC.bits() != 0);
    !closes && info.lines().any(|line| line.starts_with("lock:") && line.contains("FLOCK"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_held_by_a_locked_descriptor_that_survives_exec() {
        let lock = "lock:\t1: FLOCK  ADVISORY  WRITE 7 fe:00:12 0 EOF\n";
        let info = |flags: &str, lock: &str| format!("pos:\t0\nflags:\t{flags}\nmnt_id:\t29\nino:\t12\n{lock}");
        assert!(is_locked_and_inherited(&info("0300000", lock)));
        assert!(!is_locked_and_inherited(&info("0300000", "")));
        assert!(!is_locked_and_inherited(&info("02300000", lock)));
        assert!(!is_locked_and_inherited(""));
    }
}
