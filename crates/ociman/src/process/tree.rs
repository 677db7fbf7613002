//! Kills a process together with all its descendants, at once or when the calling process is killed. Works on Linux
//! only: other systems don't report which process started which.

use std::io;
#[cfg(target_os = "linux")]
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};

#[cfg(target_os = "linux")]
use rustix::io::Errno;
#[cfg(target_os = "linux")]
use rustix::net::SendFlags;
use rustix::process::{Pid, Signal, kill_process};

use super::identity::Status;

/// The shell script of a [`TreeWatcher`]. It reads the ID of a process, waits until no process can write to its input
/// any more, and then kills the process with that ID together with all its descendants. Each process is stopped before
/// its children are read, so that it starts no more of them and the IDs of its ended children are not reused.
///
/// The script's argument is the ID of the process that started it. The script first waits for that process to end:
/// meanwhile the kernel continues the stopped processes of any process group that becomes orphaned.
///
/// A signal takes effect some time after it was sent. The script waits for that, but not forever: a process that waits
/// for a device can't be stopped.
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

/// Kills a child process and all its descendants when the calling process is killed. It watches until it is dropped,
/// which should be after the child has ended.
#[derive(Debug)]
#[must_use]
pub struct TreeWatcher {
    watcher: Option<Child>,
    /// The watcher reads from the other end until it is closed, which the end of this process does too.
    #[cfg(target_os = "linux")]
    _connection: UnixStream,
}

impl TreeWatcher {
    /// Starts to watch over the process that `command` will start. The command may be spawned only once.
    ///
    /// The process reports its own ID before it executes the program, so the program never runs unwatched.
    ///
    /// # Errors
    /// Returns an error if the system can't start another process.
    #[cfg(target_os = "linux")]
    pub fn over(command: &mut Command) -> io::Result<Self> {
        use std::os::fd::OwnedFd;
        use std::os::unix::process::CommandExt;
        use std::process::Stdio;

        let (connection, input) = UnixStream::pair()?;
        let mut watcher = Command::new("/bin/sh");
        // The watcher has its own process group, so that a signal to the group of the calling process does not end it.
        watcher
            .args(["-c", WATCH, "sh", &std::process::id().to_string()])
            .env_clear()
            .current_dir("/")
            .process_group(0);
        watcher.stdin(OwnedFd::from(input)).stdout(Stdio::null()).stderr(Stdio::null());
        let watcher = watcher.spawn()?;
        report_id(command, connection.try_clone()?);
        Ok(Self { watcher: Some(watcher), _connection: connection })
    }

    /// Does nothing on this system.
    #[cfg(not(target_os = "linux"))]
    #[allow(missing_docs, clippy::missing_errors_doc)]
    pub fn over(_: &mut Command) -> io::Result<Self> {
        Ok(Self { watcher: None })
    }
}

/// Makes `command` send its process ID before it executes its program.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn report_id(command: &mut Command, connection: UnixStream) {
    use std::io::Write as _;
    use std::os::unix::process::CommandExt;

    let report = move || {
        let mut line = [0_u8; 16];
        let mut rest = &mut line[..];
        writeln!(rest, "{}", rustix::process::getpid().as_raw_nonzero())?;
        let unused = rest.len();
        // A line this short is sent in one piece.
        match rustix::net::send(&connection, &line[..line.len() - unused], SendFlags::NOSIGNAL) {
            // A signal to the group of the calling process has ended the watcher before it had a group of its own. The
            // calling process gets that signal too.
            Ok(_) | Err(Errno::PIPE | Errno::CONNRESET) => Ok(()),
            Err(error) => Err(error.into()),
        }
    };
    // SAFETY: after a fork, only async-signal-safe operations are allowed. The closure formats a number into an array
    // and makes two system calls; it takes no lock and allocates nothing.
    unsafe {
        command.pre_exec(report);
    }
}

impl Drop for TreeWatcher {
    fn drop(&mut self) {
        if let Some(watcher) = &mut self.watcher {
            // The watcher has nothing left to do. Both calls succeed unless it has already ended.
            let _ = watcher.kill();
            let _ = watcher.wait();
        }
    }
}

/// Kills a child of the calling process and all its descendants, as far as the system reports them.
pub fn kill_tree(root: u32) {
    // Parents come first, because a killed process starts no more children. The descendants are listed before any
    // process is killed, because killing a parent makes its children orphans.
    for pid in descendants(root, &Status::all()) {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            // The process may just have ended.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Returns a process and all its descendants, parents first.
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
    fn a_child_is_a_descendant_of_its_parent() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let tree = descendants(std::process::id(), &Status::all());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(tree.contains(&child.id()));
    }
}
