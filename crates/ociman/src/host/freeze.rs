//! Pauses all processes of a container, so that its files can be copied as they are at one moment. The processes
//! continue when the value is dropped. If this process is killed meanwhile, a watcher continues them.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::process::members::{HeldRoot, members};
use crate::CommandError;
use crate::error::HostError;
use crate::host::store::container_store::LockedContainer;
use crate::process::ProcessIdentity;

/// How long the processes may take to pause. A process that waits for a disk finishes that first.
const FREEZE_LIMIT: Duration = Duration::from_secs(10);
/// The shell script of the watcher. It waits until the process that holds the other end of its standard input has
/// ended, and then continues a tree of processes, innermost first. The IDs of ended children are not reused while their
/// parent is stopped.
const WATCH: &str = r#"
thaw() { for child in $(cat /proc/"$1"/task/*/children); do thaw "$child"; done; kill -CONT "$1"; }
read -r _
thaw "$1"
"#;

/// A container whose processes are paused.
#[must_use]
pub(crate) struct Frozen {
    /// The paused processes, the leader first.
    processes: Vec<ProcessIdentity>,
    watcher: Child,
}

/// Pauses a running container's leader, and then its other processes until none is left that could start more.
pub(crate) fn freeze(container: &LockedContainer, root: &OwnedFd) -> Result<Frozen, CommandError> {
    freeze_within(container, root, FREEZE_LIMIT)
}

fn freeze_within(container: &LockedContainer, root: &OwnedFd, limit: Duration) -> Result<Frozen, CommandError> {
    let leader = container.leader().filter(|_| container.is_running());
    let leader = leader.ok_or_else(|| CommandError::ContainerNotRunning { container: container.name.clone() })?;
    let held = container.held_root(root)?;
    let watcher = watch(leader).map_err(|source| HostError::Background { source })?;
    let mut frozen = Frozen { processes: Vec::new(), watcher };
    if frozen.stop_all(leader, held, limit) {
        return Ok(frozen);
    }
    Err(HostError::CanNotPause { container: container.name.clone(), limit }.into())
}

/// Starts the watcher. It has its own process group, so that a signal to the group of this process does not end it.
fn watch(leader: ProcessIdentity) -> std::io::Result<Child> {
    let mut watcher = Command::new("/bin/sh");
    watcher.args(["-c", WATCH, "sh", &leader.pid.to_string()]).current_dir("/").process_group(0);
    watcher.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

impl Frozen {
    fn stop_all(&mut self, leader: ProcessIdentity, held: HeldRoot, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut known = HashSet::new();
        let mut new = vec![leader];
        while !new.is_empty() {
            for process in &new {
                known.insert(*process);
                self.processes.push(*process);
                process.signal(Signal::STOP);
            }
            while !new.iter().all(|process| process.is_stopped_or_ended()) {
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
        // The watcher has nothing left to do. Both calls succeed unless it has already ended.
        let _ = self.watcher.kill();
        let _ = self.watcher.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::folder;
    use crate::host::{Host, HostImageConfig};
    use crate::{Backend, Reference, RunSpec};

    /// A Python program that can't be paused: a parent that waits for its child of vfork() to execute another program
    /// does not react to a stop signal.
    const RESTLESS: &str =
        "import ctypes, time; ctypes.CDLL(None).vfork() or (print('ready', flush=True), time.sleep(600))";

    #[tokio::test]
    async fn a_process_that_can_not_be_paused_is_an_error_and_all_processes_continue() {
        let state = tempfile::tempdir().unwrap();
        let host = Host::at(state.path());
        let image: Reference = "test/restless:1".parse().unwrap();
        let config = HostImageConfig::new(["python3", "-c", RESTLESS]);
        host.create_image(&image, config, |_| Ok(())).await.unwrap();
        let mut container = Backend::host(host.clone()).run(&RunSpec::new("a".parse().unwrap(), image)).await.unwrap();
        while !container.last_log_lines(1).await.unwrap().contains("ready") {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let locked = host.stores.containers.lock(container.name()).unwrap();
        let root = folder::open(&locked.root_path()).unwrap();
        let error = freeze_within(&locked, &root, Duration::from_millis(50)).err().unwrap();
        assert!(matches!(&error, CommandError::Host(HostError::CanNotPause { .. })), "{error:?}");
        assert!(locked.is_running());
        drop(locked);
        container.remove_force().await.unwrap();
    }
}
