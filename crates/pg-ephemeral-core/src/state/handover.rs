//! Notes of sessions whose server is stopped for a moment: for a snapshot, or because another container is about to take
//! the session over. Here they are written and read; what follows from one that a killed command has left is decided by
//! `lifecycle::recover`.

use std::path::{Path, PathBuf};

use ociman::host::boot_id;
use ociman::{Backend, CommandError, Container, ContainerInfo, ContainerName, Selection};
use serde::{Deserialize, Serialize};

use super::folders::{self, Folders, write_whole};
use super::record::{self, RecordError};
use crate::model::label;
use crate::model::session::Name;

/// What a note says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Note {
    /// The nonce of the session's container. A later session of the name has another.
    pub(crate) nonce: String,
    /// What leads to the engine.
    pub(crate) selection: Selection,
    /// The machine's boot. Nothing that is durable is left of what ran in an earlier one.
    pub(crate) boot: String,
    /// The container that is to take the session over.
    pub(crate) successor: Option<Successor>,
}

/// The container that is to take a session over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Successor {
    pub(crate) container: ContainerName,
    pub(crate) nonce: String,
    /// Whether it is all that the session is to be. The removal of the old container may have begun then, and an engine
    /// finishes a removal that nobody waits for.
    #[serde(default)]
    pub(crate) is_ready: bool,
}

/// A session whose server is about to be stopped for a moment.
#[derive(Debug, Clone)]
pub(crate) struct Stopped {
    folders: Folders,
    container: Container,
    session: Name,
    nonce: String,
}

impl Stopped {
    /// A session that runs in this container. The caller holds its lock.
    pub(crate) fn beginning(folders: &Folders, session: &Name, container: &Container, nonce: &str) -> Self {
        Self {
            folders: folders.clone(),
            container: container.clone(),
            session: session.clone(),
            nonce: nonce.to_owned(),
        }
    }

    /// The container whose server is stopped.
    pub(crate) fn container(&self) -> &Container {
        &self.container
    }

    /// Writes the note of a stop for a snapshot.
    pub(crate) fn write(&self) -> Result<(), RecordError> {
        self.write_note(None)
    }

    /// Removes the note, once the server runs again or can't.
    pub(crate) fn remove(&self) {
        // One that stays is of a server that runs, or is no more.
        let _ = std::fs::remove_file(self.path());
    }

    /// Writes the note of a stop for the container that is to take the session over.
    pub(crate) fn write_successor(&self, successor: &ContainerName, nonce: &str) -> Result<(), RecordError> {
        self.write_note(Some(Successor { container: successor.clone(), nonce: nonce.to_owned(), is_ready: false }))
    }

    /// Notes that the container that is to take the session over is all that the session is to be.
    pub(crate) fn write_ready(&self) -> Result<(), RecordError> {
        let noted = read(&self.path()).and_then(|note| note.successor);
        self.write_note(noted.map(|successor| Successor { is_ready: true, ..successor }))
    }

    /// Lets a container take the session over that is noted as ready. Nothing but its name keeps it from being the session
    /// once the old container is gone.
    pub(crate) async fn give_way_to(&self, successor: &Container) -> Result<(), CommandError> {
        record::remove_made(&self.container, &self.nonce).await?;
        successor.rename(self.container.name()).await?;
        record::forget(&self.folders, &self.container, &self.nonce);
        self.remove();
        Ok(())
    }

    fn write_note(&self, successor: Option<Successor>) -> Result<(), RecordError> {
        let note = Note {
            nonce: self.nonce.clone(),
            selection: self.container.backend().selection(),
            boot: boot_id().to_owned(),
            successor,
        };
        self.folders.state_folder(folders::STOPPED)?;
        let path = self.path();
        let written =
            serde_json::to_vec(&note).map_err(std::io::Error::from).and_then(|json| write_whole(&path, &json));
        written.map_err(|source| RecordError::Write { path, source })
    }

    fn path(&self) -> PathBuf {
        path(&self.folders, &lock_name(self.container.backend(), &self.session))
    }
}

/// Whether a container is the one with this nonce.
pub(crate) fn is_of(info: &ContainerInfo, nonce: &str) -> bool {
    info.labels.get(&label::NONCE_KEY).is_some_and(|found| found.as_str() == nonce)
}

/// Whether a container that the note of a session is of is there.
pub(crate) async fn is_there(folders: &Folders, backend: &Backend, session: &Name) -> bool {
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
pub(crate) fn is_noted(folders: &Folders, backend: &Backend, session: &Name) -> bool {
    path(folders, &lock_name(backend, session)).exists()
}

/// The sessions of a kind of backend that there are notes of.
pub(crate) fn noted(folders: &Folders, backend: &Backend) -> Vec<Name> {
    let entries = std::fs::read_dir(folders.state().join(folders::STOPPED)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let prefix = lock_name_prefix(backend);
    names.filter_map(|name| name.strip_prefix(&prefix)?.parse().ok()).collect()
}

/// Whether a note says that a container is to take a session over.
pub(crate) fn is_successor(folders: &Folders, container: &ContainerName) -> bool {
    let entries = std::fs::read_dir(folders.state().join(folders::STOPPED)).into_iter().flatten().flatten();
    let notes = entries.filter_map(|entry| read(&entry.path()));
    notes.into_iter().any(|note| note.successor.is_some_and(|successor| successor.container == *container))
}

/// What can't be read is another version's.
pub(crate) fn read(path: &Path) -> Option<Note> {
    serde_json::from_slice(&ociman::files::read(path).ok()?).ok()
}

/// What a note and the lock of a session are called. No instance's name has a colon.
pub(crate) fn lock_name(backend: &Backend, session: &Name) -> String {
    format!("{}{session}", lock_name_prefix(backend))
}

fn lock_name_prefix(backend: &Backend) -> String {
    format!("{}:", backend.kind())
}

/// Where the note of this name is.
pub(crate) fn path(folders: &Folders, name: &str) -> PathBuf {
    folders.state().join(folders::STOPPED).join(name)
}
