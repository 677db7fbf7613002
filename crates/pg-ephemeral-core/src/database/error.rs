//! [`DatabaseError`]: why an operation on a database failed.

use tokio_postgres::error::SqlState;

use crate::postgres::connect::ConnectError;

/// Why a database could not be made, found or dropped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// Connecting to the server failed.
    #[error("failed to connect to the server")]
    Connect(#[source] ConnectError),
    /// The seeded database can't be copied because a client is connected to it.
    #[error("failed to copy the database {database}: it has open connections")]
    InUse {
        /// The seeded database.
        database: String,
    },
    /// The template, the database that all copies are made from, could not be made.
    #[error("failed to make the template of the database {database}")]
    Template {
        /// The seeded database.
        database: String,
        /// The server's error.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A copy could not be made.
    #[error("failed to create the database {name}")]
    Create {
        /// The database.
        name: String,
        /// The server's error.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A database of this name exists already.
    #[error("failed to create the database {name}: it already exists")]
    Exists {
        /// The name.
        name: String,
    },
    /// There is no database of this name.
    #[error("the database {name} does not exist")]
    NotFound {
        /// The name.
        name: String,
    },
    /// The database was not made by this crate.
    #[error("the database {name} was not made by pg-ephemeral")]
    NotOurs {
        /// The name.
        name: String,
    },
    /// A database could not be reset to the state that the seeds left. It is unchanged.
    #[error("failed to reset the database {name}")]
    Reset {
        /// The database.
        name: String,
        /// The server's error.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A database could not be dropped.
    #[error("failed to drop the database {name}")]
    Drop {
        /// The database.
        name: String,
        /// The server's error.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A query or statement about the server's databases failed.
    #[error("failed to list the server's databases")]
    Query(#[source] tokio_postgres::Error),
    /// The system refused a resource, such as a thread or random numbers, or the background work failed.
    #[error("failed to start a background task")]
    System(#[source] std::io::Error),
}

impl DatabaseError {
    /// Returns `true` if the error shows that the template is gone or that the server was restarted.
    pub(super) fn is_of_a_template_that_is_gone(&self) -> bool {
        let (Self::Create { source, .. } | Self::Query(source)) = self else { return false };
        let gone = [SqlState::UNDEFINED_DATABASE, SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN];
        source.is_closed() || source.code().is_some_and(|code| gone.contains(code))
    }

    /// Returns what the user can do about the error, if anything is known to help.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::InUse { .. } => {
                Some("the first copy needs it for itself for a moment: close other connections until then")
            }
            Self::Exists { .. } => Some("drop it first, or choose another name"),
            _ => None,
        }
    }
}
