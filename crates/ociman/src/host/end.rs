//! Ends the processes of a container, and removes the container with them. A container has ended when its process has
//! ended AND the lock on its root can be taken: then none of its processes is left, wherever it is in the process tree.
//!
//! System V shared memory that belongs to a folder in the root is removed with the processes. This module does not know
//! what else a killed process leaves outside its root, such as a file in `/dev/shm`.

use std::io;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::lockable::Lockable;
use super::process::members::members;
use super::process::{shared_memory, signal};
use super::store::Stores;
use super::store::container_store::LockedContainer;
use super::store::slot::Slot;
use crate::error::HostError;
use crate::files::remove;
use crate::process::ProcessIdentity;
use crate::{CommandError, ContainerName};

/// How long the processes of a container may take to end after the removal signal.
const REMOVAL_LIMIT: Duration = Duration::from_secs(5);
/// How long the other processes may take to end after their leader has ended.
const ORPHAN_LIMIT: Duration = Duration::from_millis(200);
/// How long killed processes are given to end before the remaining ones are looked for.
const KILL_PAUSE: Duration = Duration::from_millis(20);
/// How long the system may take to end killed processes.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// What happens to processes that don't end in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Persistence {
    /// They are killed.
    Kill,
    /// They are left running, which is an error: killing them would spoil their files.
    Refuse,
}

/// Ends a container's processes and keeps the container.
pub(super) fn stop(stores: &Stores, name: &ContainerName, limit: Duration) -> Result<(), CommandError> {
    let container = stores.containers.lock(name)?;
    let stop_signal = signal::parse(&container.record.stop_signal)?;
    end_processes(&container, stop_signal, limit, Persistence::Kill)?;
    Ok(())
}

/// Removes a container, running or not. Does nothing if the container does not exist.
pub(super) fn remove_force(stores: &Stores, name: &ContainerName) -> Result<(), CommandError> {
    match stores.containers.lock(name) {
        Ok(container) => Ok(discard(stores, container)?),
        Err(CommandError::ContainerNotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes a container that is not running.
pub(super) fn remove_stopped(stores: &Stores, name: &ContainerName) -> Result<(), CommandError> {
    let container = stores.containers.lock(name)?;
    if container.is_running() {
        return Err(HostError::Running { container: name.to_string() }.into());
    }
    Ok(discard(stores, container)?)
}

/// Removes a container if it still has this ID.
pub(super) fn remove_if(stores: &Stores, name: &ContainerName, id: &str) -> Result<(), CommandError> {
    match stores.containers.lock(name) {
        Ok(container) if container.record.id == id => Ok(discard(stores, container)?),
        Ok(_) | Err(CommandError::ContainerNotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Ends the processes of a container and removes it. Its slot is released last, so that no two containers are ever seen
/// with the same slot.
pub(super) fn discard(stores: &Stores, container: LockedContainer) -> Result<(), HostError> {
    let removal_signal = signal::parse(&container.record.image.removal_signal)?;
    let root = end_processes(&container, removal_signal, REMOVAL_LIMIT, Persistence::Kill)?;
    let slot = container.slot();
    let path = container.folder.clone();
    let hidden = container.hide()?;
    let released = match (slot, root) {
        (Some(slot), Some(root)) => stores.slots.release(Slot { folder: slot, root }),
        _ => Ok(()),
    };
    remove::tree(&hidden).map_err(HostError::file("remove container", &path))?;
    released
}

/// Ends a container's processes and locks its root. Returns `None` if the container has no root, or no root any more.
pub(super) fn end_processes(
    container: &LockedContainer,
    signal: Signal,
    limit: Duration,
    persistence: Persistence,
) -> Result<Option<Lockable>, HostError> {
    let path = container.root_path();
    let root = match Lockable::open_root(&path) {
        Ok(root) => root,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(HostError::file("open", &path)(error)),
    };
    let leader = container.leader().filter(|_| container.is_running());
    if let Some(leader) = leader {
        leader.signal(signal);
    }
    let patience = if signal == Signal::KILL { Duration::ZERO } else { ORPHAN_LIMIT };
    if !wait_for_end(&root, leader, limit, patience) {
        if persistence == Persistence::Refuse && leader.is_some_and(ProcessIdentity::is_alive) {
            return Err(HostError::StillRunning { container: container.name.clone(), limit });
        }
        kill(container, &root, leader, KILL_LIMIT)?;
    }
    shared_memory::remove_of_folders_in(&path).map_err(HostError::file("remove the shared memory of", &path))?;
    Ok(Some(root))
}

/// Kills the remaining processes of a container until its root can be locked.
fn kill(
    container: &LockedContainer,
    root: &Lockable,
    leader: Option<ProcessIdentity>,
    limit: Duration,
) -> Result<(), HostError> {
    tracing::debug!(container = %container.name, "kill what is left of it");
    let held = container.held_root(root)?;
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        for process in members(leader, held) {
            process.signal(Signal::KILL);
        }
        if wait_for_end(root, leader, KILL_PAUSE, KILL_PAUSE) {
            return Ok(());
        }
    }
    Err(HostError::Unkillable { container: container.name.clone(), root: container.root_path() })
}

/// Locks the root of a container that is not running.
pub(super) fn hold_root(container: &LockedContainer) -> Result<Lockable, HostError> {
    // There is no leader to signal. Orphaned processes that still hold the lock are killed.
    let root = end_processes(container, Signal::KILL, REMOVAL_LIMIT, Persistence::Kill)?;
    let path = container.root_path();
    root.ok_or_else(|| HostError::file("open", &path)(io::Error::from(io::ErrorKind::NotFound)))
}

/// Waits until the leader has ended and the root is locked. Gives up after `limit`, and also when other processes hold
/// the lock for longer than `patience` after the end of the leader, because they may not know that they should end.
fn wait_for_end(root: &Lockable, leader: Option<ProcessIdentity>, limit: Duration, patience: Duration) -> bool {
    let begin = Instant::now();
    let mut locked = false;
    let mut alone_since = None;
    loop {
        locked = locked || root.try_lock();
        let alive = leader.is_some_and(ProcessIdentity::is_alive);
        let waited = begin.elapsed();
        match (locked, alive) {
            (true, false) => return true,
            (false, false) if waited - *alone_since.get_or_insert(waited) > patience => {
                return false;
            }
            _ if waited > limit => return false,
            _ => {}
        }
        // The pause is short at first, because most processes end within a few milliseconds and the caller is waiting.
        let pause = if waited < Duration::from_millis(50) { 100 } else { 2_000 };
        std::thread::sleep(Duration::from_micros(pause));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{Host, HostImageConfig};
    use crate::{Backend, Container, Reference, RunSpec};

    const SHORT: Duration = Duration::from_millis(20);

    /// Starts a container that ignores the stop signal, and waits until it reports that it does.
    async fn stubborn(host: &Host) -> Container {
        let image: Reference = "test/stubborn:1".parse().unwrap();
        let script = "trap '' TERM; echo ready; while :; do sleep 1; done";
        host.create_image(&image, HostImageConfig::new(["/bin/sh", "-c", script]), |_| Ok(())).await.unwrap();
        let container =
            Backend::host(host.clone()).run(&RunSpec::new("stubborn".parse().unwrap(), image)).await.unwrap();
        while !container.last_log_lines(1).await.unwrap().contains("ready") {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        container
    }

    #[tokio::test]
    async fn a_container_whose_restart_was_cut_off_is_kept_and_can_be_started_again() {
        let state = tempfile::tempdir().unwrap();
        let host = Host::at(state.path());
        let mut container = stubborn(&host).await;
        stop(&host.stores, container.name(), SHORT).unwrap();
        let mut locked = host.stores.containers.lock(container.name()).unwrap();
        let (root, slot) = (hold_root(&locked).unwrap(), locked.slot());
        // These are the steps of a start before its process is created.
        locked.announce_start(&root, slot.as_deref()).unwrap();
        drop((locked, root));
        let found = host.stores.containers.list().unwrap();
        assert_eq!(found.iter().map(|found| found.state()).collect::<Vec<_>>(), [crate::ContainerState::Exited]);
        container.start().await.unwrap();
        assert!(host.stores.containers.find(container.name()).unwrap().is_running());
        container.remove_force().await.unwrap();
    }

    #[tokio::test]
    async fn a_leader_that_does_not_end_and_must_not_be_killed_is_an_error_and_keeps_running() {
        let state = tempfile::tempdir().unwrap();
        let host = Host::at(state.path());
        let mut container = stubborn(&host).await;
        let locked = host.stores.containers.lock(container.name()).unwrap();
        let error = end_processes(&locked, Signal::TERM, SHORT, Persistence::Refuse).unwrap_err();
        assert_eq!(error.to_string(), "failed to stop stubborn: still running after 0.02 s");
        assert!(matches!(error, HostError::StillRunning { .. }) && locked.is_running());
        drop(locked);
        container.remove_force().await.unwrap();
    }

    #[tokio::test]
    async fn a_root_locked_by_a_foreign_process_is_an_error_that_names_the_root() {
        let state = tempfile::tempdir().unwrap();
        let host = Host::at(state.path());
        let mut container = stubborn(&host).await;
        container.stop(Duration::ZERO).await.unwrap();
        let locked = host.stores.containers.lock(container.name()).unwrap();
        let path = locked.root_path();
        let holder = Lockable::open_root(&path).unwrap();
        assert!(holder.try_lock());
        let root = Lockable::open_root(&path).unwrap();
        let error = kill(&locked, &root, None, SHORT).unwrap_err();
        assert!(matches!(&error, HostError::Unkillable { root, .. } if *root == path), "{error:?}");
        drop(holder);
        kill(&locked, &root, None, Duration::from_secs(10)).unwrap();
        drop((root, locked));
        container.remove_force().await.unwrap();
    }
}
