//! Removing leftovers of owners that have died. [`reap_recorded`] finds servers by the records of this user, without
//! asking an engine. [`reap_labelled`] lists all containers of a backend and decides by their labels. Both leave alone
//! the servers of live owners, and containers whose owner can't be determined.

use std::time::SystemTime;

use ociman::{Backend, ContainerName, ContainerState, ContainerSummary};

use super::recover::{self, Whose};
use crate::model::session::{Name, PENDING_PREFIX};
use crate::model::{Liveness, Owner, label};
use crate::postgres::tls;
use crate::server::{DisplacedLayers, remove_displaced};
use crate::session::{Session, StopError};
use crate::state::record::RecordFile;
use crate::state::{Folders, MachineSecret, folders, handover, record, secret};

/// A leftover container that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reaped {
    /// The backend that the container was on.
    pub backend: ociman::Kind,
    /// The name of the container.
    pub container: String,
}

/// Whether reaping waits for containers that an engine may still be creating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LateStarts {
    /// Does not wait. The next command removes a container that an engine creates late.
    Hurry,
    /// Waits until no interrupted start can create a container any more, for at most 20 seconds each.
    Settle,
}

/// Removes the servers that killed commands of this user have left, if their backends answer, and the files that those
/// commands have left incomplete. If something can't be removed now, the next command tries again.
pub async fn reap_recorded(folders: &Folders, reachable: &Backend, patience: LateStarts) -> Vec<Reaped> {
    folders::sweep(folders);
    reachable.sweep();
    // This comes first, because a leftover may be the only container that a session still has. The next command retries
    // a recovery that fails.
    let _ = recover::put_all_back(folders, reachable, Whose::Dead).await;
    let mut reaped = Vec::new();
    for file in record::left_behind(folders, SystemTime::now()) {
        if handover::is_successor(folders, &file.record.container) {
            continue;
        }
        if patience == LateStarts::Settle {
            record::settle(|| file.may_start_late()).await;
        }
        let may_start_late = file.may_start_late();
        let backend = same_or_own(reachable, &file, folders);
        if patience == LateStarts::Hurry && !file.record.is_on(reachable) && backend.remote_host().is_some() {
            // A remote engine that does not answer would cause a long delay. Commands that use that engine, and `gc`,
            // remove its leftovers.
            continue;
        }
        let container = backend.container(file.record.container.clone());
        if record::remove_if_nonce(&container, &file.record.nonce).await.is_ok() {
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

/// Removes the record of a session that has been stopped, and the file with its certificate authority. If this is not
/// called, a later command finds out that the container is gone, and removes them.
pub fn forget(folders: &Folders, session: &Session) {
    record::forget(folders, session.container(), session.nonce());
    tls::forget_session(folders, session.container().backend().kind(), session.credential());
}

/// Removes an expired session. Does not remove a newer session of the same name.
///
/// # Errors
/// Returns [`StopError::Remove`] if the backend fails to remove the container.
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

/// Removes all containers of a backend whose owner is dead or which have expired, sessions of this user whose server
/// has ended, and images of layers that have lost their name to newer ones. Several processes can do this at the same
/// time.
///
/// # Errors
/// Returns an error if the backend fails to list its containers or images, or to remove one.
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
    // This comes last, because an image can only be removed once no container uses it.
    remove_displaced(backend, DisplacedLayers::All).await?;
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

/// Returns the containers that [`reap_labelled`] would remove.
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

/// Returns `true` if a handover note names this container: as the container of a session whose server is stopped
/// temporarily, or as the successor.
fn is_awaited(folders: &Folders, backend: &Backend, container: &ContainerSummary) -> bool {
    if let Some(session) = container.name.strip_prefix(Name::OCI_PREFIX) {
        return session.parse().is_ok_and(|session| handover::is_noted(folders, backend, &session));
    }
    container.name.parse().is_ok_and(|name| handover::is_successor(folders, &name))
}

/// Returns `true` if a container is to be removed. Returns `false` if its labels can't be read, because another version
/// may have made it.
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
    // Only the state folder that the session was started from has a note if a command has stopped the server
    // temporarily.
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

/// Removes a session whose server has ended, unless a command has stopped the server temporarily. Returns `true` if the
/// session was removed.
///
/// # Errors
/// Returns [`StopError::Remove`] if the backend fails to inspect or remove the container.
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

/// As [`remove_ended`], for the container with this ID.
async fn remove_if_ended(
    folders: &Folders,
    backend: &Backend,
    name: &Name,
    id: &str,
) -> Result<bool, ociman::CommandError> {
    // A command that has stopped the server temporarily holds the lock.
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
    fn the_container_of_a_dead_owner_is_garbage_and_that_of_a_live_owner_is_not() {
        let alive = Owner::current();
        let dead = Owner { start: alive.start - 1, ..alive.clone() };
        assert!(is_garbage(&container(&[owned_by(&dead)]), None, now()));
        assert!(!is_garbage(&container(&[owned_by(&alive)]), None, now()));
    }

    #[test]
    fn whether_an_owned_container_is_garbage_does_not_depend_on_the_clock() {
        let alive = container(&[owned_by(&Owner::current())]);
        let dead = container(&[owned_by(&Owner { boot: "before".to_owned(), ..Owner::current() })]);
        for clock in [UNIX_EPOCH, now(), now() + Duration::from_secs(1 << 40)] {
            assert!(!is_garbage(&alive, None, clock) && is_garbage(&dead, None, clock), "{clock:?}");
        }
    }

    #[test]
    fn a_container_of_another_machine_is_left_alone() {
        let elsewhere = Owner { host: "elsewhere".to_owned(), ..Owner::current() };
        assert!(!is_garbage(&container(&[owned_by(&elsewhere)]), None, now()));
    }

    #[test]
    fn a_container_whose_owner_can_not_be_read_is_left_alone() {
        assert!(!is_garbage(&container(&[(label::OWNER_KEY, "{}".to_owned())]), None, now()));
        assert!(!is_garbage(&container(&[]), None, now()));
    }

    #[test]
    fn a_session_that_is_bound_to_a_process_is_garbage_once_the_process_is_dead() {
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
    fn a_session_of_any_user_is_garbage_once_it_has_expired() {
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
    async fn a_session_whose_lock_is_held_is_not_reaped() {
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
