//! Why something with a snapshot did not work.

use ociman::ReferenceError;

use crate::model::ReadError;
use crate::model::snapshot::Name;
use crate::postgres::connect::ConnectError;
use crate::server::{AttachError, StartError};
use crate::session::{self, Divergence, FindError, MetadataError};
use crate::state::{LockError, SecretError};

/// Why something with a snapshot did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The session's labels.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A label of the session, or of the snapshot's image.
    #[error("read the labels of {of}")]
    Labels {
        /// Of what.
        of: String,
        /// Which label, and what is wrong with it.
        #[source]
        source: Box<ReadError>,
    },
    /// The session's server can't be reached.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// The session's server does not let us in.
    #[error("connect to the session {session}")]
    Connect {
        /// The session.
        session: session::Name,
        /// What came of it.
        #[source]
        source: ConnectError,
    },
    /// The session's server could not be asked or told something.
    #[error("prepare the server of the session {session} for a snapshot")]
    Prepare {
        /// The session.
        session: session::Name,
        /// What it said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// Its UNLOGGED tables can only be kept by stopping the server, which would come back without its certificate.
    #[error(
        "the session {session} has UNLOGGED tables and speaks TLS: its server can't be stopped and started for a snapshot"
    )]
    UnloggedWithTls {
        /// The session.
        session: session::Name,
    },
    /// The lock of the session, or of its instance's layers.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The machine's secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The system has no threads or random numbers to give.
    #[error("do it to the end")]
    System(#[source] std::io::Error),
    /// The snapshot's name is too long for an image.
    #[error("name the snapshot")]
    ImageName(#[source] ReferenceError),
    /// The session has a snapshot of this name.
    #[error("the session {session} has a snapshot {name} already")]
    Exists {
        /// The session.
        session: session::Name,
        /// The snapshot.
        name: Name,
    },
    /// A session runs on the snapshot.
    #[error("a session runs on the snapshot {name} of the session {session}")]
    InUse {
        /// The session it was taken of.
        session: session::Name,
        /// The snapshot.
        name: Name,
    },
    /// There is no such snapshot.
    #[error("the session {session} has no snapshot {name}")]
    NotFound {
        /// The session.
        session: session::Name,
        /// The snapshot.
        name: Name,
    },
    /// The snapshot is of a server with another superuser or database than the session has: its URL would not hold.
    #[error("the snapshot {name} is of a server with another superuser or database than the session {session} has")]
    OtherServer {
        /// The session.
        session: session::Name,
        /// The snapshot.
        name: Name,
    },
    /// The session was started with another secret: to replace its server would change its password.
    #[error("the session {session} was started with another secret")]
    AnotherSecret {
        /// The session.
        session: session::Name,
    },
    /// A session whose server a killed command had stopped could not be put right.
    #[error(
        "the server of the session {session} was stopped by a command that was killed, and could not be started again"
    )]
    PutBack {
        /// The session.
        session: session::Name,
        /// What came of it.
        #[source]
        source: Box<StartError>,
    },
    /// The container that was to take the session over could not be removed.
    #[error("remove the container that was to take the session {session} over")]
    Abandon {
        /// The session.
        session: session::Name,
        /// What the backend said.
        #[source]
        source: ociman::CommandError,
    },
    /// The session has ended meanwhile.
    #[error("no session {session} runs any more")]
    Ended {
        /// The session.
        session: session::Name,
    },
    /// The sessions that run could not be looked at.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The images could not be looked up.
    #[error("look up the snapshot's image")]
    LookUp(#[source] ociman::CommandError),
    /// The snapshots could not be listed.
    #[error("list the layers")]
    List(#[source] ociman::CommandError),
    /// The files could not be saved.
    #[error("commit the snapshot")]
    Commit(#[source] ociman::CommandError),
    /// A snapshot's image could not be renamed or removed.
    #[error("replace the snapshot {image}")]
    Replace {
        /// The image.
        image: String,
        /// What the backend said.
        #[source]
        source: ociman::CommandError,
    },
    /// The state after its seeds can't be made again: the configuration has changed.
    #[error(
        "the state after the seeds of the session {session} is not kept, and the configuration has changed: {difference}"
    )]
    Diverged {
        /// The session.
        session: session::Name,
        /// What differs first.
        difference: Box<Divergence>,
    },
    /// No server could be started from the state; nothing else has changed.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The session's server was stopped, and no other took its place.
    #[error("the session {session} is lost: its server was stopped, and no other came up in its place")]
    Lost {
        /// The session.
        session: session::Name,
        /// What came of the start.
        #[source]
        source: Box<StartError>,
    },
}

impl SnapshotError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Exists { .. } => Some("choose another name, or take it anew with --replace".to_owned()),
            Self::NotFound { session, .. } => {
                Some(format!("`pg-ephemeral session snapshots --name {session}` lists those it has"))
            }
            Self::Diverged { session, .. } => {
                Some(format!("stop it and start it anew: pg-ephemeral session stop --name {session}"))
            }
            Self::PutBack { session, .. } => Some(format!(
                "the next command on it tries again; `pg-ephemeral session stop --name {session}` ends the session"
            )),
            Self::Lost { session, .. } => Some(format!(
                "its snapshots are still there: pg-ephemeral session fork --name {session} --to {session} --from SNAPSHOT"
            )),
            Self::AnotherSecret { session } => Some(format!(
                "it belongs to another user or state folder, or the secret was changed since it was started; with --force the \
                 session {session} gets a password from this one"
            )),
            Self::Attach(error) => error.hint(),
            Self::UnloggedWithTls { .. } => Some("drop them, or make them logged: ALTER TABLE … SET LOGGED".to_owned()),
            Self::Start(error) => error.hint(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session_name;

    #[test]
    fn what_can_be_done_is_said_wherever_something_can() {
        let session = || session_name!("review");
        let name = || "clean".parse::<Name>().unwrap();
        let difference = Divergence::Image { stored: "a/a".parse().unwrap(), current: "b/b".parse().unwrap() };
        let start = || StartError::SessionExists { name: session() };
        let attach = || AttachError::AnotherSecret { session: session() };
        let hints = [
            (SnapshotError::Exists { session: session(), name: name() }, Some("--replace")),
            (SnapshotError::NotFound { session: session(), name: name() }, Some("session snapshots --name review`")),
            (
                SnapshotError::Diverged { session: session(), difference: Box::new(difference) },
                Some("session stop --name review"),
            ),
            (SnapshotError::Lost { session: session(), source: Box::new(start()) }, Some("--from SNAPSHOT")),
            (SnapshotError::AnotherSecret { session: session() }, Some("with --force the session review")),
            (SnapshotError::UnloggedWithTls { session: session() }, Some("SET LOGGED")),
            (SnapshotError::Attach(attach()), attach().hint().as_deref()),
            (SnapshotError::Start(start()), start().hint().as_deref()),
            (SnapshotError::Ended { session: session() }, None),
        ]
        .map(|(error, hint)| (error.hint(), hint.map(str::to_owned)));
        for (found, expected) in hints {
            assert_eq!(found.is_some(), expected.is_some(), "{found:?} {expected:?}");
            assert!(found.unwrap_or_default().contains(&expected.unwrap_or_default()));
        }
    }
}
