//! Ends a process with everything that it started, at once or when the calling process is killed. On Linux only: elsewhere
//! nobody tells which processes are whose.

use std::io;
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

use super::identity::Status;

/// Ends with the process that it reads from, and then kills a tree of processes. A parent that stands still starts no
/// more, and the numbers of its ended children are not used again.
#[cfg(target_os = "linux")]
const WATCH: &str = r#"
end() {
    kill -STOP "$1"
    for file in /proc/"$1"/task/*/children; do
        children=
        read -r children <"$file"
        for child in $children; do end "$child"; done
    done
    kill -KILL "$1"
}
read -r _
end "$1"
# Whoever has lost its parent is still in the group, when it has one of its own.
kill -KILL -"$1"
"#;

/// Watches over a process for as long as the value lives, which should not be longer than until that process has ended.
#[derive(Debug)]
#[must_use]
pub struct TreeWatcher {
    watcher: Option<Child>,
}

impl TreeWatcher {
    /// Begins to watch over a child of the calling process.
    ///
    /// # Errors
    /// When the system can't start one more process.
    #[cfg(target_os = "linux")]
    pub fn of(pid: u32) -> io::Result<Self> {
        use std::os::unix::process::CommandExt;
        use std::process::{Command, Stdio};

        let mut watcher = Command::new("/bin/sh");
        // In a group of its own, so that it outlives what ends the calling process.
        watcher.args(["-c", WATCH, "sh", &pid.to_string()]).env_clear().current_dir("/").process_group(0);
        watcher.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { watcher: Some(watcher.spawn()?) })
    }

    /// Does nothing on this system.
    #[cfg(not(target_os = "linux"))]
    #[allow(missing_docs, clippy::missing_errors_doc)]
    pub fn of(_: u32) -> io::Result<Self> {
        Ok(Self { watcher: None })
    }
}

impl Drop for TreeWatcher {
    fn drop(&mut self) {
        if let Some(watcher) = &mut self.watcher {
            // It has nothing left to do. Both work unless it has ended.
            let _ = watcher.kill();
            let _ = watcher.wait();
        }
    }
}

/// Kills a child of the calling process and everything below it, as far as the system tells what that is.
pub fn kill_tree(root: u32) {
    // From the top: who is dead starts nobody any more. Those below are found before that makes them orphans.
    for pid in descendants(root, &Status::all()) {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            // It may have ended in this moment.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// A process and everything below it, parents first.
fn descendants(root: u32, all: &[Status]) -> Vec<u32> {
    let mut tree = vec![root];
    let mut next = 0;
    while let Some(&pid) = tree.get(next) {
        tree.extend(all.iter().filter(|status| status.parent == pid).map(|status| status.pid));
        next += 1;
    }
    tree
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_below_its_parent() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let tree = descendants(std::process::id(), &Status::all());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(tree.contains(&child.id()));
    }
}
