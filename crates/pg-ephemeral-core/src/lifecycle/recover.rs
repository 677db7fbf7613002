//! Recovery of sessions whose server was stopped temporarily by a command that was then killed. A command stops the
//! server for a snapshot, or to replace it by the server of another container, the successor, and writes a handover
//! note before it does so. The next command that searches for the session reads the note. It either starts the old
//! server again or completes the replacement, so that the old session or the new one always exists.

use ociman::host::boot_id;
use ociman::{Backend, CommandError, Container, ContainerState};

use super::error::SnapshotError;
use crate::model::session::Name;
use crate::server::{STOP_LIMIT, Server, StartError, port_was_taken};
use crate::session::Session;
use crate::state::handover::{Successor, is_of, lock_name, path, read};
use crate::state::{Folders, Lock, LockError, handover, record};

/// Waits until no command of this user takes a snapshot of a session or replaces its server. If a killed command had
/// stopped the session's server, recovers the session.
///
/// Returns `true` if any command has ever done one of these things. A session can't be found for a moment while its
/// server is replaced, so a caller that has not found the session searches again if this returns `true`.
///
/// # Errors
/// Returns [`SnapshotError::Lock`] if the session's lock can't be taken, and [`SnapshotError::PutBack`] if the session
/// can't be recovered.
pub async fn settled(folders: &Folders, backend: &Backend, session: &Name) -> Result<bool, SnapshotError> {
    let was_taken = Lock::wait(folders, &lock_name(backend, session)).await?;
    let was_stopped = put_back(folders, backend, session).await?;
    Ok(was_taken || was_stopped)
}

/// Recovers a session whose server a killed command had stopped, or was about to stop. If a running command has stopped
/// the server, waits for that command first. Only checks whether a file exists unless there is a handover note.
///
/// Returns `true` if there was a handover note for the session.
///
/// # Errors
/// Returns [`SnapshotError::Lock`] if the session's lock can't be taken, and [`SnapshotError::PutBack`] if the session
/// can't be recovered.
pub async fn put_back(folders: &Folders, backend: &Backend, session: &Name) -> Result<bool, SnapshotError> {
    let was_stopped = handover::is_noted(folders, backend, session);
    if was_stopped {
        let _lock = lock(folders, backend, session).await?;
        put_back_locked(folders, backend, session).await?;
    }
    Ok(was_stopped)
}

/// Gives up the recovery of a session whose server a killed command had stopped, so that the session can be stopped. If
/// a running command has stopped the server, waits for that command first. Returns `true` if there was a recovery to
/// give up.
///
/// # Errors
/// Returns [`SnapshotError::Lock`] if the session's lock can't be taken, and [`SnapshotError::Abandon`] if the
/// successor can't be removed.
pub async fn abandon(folders: &Folders, backend: &Backend, session: &Name) -> Result<bool, SnapshotError> {
    if !handover::is_noted(folders, backend, session) {
        return Ok(false);
    }
    let _lock = lock(folders, backend, session).await?;
    abandon_locked(folders, backend, session).await
}

/// Returns the sessions on a backend whose server a command has stopped temporarily.
#[must_use]
pub fn stopped(folders: &Folders, backend: &Backend) -> Vec<Name> {
    handover::noted(folders, backend)
}

/// Recovers all sessions on a backend whose server a killed command had stopped. Only reads a folder unless there is a
/// handover note.
///
/// # Errors
/// Returns the error of the first session that can't be recovered, as [`put_back`]. The other sessions are recovered
/// nevertheless.
pub async fn put_all_back(folders: &Folders, backend: &Backend, whose: Whose) -> Result<(), SnapshotError> {
    let mut ended = Ok(());
    for session in handover::noted(folders, backend) {
        let lock = match whose {
            Whose::Dead => lock_if_free(folders, backend, &session),
            Whose::Any => lock(folders, backend, &session).await.map(Some),
        };
        let put = match lock {
            Ok(Some(_lock)) => put_back_locked(folders, backend, &session).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error.into()),
        };
        ended = ended.and(put);
    }
    ended
}

/// Which stopped servers [`put_all_back`] handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Only servers that killed commands have stopped.
    Dead,
    /// Also servers that running commands have stopped. Waits for these commands.
    Any,
}

/// Recovers a session whose server a killed command had stopped. The caller holds the session's lock.
///
/// Removes the handover note if the session is recovered, or if another attempt could not succeed either.
pub(super) async fn put_back_locked(folders: &Folders, backend: &Backend, session: &Name) -> Result<(), SnapshotError> {
    let path = path(folders, &lock_name(backend, session));
    let Some(note) = read(&path) else {
        let _ = std::fs::remove_file(path);
        return Ok(());
    };
    if note.selection != backend.selection() {
        return Ok(());
    }
    let failed = |source| SnapshotError::PutBack { session: session.clone(), source: Box::new(source) };
    let container = backend.container(session.container_name().clone());
    let before = match container.inspect().await {
        Ok(info) if is_of(&info, &note.nonce) => Some(info.state),
        Ok(_) | Err(CommandError::ContainerNotFound { .. }) => None,
        Err(error) => return Err(failed(StartError::Run(error))),
    };
    let before = match &note.successor {
        Some(successor) => {
            let decided = decide(folders, backend, session, &note.nonce, successor, before).await;
            decided.map_err(|error| failed(StartError::Run(error)))?
        }
        None => before,
    };
    if before.is_none() {
        record::forget(folders, &container, &note.nonce);
    }
    let is_lost = backend.remote_host().is_none() && note.boot != boot_id();
    let started = match before {
        _ if is_lost => Ok(()),
        Some(ContainerState::Exited) => container.start().await,
        // The killed command may have asked it to stop. Such a server accepts no connections and ends soon.
        Some(ContainerState::Running) => restart(&container).await,
        _ => Ok(()),
    };
    let is_expected = before.is_some() && !is_lost;
    let ended = match started {
        Ok(()) if is_expected => wait_until_back(folders, &container, session).await,
        Ok(()) => Ok(()),
        Err(error) => Err(StartError::Run(error).into()),
    };
    let may_do_better = matches!(&ended, Err(SnapshotError::Start(error)) if may_do_better(error));
    if !may_do_better {
        let _ = std::fs::remove_file(path);
    }
    match ended {
        Err(SnapshotError::Start(error)) => Err(failed(error)),
        ended => ended,
    }
}

/// Removes the successor that a session's handover note names, and then the note. Does not change the session's own
/// container. Returns `true` if there was a note. The caller holds the session's lock.
async fn abandon_locked(folders: &Folders, backend: &Backend, session: &Name) -> Result<bool, SnapshotError> {
    let path = path(folders, &lock_name(backend, session));
    let note = read(&path);
    if note.as_ref().is_some_and(|note| note.selection != backend.selection()) || !path.exists() {
        return Ok(false);
    }
    if let Some(successor) = note.and_then(|note| note.successor) {
        let given_up = give_up(folders, backend, session, &successor).await;
        given_up.map_err(|source| SnapshotError::Abandon { session: session.clone(), source })?;
    }
    let _ = std::fs::remove_file(path);
    Ok(true)
}

/// Returns `true` if a server that failed to start may start at another attempt.
fn may_do_better(error: &StartError) -> bool {
    port_was_taken(error)
        || matches!(error, StartError::Run(CommandError::Unreachable { .. } | CommandError::Command { .. }))
}

async fn wait_until_back(folders: &Folders, container: &Container, session: &Name) -> Result<(), SnapshotError> {
    match Session::running(container.backend(), session).await? {
        Some(found) => {
            let server = Server::attach(&found, folders)?;
            let client = server.wait_until_back().await?;
            Ok(server.turn_tls_on_again(&client, &found, folders).await?)
        }
        None => Err(StartError::ended(container).await.into()),
    }
}

async fn restart(container: &Container) -> Result<(), CommandError> {
    container.stop(STOP_LIMIT).await?;
    container.start().await
}

/// Removes the successor of a session whose own container remains.
async fn give_up(
    folders: &Folders,
    backend: &Backend,
    session: &Name,
    successor: &Successor,
) -> Result<(), CommandError> {
    let pending = backend.container(successor.container.clone());
    record::settle(|| record::may_start_late(folders, &pending, &successor.nonce)).await;
    record::remove_if_nonce(&pending, &successor.nonce).await?;
    // The record of the successor has its own name at first. It gets the session's name just before the container does.
    for name in [&successor.container, session.container_name()] {
        record::forget(folders, &backend.container(name.clone()), &successor.nonce);
    }
    Ok(())
}

/// Decides whether a session continues in its own container, whose state is `own`, or in its successor, and removes the
/// other one. Returns the state of its own container if the session continues there, and `None` otherwise.
async fn decide(
    folders: &Folders,
    backend: &Backend,
    session: &Name,
    nonce: &str,
    successor: &Successor,
    own: Option<ContainerState>,
) -> Result<Option<ContainerState>, CommandError> {
    let can_take_over = can_take_over(folders, backend, successor).await?;
    if own.is_some() {
        if !(successor.is_ready && can_take_over == Some(true)) {
            give_up(folders, backend, session, successor).await?;
            return Ok(own);
        }
        // The removal of the session's own container may have begun, and an engine completes a removal even if its
        // client is killed. So the successor takes over.
        record::remove_if_nonce(&backend.container(session.container_name().clone()), nonce).await?;
    }
    match can_take_over {
        Some(true) => match backend.container(successor.container.clone()).rename(session.container_name()).await {
            // The session was removed, and another session of the same name was started since.
            Err(CommandError::NameTaken { .. }) => give_up(folders, backend, session, successor).await?,
            renamed => drop(renamed?),
        },
        Some(false) => give_up(folders, backend, session, successor).await?,
        // The successor has been renamed to the session's name already, or is gone.
        None => {}
    }
    Ok(None)
}

/// Returns whether the successor runs and is completely set up, so that it can take over the session; `None` if no
/// container has the successor's pending name.
async fn can_take_over(
    folders: &Folders,
    backend: &Backend,
    successor: &Successor,
) -> Result<Option<bool>, CommandError> {
    let pending = backend.container(successor.container.clone());
    match pending.inspect().await {
        Ok(info) => {
            // The note may not say that the successor is ready, but its record shows whether its set-up is complete.
            let is_half_started = record::depends_on_owner(folders, &pending, &successor.nonce);
            let is_running = info.state == ContainerState::Running && is_of(&info, &successor.nonce);
            Ok(Some(is_running && !is_half_started))
        }
        Err(CommandError::ContainerNotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes the lock of a session; `None` if a command that takes a snapshot of it or replaces its server holds the lock.
pub(crate) fn lock_if_free(folders: &Folders, backend: &Backend, session: &Name) -> Result<Option<Lock>, LockError> {
    Lock::take_if_free(folders, &lock_name(backend, session))
}

/// Waits for the lock of a session. Every command that takes a snapshot of the session or replaces its server holds it.
pub(super) async fn lock(folders: &Folders, backend: &Backend, session: &Name) -> Result<Lock, LockError> {
    Lock::take(folders, &lock_name(backend, session)).await
}

#[cfg(test)]
mod tests {
    use pg_ephemeral_testkit::FakeBackend;

    use super::*;

    #[test]
    fn a_note_exists_until_it_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let backend = FakeBackend::podman().backend();
        let session = crate::session_name!("s");
        let container = backend.container(session.container_name().clone());
        let stopped = handover::Stopped::beginning(&folders, &session, &container, "n");
        stopped.write().unwrap();
        assert!(handover::is_noted(&folders, &backend, &session));
        assert_eq!(handover::noted(&folders, &backend), std::slice::from_ref(&session));
        stopped.remove();
        assert!(!handover::is_noted(&folders, &backend, &session));
    }

    #[tokio::test]
    async fn a_ready_successor_takes_over_while_the_old_container_is_still_being_removed() {
        use pg_ephemeral_testkit::{FakeContainer, FakeLife};
        let session = crate::session_name!("s");
        for fake in [FakeBackend::docker(), FakeBackend::podman()] {
            let home = tempfile::tempdir().unwrap();
            let folders = Folders::at(home.path());
            let successor: ociman::ContainerName = "pg-ephemeral-pending-1".parse().unwrap();
            let labels =
                [("pg-ephemeral.session", "s"), ("pg-ephemeral.version", "0.1.0"), ("pg-ephemeral.nonce", "later")];
            let pending = FakeContainer::new(successor.as_str(), "localhost/x:1").life(FakeLife::Running);
            let pending = labels.iter().fold(pending, |pending, (key, text)| pending.label(key, text));
            let fake = fake.with_session("s", "localhost/x:1", &[("pg-ephemeral.nonce", "n")]).with_container(pending);
            let backend = fake.backend();
            let container = backend.container(session.container_name().clone());
            let stopped = handover::Stopped::beginning(&folders, &session, &container, "n");
            stopped.write_successor(&successor, "later").unwrap();
            stopped.write_ready().unwrap();
            assert!(put_back(&folders, &backend, &session).await.unwrap());
            assert_eq!(fake.containers(), [session.container_name().as_str()]);
            assert!(is_of(&container.inspect().await.unwrap(), "later"));
            assert!(!handover::is_noted(&folders, &backend, &session));
        }
    }

    #[test]
    fn a_server_whose_container_is_gone_is_not_started_again() {
        let engine = CommandError::ContainerNotFound { container: "x".to_owned() };
        assert!(!may_do_better(&StartError::Run(engine)));
    }
}
