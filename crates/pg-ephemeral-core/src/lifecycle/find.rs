//! Finding sessions. A search first finishes the snapshots and restores that killed commands have begun. It does not
//! return sessions that have expired or whose server has ended.

use std::time::Duration;

use ociman::{Backend, ContainerState};
use tokio::time::Instant;

use super::error::SnapshotError;
use super::reap;
use super::recover::{self, Whose};
use crate::model::session::Name;
use crate::session::{FindError, ListError, Session, StopError};
use crate::state::{Folders, MadeWith, SecretError};

/// How long a search waits for a paused container to run again. An engine pauses a container while it commits a
/// snapshot, and continues the commit when the command that asked for it is killed. Podman needs about twelve seconds
/// per gigabyte.
const PAUSE_LIMIT: Duration = Duration::from_mins(1);
const PAUSE_STEP: Duration = Duration::from_millis(100);

/// The result of a search for sessions: the sessions that were found, and those that were removed.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct FoundSessions {
    /// The sessions that run.
    pub running: Vec<Session>,
    /// The names of the sessions that were removed because their server had ended.
    pub removed: Vec<Name>,
    /// The sessions whose server has ended, but which were started with another secret. They are not removed.
    pub foreign_ended: Vec<Session>,
}

/// The reason why a search for sessions failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LookError {
    /// A session that a killed command had begun to save or to restore could not be recovered.
    #[error(transparent)]
    PutBack(#[from] SnapshotError),
    /// The search for the session failed.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The sessions could not be listed.
    #[error(transparent)]
    List(#[from] ListError),
    /// A session that has expired or whose server has ended could not be removed.
    #[error(transparent)]
    Remove(#[from] StopError),
    /// The machine's secret could not be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

impl LookError {
    /// Returns a hint on what the user can do about the error, if there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::PutBack(error) => error.hint(),
            Self::Secret(error) => Some(error.hint().to_owned()),
            Self::Find(_) | Self::List(_) | Self::Remove(_) => None,
        }
    }
}

impl FoundSessions {
    /// Returns `true` if no session was found or removed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.running.is_empty() && self.removed.is_empty() && self.foreign_ended.is_empty()
    }

    /// Adds the sessions that another search has found.
    pub fn add(&mut self, other: Self) {
        self.running.extend(other.running);
        self.removed.extend(other.removed);
        self.foreign_ended.extend(other.foreign_ended);
    }

    /// Searches for one session, and removes it if it has expired or its server has ended. Waits while an engine pauses
    /// the session's container, and while a command has stopped the session's server temporarily.
    ///
    /// # Errors
    /// Returns an error if the search fails, or if the session can't be recovered or removed.
    pub async fn named(folders: &Folders, backend: &Backend, name: &Name) -> Result<Self, LookError> {
        recover::put_back(folders, backend, name).await?;
        let found = Self::sorted(folders, unpaused(backend, name).await?).await?;
        if found.is_empty() && recover::settled(folders, backend, name).await? {
            return Self::sorted(folders, unpaused(backend, name).await?).await;
        }
        Ok(found)
    }

    /// Searches for all sessions, and removes those that have expired or whose server has ended. The second value says
    /// why a session that a killed command had stopped could not be recovered. It does not affect the other sessions.
    ///
    /// # Errors
    /// Returns an error if the sessions can't be listed, or if one of them can't be removed.
    pub async fn all(folders: &Folders, backend: &Backend) -> Result<(Self, Result<(), SnapshotError>), LookError> {
        let put_back = recover::put_all_back(folders, backend, Whose::Any).await;
        Ok((Self::sorted(folders, Session::list_all(backend).await?).await?, put_back))
    }

    async fn sorted(folders: &Folders, sessions: impl IntoIterator<Item = Session>) -> Result<Self, LookError> {
        let mut found = Self::default();
        for session in sessions {
            if session.has_expired() {
                reap::remove_expired(folders, &session).await?;
            } else if !session.has_ended() {
                found.running.push(session);
            } else if session.made_with(folders)? == MadeWith::AnotherSecret {
                found.foreign_ended.push(session);
            } else if reap::remove_ended(folders, &session).await? {
                found.removed.push(session.name().clone());
            }
        }
        Ok(found)
    }
}

async fn unpaused(backend: &Backend, name: &Name) -> Result<Option<Session>, FindError> {
    let deadline = Instant::now() + PAUSE_LIMIT;
    let is_paused = |session: &Session| session.summary().state == ContainerState::Paused;
    loop {
        let session = Session::find_any(backend, name).await?;
        if !session.as_ref().is_some_and(is_paused) || Instant::now() >= deadline {
            return Ok(session);
        }
        tokio::time::sleep(PAUSE_STEP).await;
    }
}

impl Session {
    /// Returns the sessions on a backend that run and have not expired, sorted by name. If a killed command of this
    /// user has begun to change a session, for example to restore it, this is finished first, where possible. Runs one
    /// engine command, unless there is something to finish.
    ///
    /// # Errors
    /// Returns an error if the backend fails to list its containers, or if one of them has the label of a session but
    /// not a valid name for a session container.
    pub async fn list(backend: &Backend) -> Result<Vec<Self>, ListError> {
        match Folders::of_user() {
            Ok(folders) => Self::list_in(&folders, backend).await,
            // Without a home folder, no command can have left anything to finish.
            Err(_) => listed(backend).await,
        }
    }

    /// As [`Session::list`], with other folders than the user's.
    ///
    /// # Errors
    /// As [`Session::list`].
    pub async fn list_in(folders: &Folders, backend: &Backend) -> Result<Vec<Self>, ListError> {
        // The error is ignored: a session that can't be recovered does not run, so it is not listed anyway.
        let _ = recover::put_all_back(folders, backend, Whose::Any).await;
        listed(backend).await
    }

    /// Returns the session of this name; `None` if there is none, if it has expired, or if its server has ended. If a
    /// killed command of this user has begun to change the session, for example to restore it, this is finished first,
    /// where possible. If a running command is changing it, this waits for that command. Runs one engine command,
    /// unless there is something to finish or to wait for.
    ///
    /// # Errors
    /// Returns an error if the session containers can't be listed, or if several of them carry the label of this
    /// session.
    pub async fn find(backend: &Backend, name: &Name) -> Result<Option<Self>, FindError> {
        match Folders::of_user() {
            Ok(folders) => Self::find_in(&folders, backend, name).await,
            Err(_) => found(backend, name).await,
        }
    }

    /// As [`Session::find`], with other folders than the user's.
    ///
    /// # Errors
    /// As [`Session::find`].
    pub async fn find_in(folders: &Folders, backend: &Backend, name: &Name) -> Result<Option<Self>, FindError> {
        // The error is ignored: a session that can't be recovered does not run, so it is not found anyway.
        let _ = recover::put_back(folders, backend, name).await;
        let session = found(backend, name).await?;
        if session.is_none() && recover::settled(folders, backend, name).await.unwrap_or(false) {
            return found(backend, name).await;
        }
        Ok(session)
    }
}

async fn listed(backend: &Backend) -> Result<Vec<Session>, ListError> {
    let mut sessions = Session::list_all(backend).await?;
    sessions.retain(is_wanted);
    Ok(sessions)
}

async fn found(backend: &Backend, name: &Name) -> Result<Option<Session>, FindError> {
    Ok(Session::find_any(backend, name).await?.filter(is_wanted))
}

fn is_wanted(session: &Session) -> bool {
    !session.has_ended() && !session.has_expired()
}
