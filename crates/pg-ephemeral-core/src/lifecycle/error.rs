//! [`SnapshotError`]: the reason why taking, restoring, forking, listing or removing a snapshot failed.

use ociman::ReferenceError;

use crate::model::ReadError;
use crate::model::snapshot::Name;
use crate::postgres::connect::ConnectError;
use crate::server::{AttachError, StartError};
use crate::session::{self, Divergence, FindError, MetadataError};
use crate::state::{LockError, SecretError};

/// The reason why taking, restoring, forking, listing or removing a snapshot failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The session's metadata could not be read from its labels.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A label of the session, or of the snapshot's image, is invalid.
    #[error("failed to read the labels of {of}")]
    Labels {
        /// The session or the image that has the label.
        of: String,
        /// Which label it is, and why it is invalid.
        #[source]
        source: Box<ReadError>,
    },
    /// The session's server can't be used.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// The connection to the session's server failed.
    #[error("failed to connect to the session {session}")]
    Connect {
        /// The session.
        session: session::Name,
        /// Why the connection failed.
        #[source]
        source: ConnectError,
    },
    /// A statement that prepares the session's server for the snapshot failed.
    #[error("failed to prepare the server of the session {session} for a snapshot")]
    Prepare {
        /// The session.
        session: session::Name,
        /// Why the statement failed.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The session has UNLOGGED tables and uses TLS. A snapshot can keep UNLOGGED tables only if the server is stopped
    /// and started again, and the server would then start without its certificate.
    #[error("the session {session} has UNLOGGED tables and uses TLS: its server can't be restarted for a snapshot")]
    UnloggedWithTls {
        /// The session.
        session: session::Name,
    },
    /// The lock of the session, or of its instance's layers, could not be taken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The machine's secret could not be read or created.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The system failed to start a thread or to provide random numbers.
    #[error("failed to finish")]
    System(#[source] std::io::Error),
    /// The snapshot's name makes the image name too long.
    #[error("failed to compute the snapshot's name")]
    ImageName(#[source] ReferenceError),
    /// The session already has a snapshot of this name.
    #[error("the session {session} already has a snapshot {name}")]
    Exists {
        /// The session.
        session: session::Name,
        /// The snapshot.
        name: Name,
    },
    /// The snapshot can't be removed, because a session runs on it.
    #[error("a session runs on the snapshot {name} of the session {session}")]
    InUse {
        /// The session that the snapshot was taken of.
        session: session::Name,
        /// The snapshot.
        name: Name,
    },
    /// The session has no snapshot of this name.
    #[error("the session {session} has no snapshot {name}")]
    NotFound {
        /// The session.
        session: session::Name,
        /// The snapshot.
        name: Name,
    },
    /// The snapshot was taken of a server with another superuser or database than the session has, so restoring it
    /// would change the session's URL.
    #[error("the snapshot {name} is of a server with another superuser or database than the session {session} has")]
    OtherServer {
        /// The session.
        session: session::Name,
        /// The snapshot.
        name: Name,
    },
    /// The session was started with another secret, so replacing its server would change its password.
    #[error("the session {session} was started with another secret")]
    AnotherSecret {
        /// The session.
        session: session::Name,
    },
    /// A killed command had stopped the session's server, and the server could not be started again.
    #[error(
        "the server of the session {session} was stopped by a command that was killed, and could not be started again"
    )]
    PutBack {
        /// The session.
        session: session::Name,
        /// Why the server did not start.
        #[source]
        source: Box<StartError>,
    },
    /// The container that was to replace the session's container could not be removed.
    #[error("failed to remove the new container of the session {session}")]
    Abandon {
        /// The session.
        session: session::Name,
        /// Why the backend did not remove the container.
        #[source]
        source: ociman::CommandError,
    },
    /// The session's server has ended in the meantime.
    #[error("the session {session} is no longer running")]
    Ended {
        /// The session.
        session: session::Name,
    },
    /// The search for the session failed.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The snapshot's image could not be inspected.
    #[error("failed to look up the snapshot's image")]
    LookUp(#[source] ociman::CommandError),
    /// The snapshots could not be listed.
    #[error("failed to list the layers")]
    List(#[source] ociman::CommandError),
    /// The backend failed to commit the server's files, or to stop the server for the commit.
    #[error("failed to commit the snapshot")]
    Commit(#[source] ociman::CommandError),
    /// A snapshot's image could not be renamed or removed.
    #[error("failed to replace the snapshot {image}")]
    Replace {
        /// The image.
        image: String,
        /// Why the backend failed.
        #[source]
        source: ociman::CommandError,
    },
    /// The state after the session's seeds is not cached, and can't be built again because the configuration has
    /// changed.
    #[error(
        "the seeded state of the session {session} is no longer cached, and the configuration has changed: {difference}"
    )]
    Diverged {
        /// The session.
        session: session::Name,
        /// The first difference.
        difference: Box<Divergence>,
    },
    /// The server of the new or restored session could not be started. Nothing else has changed.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The session is lost: its server was stopped, and neither it nor another server could be started in its place.
    #[error("the session {session} is lost: its server was stopped, and no new server could be started")]
    Lost {
        /// The session.
        session: session::Name,
        /// Why the start failed.
        #[source]
        source: Box<StartError>,
    },
}

impl SnapshotError {
    /// Returns a hint on what the user can do about the error, if there is one.
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
    fn errors_that_the_user_can_fix_have_a_hint() {
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
