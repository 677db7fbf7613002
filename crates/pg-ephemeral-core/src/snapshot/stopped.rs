//! Notes of sessions whose server is stopped for a moment: for a snapshot, or because another container is about to take
//! the session over. When the command is killed in between, whoever looks for the session next reads the note and either
//! starts the server again or completes the takeover, so that there always is the old session or the new one.

use std::path::{Path, PathBuf};

use ociman::host::boot_id;
use ociman::{Backend, CommandError, Container, ContainerInfo, ContainerName, ContainerState, Selection};
use serde::{Deserialize, Serialize};

use super::{SnapshotError, lock_name};
use crate::folders::{Folders, write_whole};
use crate::label;
use crate::record::{self, RecordError};
use crate::server::{STOP_LIMIT, Server, StartError, port_was_taken};
use crate::session::{Name, Session};

/// Where the notes are, below the state folder.
pub(crate) const FOLDER: &str = "stopped";

/// What a note says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Note {
    /// The nonce of the session's container. A later session of the name has another.
    nonce: String,
    /// What leads to the engine.
    selection: Selection,
    /// The machine's boot. Nothing that is durable is left of what ran in an earlier one.
    boot: String,
    /// The container that is to take the session over.
    successor: Option<Successor>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Successor {
    container: ContainerName,
    nonce: String,
}

/// A session whose server is about to be stopped for a moment.
#[derive(Debug, Clone)]
pub(crate) struct Stopped {
    folders: Folders,
    container: Container,
    session: Name,
    nonce: String,
}

/// A session that another container takes over.
pub(crate) type Replaced = Stopped;

impl Stopped {
    /// A session that runs. The caller holds its lock.
    pub(super) fn beginning(folders: &Folders, session: &Session) -> Self {
        Self {
            folders: folders.clone(),
            container: session.container().clone(),
            session: session.name().clone(),
            nonce: session.nonce().to_owned(),
        }
    }

    /// Writes the note of a stop for a snapshot.
    pub(crate) fn write(&self) -> Result<(), StartError> {
        self.write_note(None)
    }

    /// Removes the note, once the server runs again or can't.
    pub(crate) fn remove(&self) {
        // One that stays is of a server that runs, or is no more.
        let _ = std::fs::remove_file(self.path());
    }

    /// Stops the server, so that the container that is to take the session over gets its port.
    pub(crate) async fn make_room_for(&self, successor: &ContainerName, nonce: &str) -> Result<(), StartError> {
        self.write_note(Some(Successor { container: successor.clone(), nonce: nonce.to_owned() }))?;
        self.container.stop(STOP_LIMIT).await.map_err(StartError::Run)
    }

    /// Lets a container take the session over that is all that the session is to be. Nothing but its name keeps it from
    /// being the session once the old container is gone.
    pub(crate) async fn give_way_to(&self, successor: &Container) -> Result<(), CommandError> {
        record::remove_made(&self.container, &self.nonce).await?;
        successor.rename(self.container.name()).await?;
        record::forget(&self.folders, &self.container, &self.nonce);
        self.remove();
        Ok(())
    }

    fn write_note(&self, successor: Option<Successor>) -> Result<(), StartError> {
        let note = Note {
            nonce: self.nonce.clone(),
            selection: self.container.backend().selection(),
            boot: boot_id().to_owned(),
            successor,
        };
        self.folders.state_folder(FOLDER)?;
        let path = self.path();
        let written =
            serde_json::to_vec(&note).map_err(std::io::Error::from).and_then(|json| write_whole(&path, &json));
        Ok(written.map_err(|source| RecordError::Write { path, source })?)
    }

    fn path(&self) -> PathBuf {
        path(&self.folders, &lock_name(self.container.backend(), &self.session))
    }
}

/// Puts a session right whose server a killed command had stopped. The caller holds the session's lock.
///
/// The note goes when that is done, or when another try would do no better.
pub(super) async fn put_back(folders: &Folders, backend: &Backend, session: &Name) -> Result<(), SnapshotError> {
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
    if let Some(successor) = &note.successor {
        match before {
            Some(_) => give_up(folders, backend, session, successor).await,
            None => complete(folders, backend, session, successor).await,
        }
        .map_err(|error| failed(StartError::Run(error)))?;
    }
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
pub(super) async fn abandon(folders: &Folders, backend: &Backend, session: &Name) -> Result<bool, SnapshotError> {
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
    match Session::find(container.backend(), session).await? {
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

/// Lets a container take a session over whose own is gone already, which only happens once it is ready for it.
async fn complete(
    folders: &Folders,
    backend: &Backend,
    session: &Name,
    successor: &Successor,
) -> Result<(), CommandError> {
    let pending = backend.container(successor.container.clone());
    let is_ready = match pending.inspect().await {
        Ok(info) => {
            // Its record tells what it lacks, when somebody else has removed the session meanwhile.
            let is_half_started = record::depends_on_owner(folders, &pending, &successor.nonce);
            info.state == ContainerState::Running && is_of(&info, &successor.nonce) && !is_half_started
        }
        // It has the name already.
        Err(CommandError::ContainerNotFound { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    if is_ready {
        match pending.rename(session.container_name()).await {
            // The session was given up, and another one of the name was started.
            Err(CommandError::NameTaken { .. }) => {}
            renamed => return renamed.map(drop),
        }
    }
    give_up(folders, backend, session, successor).await
}

fn is_of(info: &ContainerInfo, nonce: &str) -> bool {
    info.labels.get(&label::NONCE_KEY).is_some_and(|found| found.as_str() == nonce)
}

/// Whether a container that the note of a session is of is there.
pub(super) async fn is_there(folders: &Folders, backend: &Backend, session: &Name) -> bool {
    let Some(note) = read(&path(folders, &lock_name(backend, session))) else { return false };
    let found = backend.container(session.container_name().clone()).inspect().await;
    if found.is_ok_and(|info| is_of(&info, &note.nonce)) {
        return true;
    }
    let Some(successor) = note.successor else { return false };
    let found = backend.container(successor.container).inspect().await;
    found.is_ok_and(|info| is_of(&info, &successor.nonce))
}

/// Whether there is a note of a session.
pub(super) fn is_noted(folders: &Folders, backend: &Backend, session: &Name) -> bool {
    path(folders, &lock_name(backend, session)).exists()
}

/// The sessions of a kind of backend that there are notes of.
pub(super) fn noted(folders: &Folders, backend: &Backend) -> Vec<Name> {
    let entries = std::fs::read_dir(folders.state().join(FOLDER)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let prefix = lock_name_prefix(backend);
    names.filter_map(|name| name.strip_prefix(&prefix)?.parse().ok()).collect()
}

/// Whether a note says that a container is to take a session over.
pub(crate) fn is_successor(folders: &Folders, container: &ContainerName) -> bool {
    let entries = std::fs::read_dir(folders.state().join(FOLDER)).into_iter().flatten().flatten();
    let notes = entries.filter_map(|entry| read(&entry.path()));
    notes.into_iter().any(|note| note.successor.is_some_and(|successor| successor.container == *container))
}

/// What can't be read is another version's.
fn read(path: &Path) -> Option<Note> {
    serde_json::from_slice(&ociman::files::read(path).ok()?).ok()
}

fn lock_name_prefix(backend: &Backend) -> String {
    format!("{}:", backend.kind())
}

fn path(folders: &Folders, name: &str) -> PathBuf {
    folders.state().join(FOLDER).join(name)
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
        let stopped = Stopped { folders: folders.clone(), container, session: session.clone(), nonce: "n".to_owned() };
        stopped.write().unwrap();
        assert!(is_noted(&folders, &backend, &session));
        assert_eq!(noted(&folders, &backend), std::slice::from_ref(&session));
        stopped.remove();
        assert!(!is_noted(&folders, &backend, &session));
    }

    #[tokio::test]
    async fn to_make_room_for_a_successor_is_to_note_it_and_to_stop_the_server() {
        for fake in [FakeBackend::docker(), FakeBackend::podman()] {
            let home = tempfile::tempdir().unwrap();
            let folders = Folders::at(home.path());
            let fake = fake.with_session("s", "localhost/x:1", &[("pg-ephemeral.nonce", "n")]);
            let backend = fake.backend();
            let session = Session::find(&backend, &crate::session_name!("s")).await.unwrap().unwrap();
            let successor: ContainerName = "pg-ephemeral-pending-1".parse().unwrap();
            assert!(!is_successor(&folders, &successor));
            Stopped::beginning(&folders, &session).make_room_for(&successor, "later").await.unwrap();
            assert!(is_successor(&folders, &successor) && is_noted(&folders, &backend, session.name()));
            assert_eq!(session.container().inspect().await.unwrap().state, ContainerState::Exited);
        }
    }

    #[test]
    fn a_server_is_only_tried_again_when_another_time_may_do_better() {
        let engine = CommandError::ContainerNotFound { container: "x".to_owned() };
        assert!(!may_do_better(&StartError::Run(engine)));
    }
}
