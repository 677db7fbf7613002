//! Sessions whose server a command had stopped for a moment when it was killed: for a snapshot, or because another container
//! was about to take the session over. Whoever looks for the session next reads the note and either starts the server again
//! or completes the takeover, so that there always is the old session or the new one.

use ociman::host::boot_id;
use ociman::{Backend, CommandError, Container, ContainerState};

use super::error::SnapshotError;
use crate::model::session::Name;
use crate::server::{STOP_LIMIT, Server, StartError, port_was_taken};
use crate::session::Session;
use crate::state::handover::{Successor, is_of, lock_name, path, read};
use crate::state::{Folders, Lock, LockError, handover, record};

/// Waits until nobody of this user saves a session or puts it back, and tells whether anybody ever has. While it is put back
/// it can't be found for a moment: who does not find it waits so, and looks again when this is true. A server that a killed
/// command had stopped for a snapshot is started again.
///
/// # Errors
/// [`SnapshotError::Lock`] and [`SnapshotError::PutBack`].
pub async fn settled(folders: &Folders, backend: &Backend, session: &Name) -> Result<bool, SnapshotError> {
    let was_taken = Lock::wait(folders, &lock_name(backend, session)).await?;
    let was_stopped = put_back(folders, backend, session).await?;
    Ok(was_taken || was_stopped)
}

/// Starts a session's server again that a killed command had stopped for a snapshot, or was about to, and tells whether there
/// was one. While a command has it stopped, this waits for that command's end. It is only a look for a file unless a server
/// is stopped.
///
/// # Errors
/// [`SnapshotError::Lock`] and [`SnapshotError::PutBack`].
pub async fn put_back(folders: &Folders, backend: &Backend, session: &Name) -> Result<bool, SnapshotError> {
    let was_stopped = handover::is_noted(folders, backend, session);
    if was_stopped {
        let _lock = lock(folders, backend, session).await?;
        put_back_locked(folders, backend, session).await?;
    }
    Ok(was_stopped)
}

/// Gives up starting the server of a session again that a killed command had stopped, or replacing it, so that the session can be
/// stopped. Returns whether there was anything to give up. While a command that is alive has the server stopped, this waits for the
/// end of that command.
///
/// # Errors
/// [`SnapshotError::Lock`] and [`SnapshotError::Abandon`].
pub async fn abandon(folders: &Folders, backend: &Backend, session: &Name) -> Result<bool, SnapshotError> {
    if !handover::is_noted(folders, backend, session) {
        return Ok(false);
    }
    let _lock = lock(folders, backend, session).await?;
    abandon_locked(folders, backend, session).await
}

/// The sessions of a backend whose server a command has stopped, to start it again.
#[must_use]
pub fn stopped(folders: &Folders, backend: &Backend) -> Vec<Name> {
    handover::noted(folders, backend)
}

/// Puts every session of a backend right whose server a killed command had stopped. It is only a look into a folder unless a
/// server is stopped.
///
/// # Errors
/// As [`put_back`], for the first one that stays as it is. The others are put right.
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

/// Whose stopped servers are seen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Those of commands that were killed.
    Dead,
    /// Those of commands that still run too: their end is waited for.
    Any,
}

/// Puts a session right whose server a killed command had stopped. The caller holds the session's lock.
///
/// The note goes when that is done, or when another try would do no better.
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
        // It may be about to stop: then it takes no connections, and soon would not be there.
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

/// Gives up what a note is to bring about: removes the container that was to take the session over, and then the note. The
/// session's own container stays as it is. Returns whether there was a note. The caller holds the session's lock.
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

/// Whether a server that did not come up may do so at another time.
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

/// Removes a container that was to take a session over which is still there.
async fn give_up(
    folders: &Folders,
    backend: &Backend,
    session: &Name,
    successor: &Successor,
) -> Result<(), CommandError> {
    let pending = backend.container(successor.container.clone());
    record::settle(|| record::may_start_late(folders, &pending, &successor.nonce)).await;
    record::remove_made(&pending, &successor.nonce).await?;
    // Its record has the session's name from the moment on at which it is about to get that.
    for name in [&successor.container, session.container_name()] {
        record::forget(folders, &backend.container(name.clone()), &successor.nonce);
    }
    Ok(())
}

/// Decides whether a session goes on in its own container, whose state is given, or in the one that was to take it over.
/// Returns the state of its own container if it goes on there.
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
        // Its removal may have begun, and comes to its end without anybody's help.
        record::remove_made(&backend.container(session.container_name().clone()), nonce).await?;
    }
    match can_take_over {
        Some(true) => match backend.container(successor.container.clone()).rename(session.container_name()).await {
            // The session was given up, and another one of the name was started.
            Err(CommandError::NameTaken { .. }) => give_up(folders, backend, session, successor).await?,
            renamed => drop(renamed?),
        },
        Some(false) => give_up(folders, backend, session, successor).await?,
        // It has the session's name already.
        None => {}
    }
    Ok(None)
}

/// Whether a container is all that the session is to be which it was to take over; `None` when it is not there by its
/// name.
async fn can_take_over(
    folders: &Folders,
    backend: &Backend,
    successor: &Successor,
) -> Result<Option<bool>, CommandError> {
    let pending = backend.container(successor.container.clone());
    match pending.inspect().await {
        Ok(info) => {
            // Its record tells what it lacks, when somebody else has removed the session meanwhile.
            let is_half_started = record::depends_on_owner(folders, &pending, &successor.nonce);
            let is_running = info.state == ContainerState::Running && is_of(&info, &successor.nonce);
            Ok(Some(is_running && !is_half_started))
        }
        Err(CommandError::ContainerNotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The lock of a session, unless somebody saves it or replaces its server.
pub(crate) fn lock_if_free(folders: &Folders, backend: &Backend, session: &Name) -> Result<Option<Lock>, LockError> {
    Lock::take_if_free(folders, &lock_name(backend, session))
}

/// The lock that whoever saves or replaces the server of a session holds.
pub(super) async fn lock(folders: &Folders, backend: &Backend, session: &Name) -> Result<Lock, LockError> {
    Lock::take(folders, &lock_name(backend, session)).await
}

#[cfg(test)]
mod tests {
    use pg_ephemeral_testkit::FakeBackend;

    use super::*;

    #[test]
    fn a_note_is_there_until_the_server_runs_again() {
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
    async fn a_successor_that_is_ready_takes_the_session_over_while_the_old_container_is_still_being_removed() {
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
    fn a_server_is_only_tried_again_when_another_time_may_do_better() {
        let engine = CommandError::ContainerNotFound { container: "x".to_owned() };
        assert!(!may_do_better(&StartError::Run(engine)));
    }
}
