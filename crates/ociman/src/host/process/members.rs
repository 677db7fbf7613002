//! Which processes belong to a container. Knows nothing of containers but the root that they hold.

use std::collections::HashSet;
use std::path::Path;

use rustix::fs::OFlags;

use crate::process::{ProcessIdentity, Status};

/// The root folder that the processes of a tree hold open and locked, by which they are recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeldRoot {
    /// The number of the descriptor in each of them.
    pub(crate) descriptor: i32,
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// All living processes that belong to a leader of a session: the session, whoever got its locked root from it, even
/// when the leader itself has gone and its children have other parents now, and the descendants of these.
pub(crate) fn members(leader: Option<ProcessIdentity>, root: HeldRoot) -> Vec<ProcessIdentity> {
    let mut all = Status::all();
    all.retain(|status| status.lives);
    // Once it has gone its number may be another's, and a session is known by nothing but that number.
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

/// Whether a process holds the lock on a root by the descriptor it inherited for good.
fn holds(pid: u32, root: HeldRoot) -> bool {
    use std::os::unix::fs::MetadataExt;
    let descriptor = root.descriptor;
    let link = format!("/proc/{pid}/fd/{descriptor}");
    let same = std::fs::metadata(Path::new(&link))
        .is_ok_and(|metadata| metadata.dev() == root.device && metadata.ino() == root.inode);
    same && std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{descriptor}"))
        .is_ok_and(|info| is_held_for_good(&info))
}

/// The lock must show: a process that only tries to take it has the folder open too. And the descriptor must be one that
/// stays: any child that was just forked has a copy of every one until it executes its program.
fn is_held_for_good(info: &str) -> bool {
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    let closes = flags.is_none_or(|flags| flags & OFlags::CLOEXEC.bits() != 0);
    !closes && info.lines().any(|line| line.starts_with("lock:") && line.contains("FLOCK"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_held_by_a_lock_on_a_descriptor_that_stays() {
        let lock = "lock:\t1: FLOCK  ADVISORY  WRITE 7 fe:00:12 0 EOF\n";
        let info = |flags: &str, lock: &str| format!("pos:\t0\nflags:\t{flags}\nmnt_id:\t29\nino:\t12\n{lock}");
        assert!(is_held_for_good(&info("0300000", lock)));
        assert!(!is_held_for_good(&info("0300000", "")));
        assert!(!is_held_for_good(&info("02300000", lock)));
        assert!(!is_held_for_good(""));
    }
}
