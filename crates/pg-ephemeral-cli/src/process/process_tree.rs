//! The processes that a child has started, and theirs: what has to go when it is killed.

use std::collections::HashMap;
use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// Kills a process and everything below it, as far as the system tells what that is.
pub(crate) fn kill_tree(root: Pid) {
    // From the top: who is dead starts nobody any more. Those below are found before that makes them orphans.
    for pid in tree_of(root) {
        // It may have ended in this moment.
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn tree_of(root: Pid) -> Vec<Pid> {
    let children = children();
    let mut tree = vec![root];
    let mut next = 0;
    while let Some(pid) = tree.get(next) {
        tree.extend(children.get(&pid.as_raw_pid()).into_iter().flatten());
        next += 1;
    }
    tree
}

/// All processes by their parents; none where the system has no `/proc`.
fn children() -> HashMap<i32, Vec<Pid>> {
    let mut children: HashMap<i32, Vec<Pid>> = HashMap::new();
    let Ok(entries) = fs::read_dir("/proc") else { return children };
    for entry in entries.filter_map(Result::ok) {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw) else {
            continue;
        };
        // It may be gone by now.
        let Ok(status) = fs::read_to_string(entry.path().join("stat")) else { continue };
        if let Some(parent) = parent_in(&status) {
            children.entry(parent).or_default().push(pid);
        }
    }
    children
}

/// The parent in a line of `/proc/<pid>/stat`, in which the program's name may hold anything.
fn parent_in(status: &str) -> Option<i32> {
    let (_, after_name) = status.rsplit_once(") ")?;
    after_name.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_read_behind_any_name() {
        assert_eq!(parent_in("7 (a) b (c)) S 42 7 7 0"), Some(42));
        assert_eq!(parent_in("nothing"), None);
    }

    #[test]
    fn a_child_is_in_the_tree_of_its_parent() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let tree = tree_of(rustix::process::getpid());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(tree.contains(&Pid::from_child(&child)));
    }
}
