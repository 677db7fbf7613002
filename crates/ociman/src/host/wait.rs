//! Waits for the end of a container's process, whichever process started it, and for the record of its exit status.

use std::time::{Duration, Instant};

use super::process::spawner;
use super::store::container_store::{ContainerStore, StoredContainer};
use crate::command::ExitStatus;
use crate::process::ProcessIdentity;
use crate::{CommandError, ContainerName, ContainerState};

/// How long the starter may take to record how the process ended.
const STATUS_LIMIT: Duration = Duration::from_secs(1);
/// The interval at which it is checked whether the starter has done so.
const STATUS_PAUSE: Duration = Duration::from_millis(1);
/// The interval at which a process that another process started is checked.
const POLL_PAUSE: Duration = Duration::from_millis(5);
/// The status that is reported if the starter had ended before and nobody saw how the process ended.
const UNKNOWN: ExitStatus = ExitStatus::Exited(255);

/// Waits until the process of a container has ended, and returns how it ended.
pub(super) async fn for_exit(containers: &ContainerStore, name: &ContainerName) -> Result<ExitStatus, CommandError> {
    loop {
        let container = containers.find(name)?;
        match (container.state(), container.leader()) {
            (ContainerState::Running, Some(leader)) => until_gone(leader).await,
            (ContainerState::Exited, _) => return status(containers, name).await,
            _ => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

async fn status(containers: &ContainerStore, name: &ContainerName) -> Result<ExitStatus, CommandError> {
    let deadline = Instant::now() + STATUS_LIMIT;
    loop {
        let container = containers.find(name)?;
        if !container.awaits_status() || Instant::now() > deadline {
            return Ok(container.start.and_then(|start| start.exit).unwrap_or(UNKNOWN));
        }
        tokio::time::sleep(STATUS_PAUSE).await;
    }
}

/// Returns a container as it is, but never in the state between the end of its process and the record of its exit
/// status: a caller that stops a container and then inspects it must see both. Blocks until the starter has written the
/// record.
pub(super) fn settled(containers: &ContainerStore, name: &ContainerName) -> Result<StoredContainer, CommandError> {
    let deadline = Instant::now() + STATUS_LIMIT;
    loop {
        let container = containers.find(name)?;
        if !container.awaits_status() || Instant::now() > deadline {
            return Ok(container);
        }
        std::thread::sleep(STATUS_PAUSE);
    }
}

async fn until_gone(process: ProcessIdentity) {
    if let Some(mut ended) = spawner::end_of(process.pid) {
        // An error means that the sender was dropped, which happens after the end.
        let _ = ended.wait_for(|ended| *ended).await;
        return;
    }
    // The process is another process's child, so nothing notifies this process of its end.
    while process.is_alive() {
        tokio::time::sleep(POLL_PAUSE).await;
    }
}
