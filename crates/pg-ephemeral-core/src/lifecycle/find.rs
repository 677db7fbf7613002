//! Finding sessions. What killed commands have begun to do to them is finished first, and those whose time is over or whose
//! server has ended are not found.

use std::time::Duration;

use ociman::{Backend, ContainerState};
use tokio::time::Instant;

use super::error::SnapshotError;
use super::reap;
use super::recover::{self, Whose};
use crate::model::session::Name;
use crate::session::{FindError, ListError, Session, StopError};
use crate::state::{Folders, MadeWith, SecretError};

/// How long a session is waited for whose container an engine has paused. An engine does so while a snapshot is made, and
/// goes on with that when the command is killed that asked for it; a gigabyte takes Podman some twelve seconds.
const PAUSE_LIMIT: Duration = Duration::from_mins(1);
const PAUSE_STEP: Duration = Duration::from_millis(100);

/// What a look for sessions has found, and what it has removed.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct FoundSessions {
    /// Those that run.
    pub running: Vec<Session>,
    /// Those whose server had ended. They have been removed.
    pub removed: Vec<Name>,
    /// Those whose server has ended, and that were started with another secret.
    pub foreign_ended: Vec<Session>,
}

/// Why sessions could not be looked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LookError {
    /// A session could not be put right that a killed command had begun to save or to restore.
    #[error(transparent)]
    PutBack(#[from] SnapshotError),
    /// The session could not be looked for.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The sessions could not be listed.
    #[error(transparent)]
    List(#[from] ListError),
    /// A session whose time is over or whose server has ended could not be removed.
    #[error(transparent)]
    Remove(#[from] StopError),
    /// The machine's secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

impl LookError {
    /// What the user can do about it.
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
    /// Whether nothing was there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.running.is_empty() && self.removed.is_empty() && self.foreign_ended.is_empty()
    }

    /// Adds what was found elsewhere.
    pub fn add(&mut self, other: Self) {
        self.running.extend(other.running);
        self.removed.extend(other.removed);
        self.foreign_ended.extend(other.foreign_ended);
    }

    /// Looks for one session, and removes it when its time is over or its server has ended. A session that an engine holds
    /// still for a moment is waited for, and so is a command that has stopped its server to start it again.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn named(folders: &Folders, backend: &Backend, name: &Name) -> Result<Self, LookError> {
        recover::put_back(folders, backend, name).await?;
        let found = Self::sorted(folders, unpaused(backend, name).await?).await?;
        if found.is_empty() && recover::settled(folders, backend, name).await? {
            return Self::sorted(folders, unpaused(backend, name).await?).await;
        }
        Ok(found)
    }

    /// Looks for all sessions, and removes those whose time is over or whose server has ended. What could not be put right
    /// is the second value; the other sessions are found all the same.
    ///
    /// # Errors
    /// [`LookError`].
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
    /// The sessions on a backend, by name, whose server runs and whose time is not over. What a killed command of this user
    /// has begun to do to one, such as a restore, is finished first, where that can be done. One engine command, unless there
    /// is something to finish.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn list(backend: &Backend) -> Result<Vec<Self>, ListError> {
        match Folders::of_user() {
            Ok(folders) => Self::list_in(&folders, backend).await,
            // Without a home folder nothing can have been begun.
            Err(_) => listed(backend).await,
        }
    }

    /// As [`Session::list`], with other folders than the user's.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn list_in(folders: &Folders, backend: &Backend) -> Result<Vec<Self>, ListError> {
        // What can't be put right has no server that runs.
        let _ = recover::put_all_back(folders, backend, Whose::Any).await;
        listed(backend).await
    }

    /// The session of this name, when its server runs and its time is not over. What a killed command of this user has begun
    /// to do to it, such as a restore, is finished first, where that can be done, and a command that is at it is waited for.
    /// One engine command, unless there is something to finish or to wait for.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn find(backend: &Backend, name: &Name) -> Result<Option<Self>, FindError> {
        match Folders::of_user() {
            Ok(folders) => Self::find_in(&folders, backend, name).await,
            Err(_) => found(backend, name).await,
        }
    }

    /// As [`Session::find`], with other folders than the user's.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn find_in(folders: &Folders, backend: &Backend, name: &Name) -> Result<Option<Self>, FindError> {
        // What can't be put right has no server that runs.
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
