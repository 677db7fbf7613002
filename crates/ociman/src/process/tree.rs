//! Ends a process with everything that it started, at once or when the calling process is killed. On Linux only: elsewhere
//! nobody tells which processes are whose.

use std::io;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};

use super::identity::Status;

/// Reads the ID of a process, waits until nobody can write to its input any more, and then kills that process with all its
/// descendants. Each process is stopped before its children are read, so that it starts no more of them and the IDs of
/// its ended children are not used again. The argument is the ID of the process that started it: while that ends, the kernel
/// continues the stopped processes of a process group that becomes orphaned, so its end is waited for first.
///
/// A signal takes effect some time after it was sent. That is waited for, but not without end: a process that waits for a
/// device can't be stopped.
#[cfg(target_os = "linux")]
const WATCH: &str = r#"
# Waits until every thread of a process has one of these states or has gone.
wait_for() {
    tries=0
    until is_all "$1" "$2" || [ "$tries" -eq 20000 ]; do tries=$((tries + 1)); done
}
is_all() {
    for file in /proc/"$1"/task/*/stat; do
        stat=
        read -r stat <"$file"
        case ${stat##*) } in $2|'') ;; *) return 1 ;; esac
    done
}
end() {
    kill -STOP "$1"
    wait_for "$1" '[TtZX]*'
    for file in /proc/"$1"/task/*/children; do
        children=
        read -r children <"$file"
        for child in $children; do end "$child"; done
    done
    kill -KILL "$1"
    wait_for "$1" '[ZX]*'
}
read -r root || exit
read -r _
wait_for "$1" '[ZX]*'
end "$root"
# A process whose parent has ended is still in the group, if the watched process had a group of its own.
kill -KILL -"$root"
"#;

/// Kills a child process and all its descendants when the calling process is killed. It watches for as long as the value
/// lives, which should be until that child has ended.
#[derive(Debug)]
#[must_use]
pub struct TreeWatcher {
    watcher: Option<Child>,
}

impl TreeWatcher {
    /// Starts to watch over the process that `command` will start. The command may be spawned once.
    ///
    /// The process reports its own ID before it executes the program, so at no moment can the program run unwatched.
    ///
    /// # Errors
    /// If the system can't start one more process.
    #[cfg(target_os = "linux")]
    pub fn over(command: &mut Command) -> io::Result<Self> {
        use std::os::unix::process::CommandExt;
        use std::process::Stdio;

        let mut watcher = Command::new("/bin/sh");
        // It has a process group of its own, so that it outlives whatever ends the calling process.
        watcher
            .args(["-c", WATCH, "sh", &std::process::id().to_string()])
            .env_clear()
            .current_dir("/")
            .process_group(0);
        watcher.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let watcher = watcher.spawn()?;
        if let Some(input) = &watcher.stdin {
            report_id(command, rustix::io::fcntl_dupfd_cloexec(input, 0)?);
        }
        Ok(Self { watcher: Some(watcher) })
    }

    /// Does nothing on this system.
    #[cfg(not(target_os = "linux"))]
    #[allow(missing_docs, clippy::missing_errors_doc)]
    pub fn over(_: &mut Command) -> io::Result<Self> {
        Ok(Self { watcher: None })
    }
}

/// Has a process write its ID to a pipe before it executes its program.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn report_id(command: &mut Command, pipe: std::os::fd::OwnedFd) {
    use std::io::Write as _;
    use std::os::unix::process::CommandExt;

    let report = move || {
        let mut line = [0_u8; 16];
        let mut rest = &mut line[..];
        writeln!(rest, "{}", rustix::process::getpid().as_raw_nonzero())?;
        let unused = rest.len();
        // So short a line is written whole.
        rustix::io::write(&pipe, &line[..line.len() - unused])?;
        Ok(())
    };
    // SAFETY: after a fork only async-signal-safe things may be done: the closure formats a number into an array and makes
    // two system calls; it takes no lock and allocates nothing.
    unsafe {
        command.pre_exec(report);
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
