//! A note that a session's server is stopped for a snapshot and will be started again. When the command is killed in between,
//! whoever looks for the session next does that.

use std::path::PathBuf;

use ociman::{Backend, Container, ContainerInfo, ContainerState, Error};

use super::{SnapshotError, lock_name};
use crate::folders::{Folders, write_whole};
use crate::label;
use crate::record::RecordError;
use crate::server::{STOP_LIMIT, Server, StartError};
use crate::session::{Name, Session};

/// Where the notes are, below the state folder.
pub(crate) const FOLDER: &str = "stopped";

/// The note of one session. Its text is the session's nonce: a later session of the name is another.
pub(crate) struct Stopped {
    folders: Folders,
    name: String,
    nonce: String,
}

impl Stopped {
    /// The note that is to be written.
    pub(super) fn beginning(folders: &Folders, session: &Session) -> Self {
        let name = lock_name(session.container().backend(), session.name());
        Self { folders: folders.clone(), name, nonce: session.nonce().to_owned() }
    }

    /// Before the server is stopped.
    pub(crate) fn write(&self) -> Result<(), StartError> {
        let path = self.folders.state_folder(FOLDER)?.join(&self.name);
        let written = write_whole(&path, self.nonce.as_bytes());
        Ok(written.map_err(|source| RecordError::Write { path, source })?)
    }

    /// Once it runs again, or can't.
    pub(crate) fn remove(&self) {
        // One that stays is of a server that runs, or is no more.
        let _ = std::fs::remove_file(path(&self.folders, &self.name));
    }
}

/// Starts the server of a session again that a killed command had stopped. The caller holds the session's lock.
pub(super) async fn put_back(folders: &Folders, backend: &Backend, session: &Name) -> Result<(), SnapshotError> {
    let path = path(folders, &lock_name(backend, session));
    let Ok(nonce) = std::fs::read_to_string(&path) else { return Ok(()) };
    let container = backend.container(session.container_name().clone());
    let ended = match container.inspect().await {
        Ok(info) if !is_of(&info, &nonce) => Ok(()),
        Ok(info) if info.state == ContainerState::Exited => container.start().await,
        // It may be about to stop: then it takes no connections, and soon would not be there.
        Ok(info) if info.state == ContainerState::Running => restart(&container).await,
        Ok(_) | Err(Error::ContainerNotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    };
    // One try: a server that does not come up gives its name up to the next one.
    let _ = std::fs::remove_file(path);
    ended.map_err(|source| SnapshotError::PutBack { session: session.clone(), source })?;
    if let Some(found) = Session::find(backend, session).await? {
        Server::attach(&found, folders)?.wait_until_back().await?;
    }
    Ok(())
}

async fn restart(container: &Container) -> Result<(), Error> {
    container.stop(STOP_LIMIT).await?;
    container.start().await
}

fn is_of(info: &ContainerInfo, nonce: &str) -> bool {
    info.labels.get(&label::NONCE).is_some_and(|found| found.as_str() == nonce)
}

/// Whether the container that the note of a session is of is there.
pub(super) async fn is_there(folders: &Folders, backend: &Backend, session: &Name) -> bool {
    let Ok(nonce) = std::fs::read_to_string(path(folders, &lock_name(backend, session))) else { return false };
    let found = backend.container(session.container_name().clone()).inspect().await;
    found.is_ok_and(|info| is_of(&info, &nonce))
}

/// Whether there is a note of a session.
pub(super) fn is_noted(folders: &Folders, backend: &Backend, session: &Name) -> bool {
    path(folders, &lock_name(backend, session)).exists()
}

fn path(folders: &Folders, name: &str) -> PathBuf {
    folders.state().join(FOLDER).join(name)
}
