//! Removes what dead owners left: the servers of this user's records without asking any engine, and on request
//! everything of a backend, judged by its labels. A live owner's server, and what it can't judge, it leaves alone.

use std::path::Path;
use std::time::{Duration, SystemTime};

use ociman::{Backend, ContainerName, ContainerSummary};

use crate::folders::{self, Folders};
use crate::label;
use crate::owner::{Liveness, Owner};
use crate::record::{self, Filed};
use crate::session::{Session, StopError};
use crate::tls;

/// One leftover that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaped {
    /// The backend it was on.
    pub backend: ociman::Kind,
    /// The container's name.
    pub container: String,
}

/// How long reaping may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// No longer than the removals: what an engine may still be about to make is left to the next command.
    Hurry,
    /// Until nothing can come any more.
    Settle,
}

/// How long a start that was cut off is waited for.
const SETTLE_LIMIT: Duration = Duration::from_secs(20);

/// Removes the servers that this user's killed commands left, as far as their backends answer, and what those commands
/// left half written. What can't be removed now is tried again by the next command.
pub async fn reap_recorded(folders: &Folders, reachable: &Backend, patience: Patience) -> Vec<Reaped> {
    folders::sweep(folders);
    if let Some(host) = reachable.as_host() {
        host.sweep();
    }
    let mut reaped = Vec::new();
    for filed in record::left_behind(folders, SystemTime::now()) {
        if patience == Patience::Settle {
            settle(&filed).await;
        }
        let may_start_late = filed.may_start_late();
        let backend = same_or_own(reachable, &filed, folders);
        if patience == Patience::Hurry && !filed.record.is_on(reachable) && backend.remote_host().is_some() {
            // Another machine may be long in not answering. Who works with it, or tidies up, sees to it.
            continue;
        }
        let container = backend.container(filed.record.container.clone());
        if filed.record.remove_container(&container).await.is_ok() {
            remove_folder(filed.record.folder.as_deref());
            tls::forget_session(folders, filed.record.backend, &filed.record.nonce);
            if !may_start_late {
                filed.remove();
            }
            reaped.push(Reaped { backend: filed.record.backend, container: filed.record.container.to_string() });
        }
    }
    reaped
}

/// Forgets that a session was to be removed at some time, and what clients of it were given: it has been stopped. Without this, the next command after
/// that time finds that it has gone.
pub fn forget(folders: &Folders, session: &Session) {
    record::forget(folders, session.container(), session.nonce());
    tls::forget_session(folders, session.container().backend().kind(), session.nonce());
}

/// Removes a session whose time is over. One that has got its name since then stays.
///
/// # Errors
/// [`StopError::Remove`].
pub async fn remove_expired(folders: &Folders, session: &Session) -> Result<(), StopError> {
    record::remove_session(session.container(), session.nonce()).await.map_err(StopError::Remove)?;
    session.discard_its_image().await;
    forget(folders, session);
    Ok(())
}

async fn settle(filed: &Filed) {
    let deadline = tokio::time::Instant::now() + SETTLE_LIMIT;
    while filed.may_start_late() && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn same_or_own(reachable: &Backend, filed: &Filed, folders: &Folders) -> Backend {
    if filed.record.is_on(reachable) {
        return reachable.clone();
    }
    let backend = match filed.record.backend {
        kind if kind == reachable.kind() => reachable.clone(),
        ociman::Kind::Docker => Backend::docker(),
        ociman::Kind::Podman => Backend::podman(),
        ociman::Kind::Host => Backend::host(ociman::Host::at(folders.host())),
    };
    backend.selected(&filed.record.selection)
}

pub(crate) fn remove_folder(folder: Option<&Path>) {
    if let Some(folder) = folder {
        // Whatever is still in the way is found again by the next command.
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// Removes every container of a backend whose owner is dead or whose time has passed. Two that reap at once do no harm.
///
/// # Errors
/// When the backend does not list its containers, or does not remove one.
pub async fn reap_labelled(backend: &Backend) -> Result<Vec<Reaped>, ociman::Error> {
    let mut reaped = Vec::new();
    for container in garbage(backend).await? {
        let Ok(name) = container.name.parse::<ContainerName>() else { continue };
        backend.container(name).remove_forced().await?;
        reaped.push(Reaped { backend: backend.kind(), container: container.name });
    }
    Ok(reaped)
}

/// The containers that [`reap_labelled`] would remove.
pub(crate) async fn garbage(backend: &Backend) -> Result<Vec<ContainerSummary>, ociman::Error> {
    let mut containers =
        backend.list(&[label::ours()], &[label::OWNER, label::SESSION, label::EXPIRES, label::PROCESS]).await?;
    let now = SystemTime::now();
    containers.retain(|container| is_garbage(container, now));
    Ok(containers)
}

/// What can't be read or judged is left alone: it may be another version's.
fn is_garbage(container: &ContainerSummary, now: SystemTime) -> bool {
    if container.labels.get(&label::SESSION).is_some() {
        let process = label::json::<Owner>(&container.labels, label::PROCESS);
        return matches!(process, Ok(Some(process)) if process.liveness() == Liveness::Dead)
            || matches!(label::expires(&container.labels), Ok(Some(end)) if end <= now);
    }
    match label::owner(&container.labels) {
        Ok(Some(owner)) => owner.liveness() == Liveness::Dead,
        Ok(None) | Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use ociman::ContainerState;
    use ociman::label::{Key, Labels};

    use super::*;

    fn container(labels: &[(Key, String)]) -> ContainerSummary {
        ContainerSummary {
            id: "1".to_owned(),
            name: "x".to_owned(),
            labels: Labels::from_iter(labels.iter().map(|(key, text)| (key.clone(), label::value(text)))),
            state: ContainerState::Running,
            ports: Vec::new(),
        }
    }

    fn owned_by(owner: &Owner) -> (Key, String) {
        (label::OWNER, serde_json::to_string(owner).unwrap())
    }

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1000)
    }

    #[test]
    fn a_dead_owners_container_is_garbage_and_a_live_ones_is_not() {
        let alive = Owner::current();
        let dead = Owner { start: alive.start - 1, ..alive.clone() };
        assert!(is_garbage(&container(&[owned_by(&dead)]), now()));
        assert!(!is_garbage(&container(&[owned_by(&alive)]), now()));
    }

    #[test]
    fn a_clock_that_jumps_changes_nothing_for_what_has_an_owner() {
        let alive = container(&[owned_by(&Owner::current())]);
        let dead = container(&[owned_by(&Owner { boot: "before".to_owned(), ..Owner::current() })]);
        for clock in [UNIX_EPOCH, now(), now() + Duration::from_secs(1 << 40)] {
            assert!(!is_garbage(&alive, clock) && is_garbage(&dead, clock), "{clock:?}");
        }
    }

    #[test]
    fn another_machines_container_is_left_alone() {
        let elsewhere = Owner { host: "elsewhere".to_owned(), ..Owner::current() };
        assert!(!is_garbage(&container(&[owned_by(&elsewhere)]), now()));
    }

    #[test]
    fn a_container_whose_owner_can_not_be_read_is_left_alone() {
        assert!(!is_garbage(&container(&[(label::OWNER, "{}".to_owned())]), now()));
        assert!(!is_garbage(&container(&[]), now()));
    }

    #[test]
    fn a_session_that_goes_with_a_process_is_garbage_when_that_is_dead() {
        let alive = Owner::current();
        let dead = Owner { boot: "before".to_owned(), ..alive.clone() };
        let session = |process: &Owner| {
            let process = (label::PROCESS, serde_json::to_string(process).unwrap());
            container(&[owned_by(&dead), (label::SESSION, "s".to_owned()), process])
        };
        assert!(is_garbage(&session(&dead), now()));
        assert!(!is_garbage(&session(&alive), now()));
    }

    #[test]
    fn a_session_is_garbage_from_its_expiry_on_whoever_made_it() {
        let dead = Owner { boot: "before".to_owned(), ..Owner::current() };
        let session = |expires: &str| {
            container(&[owned_by(&dead), (label::SESSION, "s".to_owned()), (label::EXPIRES, expires.to_owned())])
        };
        assert!(!is_garbage(&session("1001"), now()));
        assert!(is_garbage(&session("1000"), now()));
        assert!(!is_garbage(&session("soon"), now()));
        assert!(!is_garbage(&container(&[owned_by(&dead), (label::SESSION, "s".to_owned())]), now()));
    }
}
