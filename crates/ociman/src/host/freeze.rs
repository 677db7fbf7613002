//! Holds all processes of a container still, so that its files can be copied as they are at one moment. They go on when
//! the value is dropped, and also when this process is killed meanwhile: a watcher sees to that.

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
pub(crate) struct Frozen {
    /// The leader first.
    processes: Vec<ProcessIdentity>,
    watcher: Child,
}

/// Stops a running container's leader, and then whatever else belongs to it until nothing is left that could start more.
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
    Err(HostError::Restless { container: container.name.clone(), limit }.into())
}

/// In a group of its own, so that it outlives what ends this process.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::folder;
    use crate::host::{Host, HostImageConfig};
    use crate::{Backend, Reference, RunSpec};

    /// A parent that waits for a child of vfork() to start another program does not even stop.
    const RESTLESS: &str =
        "import ctypes, time; ctypes.CDLL(None).vfork() or (print('ready', flush=True), time.sleep(600))";

    #[tokio::test]
    async fn a_process_that_does_not_stand_still_is_an_error_and_all_go_on() {
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
        assert!(matches!(&error, CommandError::Host(HostError::Restless { .. })), "{error:?}");
        assert!(locked.is_running());
        drop(locked);
        container.remove_force().await.unwrap();
    }
}
