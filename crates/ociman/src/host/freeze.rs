//! Holds all processes of a container still, so that its files can be copied as they are at one moment. They go on when
//! the value is dropped, and also when this process is killed meanwhile: a watcher sees to that.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::HostError;
use super::container_store::LockedContainer;
use super::process::{HeldRoot, ProcessIdentity, members};
use crate::Error;

/// How long the processes may take to stand still: those that wait for a disk do so first.
const FREEZE_LIMIT: Duration = Duration::from_secs(10);
/// Ends with the process that reads from it, and then lets a tree of processes go on, the innermost first. The numbers of
/// ended children are not used again while their parent stands still.
const WATCH: &str = r#"
thaw() { for child in $(cat /proc/"$1"/task/*/children); do thaw "$child"; done; kill -CONT "$1"; }
read -r _
thaw "$1"
"#;

/// A container whose processes stand still.
#[must_use]
pub(super) struct Frozen {
    /// The leader first.
    processes: Vec<ProcessIdentity>,
    watcher: Child,
}

/// Stops a running container's leader, and then whatever else belongs to it until nothing is left that could start more.
pub(super) fn freeze(container: &LockedContainer, root: &OwnedFd) -> Result<Frozen, Error> {
    let leader = container.leader().filter(|_| container.is_running());
    let leader = leader.ok_or_else(|| Error::ContainerNotRunning { container: container.name.clone() })?;
    let held = container.held_root(root)?;
    let watcher = watch(leader).map_err(|source| HostError::Background { source })?;
    let mut frozen = Frozen { processes: Vec::new(), watcher };
    if frozen.stop_all(leader, held) {
        return Ok(frozen);
    }
    Err(HostError::Restless { container: container.name.clone(), limit: FREEZE_LIMIT }.into())
}

/// In a group of its own, so that it outlives what ends this process.
fn watch(leader: ProcessIdentity) -> std::io::Result<Child> {
    let mut watcher = Command::new("/bin/sh");
    watcher.args(["-c", WATCH, "sh", &leader.pid.to_string()]).current_dir("/").process_group(0);
    watcher.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

impl Frozen {
    fn stop_all(&mut self, leader: ProcessIdentity, held: HeldRoot) -> bool {
        let deadline = Instant::now() + FREEZE_LIMIT;
        let mut known = HashSet::new();
        let mut new = vec![leader];
        while !new.is_empty() {
            for process in &new {
                known.insert(*process);
                self.processes.push(*process);
                process.signal(Signal::STOP);
            }
            while !new.iter().all(|process| process.stands_still()) {
                if Instant::now() > deadline {
                    return false;
                }
                std::thread::sleep(Duration::from_micros(100));
            }
            new = members(Some(leader), held).into_iter().filter(|process| !known.contains(process)).collect();
        }
        true
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for process in self.processes.iter().rev() {
            process.signal(Signal::CONT);
        }
        // It has nothing left to do. Both work unless it has ended.
        let _ = self.watcher.kill();
        let _ = self.watcher.wait();
    }
}
