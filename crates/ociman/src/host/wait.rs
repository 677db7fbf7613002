//! Waits for the end of a container's process, whoever started it, and for the word on how it ended.

use std::time::{Duration, Instant};

use super::process::spawner;
use super::store::container_store::{ContainerStore, StoredContainer};
use crate::command::ExitStatus;
use crate::process::ProcessIdentity;
use crate::{CommandError, ContainerName, ContainerState};

/// How long the starter may take to write down how the process ended.
const STATUS_LIMIT: Duration = Duration::from_secs(1);
/// How often it is looked whether it has.
const STATUS_PAUSE: Duration = Duration::from_millis(1);
/// How often a process is looked at that another one started.
const POLL_PAUSE: Duration = Duration::from_millis(5);
/// What is told when nobody saw how the process ended, because its starter had gone before.
const UNKNOWN: ExitStatus = ExitStatus::Exited(255);

/// How the process of a container ended, once it has.
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

/// A container as it is, but never between the end of its process and the word on how it ended: who stops a container and
/// then looks at it is to see both. Blocks for as long as the starter takes to write.
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
        // An error means that the sender has gone, which it does after the end.
        let _ = ended.wait_for(|ended| *ended).await;
        return;
    }
    // Another process's child: nobody tells us.
    while process.is_alive() {
        tokio::time::sleep(POLL_PAUSE).await;
    }
}
