//! Removes what dead owners left: the servers of this user's records without asking any engine, and on request
//! everything of a backend, judged by its labels. A live owner's server, and what it can't judge, it leaves alone.

use std::time::SystemTime;

use ociman::{Backend, ContainerName, ContainerState, ContainerSummary};

use super::recover::{self, Whose};
use crate::model::session::{Name, PENDING_PREFIX};
use crate::model::{Liveness, Owner, label};
use crate::postgres::tls;
use crate::server::{Displaced, remove_displaced};
use crate::session::{Session, StopError};
use crate::state::record::RecordFile;
use crate::state::{Folders, MachineSecret, folders, handover, record, secret};

/// One leftover that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
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

/// Removes the servers that this user's killed commands left, as far as their backends answer, and what those commands
/// left half written. What can't be removed now is tried again by the next command.
pub async fn reap_recorded(folders: &Folders, reachable: &Backend, patience: Patience) -> Vec<Reaped> {
    folders::sweep(folders);
    reachable.sweep();
    // Before anything is removed that may be all that is left of a session. What fails is tried again.
    let _ = recover::put_all_back(folders, reachable, Whose::Dead).await;
    let mut reaped = Vec::new();
    for file in record::left_behind(folders, SystemTime::now()) {
        if handover::is_successor(folders, &file.record.container) {
            continue;
        }
        if patience == Patience::Settle {
            record::settle(|| file.may_start_late()).await;
        }
        let may_start_late = file.may_start_late();
        let backend = same_or_own(reachable, &file, folders);
        if patience == Patience::Hurry && !file.record.is_on(reachable) && backend.remote_host().is_some() {
            // Another machine may be long in not answering. Who works with it, or tidies up, sees to it.
            continue;
        }
        let container = backend.container(file.record.container.clone());
        if record::remove_made(&container, &file.record.nonce).await.is_ok() {
            tls::forget_session(folders, file.record.backend, file.record.credential());
            if may_start_late {
                file.remove_folder();
            } else {
                file.remove();
            }
            reaped.push(Reaped { backend: file.record.backend, container: file.record.container.to_string() });
        }
    }
    reaped
}

/// Forgets that a session was to be removed at some time, and what clients of it were given: it has been stopped. Without this, the next command after
/// that time finds that it has gone.
pub fn forget(folders: &Folders, session: &Session) {
    record::forget(folders, session.container(), session.nonce());
    tls::forget_session(folders, session.container().backend().kind(), session.credential());
}

/// Removes a session whose time is over. One that has got its name since then stays.
///
/// # Errors
/// [`StopError::Remove`].
pub async fn remove_expired(folders: &Folders, session: &Session) -> Result<(), StopError> {
    session.container().remove_force_if(&session.summary().id).await.map_err(StopError::Remove)?;
    session.discard_its_image().await;
    forget(folders, session);
    Ok(())
}

fn same_or_own(reachable: &Backend, file: &RecordFile, folders: &Folders) -> Backend {
    if file.record.is_on(reachable) {
        return reachable.clone();
    }
    let backend = match file.record.backend {
        kind if kind == reachable.kind() => reachable.clone(),
        ociman::Kind::Docker => Backend::docker(),
        ociman::Kind::Podman => Backend::podman(),
        ociman::Kind::Host => Backend::host(ociman::Host::at(folders.host())),
    };
    backend.selected(&file.record.selection)
}

/// Removes every container of a backend whose owner is dead or whose time has passed, this user's sessions whose server
/// has ended, and layers that have lost their name to others. Two that reap at once do no harm.
///
/// # Errors
/// When the backend does not list its containers, or does not remove one.
pub async fn reap_labelled(folders: &Folders, backend: &Backend) -> Result<Vec<Reaped>, ociman::CommandError> {
    let mut reaped = Vec::new();
    for container in garbage(folders, backend).await? {
        let session = container.name.strip_prefix(Name::OCI_PREFIX).and_then(|name| name.parse::<Name>().ok());
        let is_removed = match (session, container.state) {
            (Some(session), ContainerState::Exited | ContainerState::Created) => {
                remove_if_ended(folders, backend, &session, &container.id).await?
            }
            _ => {
                let Ok(name) = container.name.parse::<ContainerName>() else { continue };
                backend.container(name).remove_force_if(&container.id).await?;
                true
            }
        };
        if is_removed {
            forget_container(folders, backend, &container);
            reaped.push(Reaped { backend: backend.kind(), container: container.name });
        }
    }
    // The containers that are gone may have been of such an image.
    remove_displaced(backend, Displaced::All).await?;
    Ok(reaped)
}

fn forget_container(folders: &Folders, backend: &Backend, container: &ContainerSummary) {
    if let Some(credential) = secret::credential(&container.labels) {
        tls::forget_session(folders, backend.kind(), credential);
    }
    if let (Ok(name), Some(nonce)) = (container.name.parse(), container.labels.get(&label::NONCE_KEY)) {
        record::forget(folders, &backend.container(name), nonce.as_str());
    }
}

/// The containers that [`reap_labelled`] would remove.
pub(crate) async fn garbage(
    folders: &Folders,
    backend: &Backend,
) -> Result<Vec<ContainerSummary>, ociman::CommandError> {
    let labels = [
        label::OWNER_KEY,
        label::SESSION_KEY,
        label::EXPIRES_KEY,
        label::PROCESS_KEY,
        label::NONCE_KEY,
        label::CREDENTIAL_KEY,
        label::SECRET_KEY,
    ];
    let mut containers = backend.list(&[label::ours()], &labels).await?;
    let secret = MachineSecret::load(folders).ok().flatten();
    let now = SystemTime::now();
    containers.retain(|container| is_garbage(container, secret.as_ref(), now));
    containers.retain(|container| !is_awaited(folders, backend, container));
    Ok(containers)
}

/// Whether a note says that a session's container, or the one that is to take the session over, is to run again.
fn is_awaited(folders: &Folders, backend: &Backend, container: &ContainerSummary) -> bool {
    if let Some(session) = container.name.strip_prefix(Name::OCI_PREFIX) {
        return session.parse().is_ok_and(|session| handover::is_noted(folders, backend, &session));
    }
    container.name.parse().is_ok_and(|name| handover::is_successor(folders, &name))
}

/// What can't be read or judged is left alone: it may be another version's.
fn is_garbage(container: &ContainerSummary, secret: Option<&MachineSecret>, now: SystemTime) -> bool {
    if !label::is_own_container(&container.name, &container.labels) {
        return false;
    }
    let is_owner_dead =
        || matches!(label::owner(&container.labels), Ok(Some(owner)) if owner.liveness() == Liveness::Dead);
    if container.labels.get(&label::SESSION_KEY).is_none() {
        return is_owner_dead();
    }
    let process = label::json::<Owner>(&container.labels, label::PROCESS_KEY);
    if matches!(process, Ok(Some(process)) if process.liveness() == Liveness::Dead)
        || matches!(label::expires(&container.labels), Ok(Some(end)) if end <= now)
    {
        return true;
    }
    // Only where a session was made is it known whether a command has stopped its server for a moment.
    if !secret::made_from_here(&container.labels, secret) {
        return false;
    }
    match container.state {
        _ if container.name.starts_with(PENDING_PREFIX) => is_owner_dead(),
        ContainerState::Exited => true,
        ContainerState::Created => is_owner_dead(),
        ContainerState::Running | ContainerState::Paused | ContainerState::Unknown => false,
    }
}

/// Removes a session whose server has ended, unless a command has stopped it for a moment, and tells whether it did.
///
/// # Errors
/// [`StopError::Remove`].
pub async fn remove_ended(folders: &Folders, session: &Session) -> Result<bool, StopError> {
    let secret = MachineSecret::load(folders).ok().flatten();
    if !secret::made_from_here(&session.summary().labels, secret.as_ref()) {
        return Ok(false);
    }
    let backend = session.container().backend();
    let removed = remove_if_ended(folders, backend, session.name(), &session.summary().id).await;
    let is_removed = removed.map_err(StopError::Remove)?;
    if is_removed {
        session.discard_its_image().await;
        forget(folders, session);
    }
    Ok(is_removed)
}

/// As [`remove_ended`], of the container with this identifier.
async fn remove_if_ended(
    folders: &Folders,
    backend: &Backend,
    name: &Name,
    id: &str,
) -> Result<bool, ociman::CommandError> {
    // Whoever has stopped it for a moment holds the lock.
    let Ok(Some(_lock)) = recover::lock_if_free(folders, backend, name) else { return Ok(false) };
    let container = backend.container(name.container_name().clone());
    let state = match container.inspect().await {
        Ok(info) if info.id == id => info.state,
        Ok(_) | Err(ociman::CommandError::ContainerNotFound { .. }) => return Ok(false),
        Err(error) => return Err(error),
    };
    let has_ended = matches!(state, ContainerState::Exited | ContainerState::Created);
    if !has_ended || handover::is_noted(folders, backend, name) {
        return Ok(false);
    }
    container.remove_force_if(id).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use ociman::label::{Key, Labels};

    use super::*;

    fn container(labels: &[(Key, String)]) -> ContainerSummary {
        let mut labels = Labels::from_iter(labels.iter().map(|(key, text)| (key.clone(), label::value(text))));
        labels.insert(label::NONCE_KEY, label::value("n"));
        let name = labels.get(&label::SESSION_KEY).map_or("pg-ephemeral-x", |_| "pg-ephemeral-session-s");
        ContainerSummary {
            id: "1".to_owned(),
            name: name.to_owned(),
            labels,
            state: ContainerState::Running,
            ports: Vec::new(),
        }
    }

    fn owned_by(owner: &Owner) -> (Key, String) {
        (label::OWNER_KEY, serde_json::to_string(owner).unwrap())
    }

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1000)
    }

    #[test]
    fn a_dead_owners_container_is_garbage_and_a_live_ones_is_not() {
        let alive = Owner::current();
        let dead = Owner { start: alive.start - 1, ..alive.clone() };
        assert!(is_garbage(&container(&[owned_by(&dead)]), None, now()));
        assert!(!is_garbage(&container(&[owned_by(&alive)]), None, now()));
    }

    #[test]
    fn a_clock_that_jumps_changes_nothing_for_what_has_an_owner() {
        let alive = container(&[owned_by(&Owner::current())]);
        let dead = container(&[owned_by(&Owner { boot: "before".to_owned(), ..Owner::current() })]);
        for clock in [UNIX_EPOCH, now(), now() + Duration::from_secs(1 << 40)] {
            assert!(!is_garbage(&alive, None, clock) && is_garbage(&dead, None, clock), "{clock:?}");
        }
    }

    #[test]
    fn another_machines_container_is_left_alone() {
        let elsewhere = Owner { host: "elsewhere".to_owned(), ..Owner::current() };
        assert!(!is_garbage(&container(&[owned_by(&elsewhere)]), None, now()));
    }

    #[test]
    fn a_container_whose_owner_can_not_be_read_is_left_alone() {
        assert!(!is_garbage(&container(&[(label::OWNER_KEY, "{}".to_owned())]), None, now()));
        assert!(!is_garbage(&container(&[]), None, now()));
    }

    #[test]
    fn a_session_that_goes_with_a_process_is_garbage_when_that_is_dead() {
        let alive = Owner::current();
        let dead = Owner { boot: "before".to_owned(), ..alive.clone() };
        let session = |process: &Owner| {
            let process = (label::PROCESS_KEY, serde_json::to_string(process).unwrap());
            container(&[owned_by(&dead), (label::SESSION_KEY, "s".to_owned()), process])
        };
        assert!(is_garbage(&session(&dead), None, now()));
        assert!(!is_garbage(&session(&alive), None, now()));
    }

    #[test]
    fn a_session_is_garbage_from_its_expiry_on_whoever_made_it() {
        let dead = Owner { boot: "before".to_owned(), ..Owner::current() };
        let session = |expires: &str| {
            container(&[
                owned_by(&dead),
                (label::SESSION_KEY, "s".to_owned()),
                (label::EXPIRES_KEY, expires.to_owned()),
            ])
        };
        assert!(!is_garbage(&session("1001"), None, now()));
        assert!(is_garbage(&session("1000"), None, now()));
        assert!(!is_garbage(&session("soon"), None, now()));
        assert!(!is_garbage(&container(&[owned_by(&dead), (label::SESSION_KEY, "s".to_owned())]), None, now()));
    }

    #[tokio::test]
    async fn a_session_that_somebody_saves_or_replaces_at_the_moment_is_no_leftover() {
        use pg_ephemeral_testkit::{FakeBackend, FakeContainer, FakeLife};
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let secret = MachineSecret::load_or_create(&folders).unwrap().fingerprint("n");
        let labels = [
            (label::SESSION_KEY, "s"),
            (label::NONCE_KEY, "n"),
            (label::SECRET_KEY, &secret),
            (label::VERSION_KEY, "1"),
        ];
        let container = FakeContainer::new("pg-ephemeral-session-s", "localhost/x:1").life(FakeLife::Exited(0));
        let container = labels.iter().fold(container, |container, (key, text)| container.label(key.as_str(), text));
        let fake = FakeBackend::podman().with_image("localhost/x:1").with_container(container);
        let lock = recover::lock_if_free(&folders, &fake.backend(), &crate::session_name!("s")).unwrap();
        assert!(reap_labelled(&folders, &fake.backend()).await.unwrap().is_empty());
        assert_eq!(fake.containers().len(), 1);
        drop(lock);
        assert_eq!(reap_labelled(&folders, &fake.backend()).await.unwrap().len(), 1);
    }
}
