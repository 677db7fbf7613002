//! Handover notes: files that say which sessions have a server that is stopped temporarily. A command stops the server
//! for a snapshot, or to replace the session's container by another one, the successor. This module writes and reads
//! the notes. `lifecycle::recover` decides what to do about a note that a killed command has left.

use std::path::{Path, PathBuf};

use ociman::host::boot_id;
use ociman::{Backend, CommandError, Container, ContainerInfo, ContainerName, Selection};
use serde::{Deserialize, Serialize};

use super::folders::{self, Folders, write_whole};
use super::record::{self, RecordError};
use crate::model::label;
use crate::model::session::Name;

/// The content of a handover note.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Note {
    /// The nonce of the session's container. A later session of the same name has another nonce.
    pub(crate) nonce: String,
    /// The environment variables that select the engine.
    pub(crate) selection: Selection,
    /// The ID of the machine's boot at the time of the note. A server of this machine does not survive a reboot.
    pub(crate) boot: String,
    /// The container that is to replace the session's container; `None` for a snapshot.
    pub(crate) successor: Option<Successor>,
}

/// The container that is to replace a session's container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Successor {
    pub(crate) container: ContainerName,
    pub(crate) nonce: String,
    /// Whether the successor is completely set up. If so, the removal of the old container may have begun, and an
    /// engine completes a removal even if its client is killed.
    #[serde(default)]
    pub(crate) is_ready: bool,
}

/// A session whose server is about to be stopped temporarily.
#[derive(Debug, Clone)]
pub(crate) struct Stopped {
    folders: Folders,
    container: Container,
    session: Name,
    nonce: String,
}

impl Stopped {
    /// Creates the value for a session that runs in this container, without writing a note. The caller holds the
    /// session's lock.
    pub(crate) fn beginning(folders: &Folders, session: &Name, container: &Container, nonce: &str) -> Self {
        Self {
            folders: folders.clone(),
            container: container.clone(),
            session: session.clone(),
            nonce: nonce.to_owned(),
        }
    }

    /// Returns the container whose server is stopped.
    pub(crate) fn container(&self) -> &Container {
        &self.container
    }

    /// Writes the note for a stop that is for a snapshot.
    pub(crate) fn write(&self) -> Result<(), RecordError> {
        self.write_note(None)
    }

    /// Removes the note. Called when the server runs again, or can't run again.
    pub(crate) fn remove(&self) {
        // A note that can't be removed is harmless: its server runs, or no longer exists.
        let _ = std::fs::remove_file(self.path());
    }

    /// Writes the note for a stop that makes way for a successor.
    pub(crate) fn write_successor(&self, successor: &ContainerName, nonce: &str) -> Result<(), RecordError> {
        self.write_note(Some(Successor { container: successor.clone(), nonce: nonce.to_owned(), is_ready: false }))
    }

    /// Updates the note to say that the successor is completely set up.
    pub(crate) fn write_ready(&self) -> Result<(), RecordError> {
        let noted = read(&self.path()).and_then(|note| note.successor);
        self.write_note(noted.map(|successor| Successor { is_ready: true, ..successor }))
    }

    /// Replaces the session's container by a successor whose note says that it is ready: removes the old container,
    /// gives its name to the successor, and removes the note.
    pub(crate) async fn give_way_to(&self, successor: &Container) -> Result<(), CommandError> {
        record::remove_if_nonce(&self.container, &self.nonce).await?;
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

/// Returns `true` if the container has this nonce.
pub(crate) fn is_of(info: &ContainerInfo, nonce: &str) -> bool {
    info.labels.get(&label::NONCE_KEY).is_some_and(|found| found.as_str() == nonce)
}

/// Returns `true` if a session has a note, and the session's container or the successor in the note exists.
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

/// Returns `true` if a session has a note.
pub(crate) fn is_noted(folders: &Folders, backend: &Backend, session: &Name) -> bool {
    path(folders, &lock_name(backend, session)).exists()
}

/// Returns the sessions that have a note, for the backend's kind.
pub(crate) fn noted(folders: &Folders, backend: &Backend) -> Vec<Name> {
    let entries = std::fs::read_dir(folders.state().join(folders::STOPPED)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let prefix = lock_name_prefix(backend);
    names.filter_map(|name| name.strip_prefix(&prefix)?.parse().ok()).collect()
}

/// Returns `true` if a note names this container as the successor of a session.
pub(crate) fn is_successor(folders: &Folders, container: &ContainerName) -> bool {
    let entries = std::fs::read_dir(folders.state().join(folders::STOPPED)).into_iter().flatten().flatten();
    let notes = entries.filter_map(|entry| read(&entry.path()));
    notes.into_iter().any(|note| note.successor.is_some_and(|successor| successor.container == *container))
}

/// Reads a note; `None` if it can't be read, for example because another version has written it.
pub(crate) fn read(path: &Path) -> Option<Note> {
    serde_json::from_slice(&ociman::files::read(path).ok()?).ok()
}

/// Returns the name of a session's note and of its lock. It contains a colon, so that it differs from the name of an
/// instance's lock.
pub(crate) fn lock_name(backend: &Backend, session: &Name) -> String {
    format!("{}{session}", lock_name_prefix(backend))
}

fn lock_name_prefix(backend: &Backend) -> String {
    format!("{}:", backend.kind())
}

/// Returns the path of the note with this name.
pub(crate) fn path(folders: &Folders, name: &str) -> PathBuf {
    folders.state().join(folders::STOPPED).join(name)
}
