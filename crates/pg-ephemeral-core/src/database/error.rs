//! [`DatabaseError`]: why there is no database.

use tokio_postgres::error::SqlState;

use crate::postgres::connect::ConnectError;

/// Why a database could not be made, found or dropped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The server does not let us in.
    #[error("connect to the server")]
    Connect(#[source] ConnectError),
    /// Somebody is connected to the seeded database, so that it can't be copied.
    #[error("copy the database {database}: somebody is connected to it")]
    InUse {
        /// The seeded database.
        database: String,
    },
    /// The copy that others are made of could not be made.
    #[error("make the template of the database {database}")]
    Template {
        /// The seeded database.
        database: String,
        /// What the server said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A copy could not be made.
    #[error("create the database {name}")]
    Create {
        /// Its name.
        name: String,
        /// What the server said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// There is a database of this name.
    #[error("create the database {name}: it is there already")]
    Exists {
        /// The name.
        name: String,
    },
    /// There is no such database.
    #[error("find the database {name}: there is none")]
    NotFound {
        /// The name.
        name: String,
    },
    /// A database that this crate did not make.
    #[error("the database {name} was not made by pg-ephemeral")]
    NotOurs {
        /// The name.
        name: String,
    },
    /// A database could not be put back to what the seeds left, and is as it was.
    #[error("put the database {name} back")]
    Reset {
        /// Its name.
        name: String,
        /// What the server said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A database could not be dropped.
    #[error("drop the database {name}")]
    Drop {
        /// Its name.
        name: String,
        /// What the server said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The server could not be asked about its databases, or told about one.
    #[error("ask for the server's databases")]
    Query(#[source] tokio_postgres::Error),
    /// The system is out of something.
    #[error("work on a database in the background")]
    System(#[source] std::io::Error),
}

impl DatabaseError {
    /// Whether the server has lost its template, or is another than the one that had it.
    pub(super) fn is_of_a_template_that_is_gone(&self) -> bool {
        let (Self::Create { source, .. } | Self::Query(source)) = self else { return false };
        let gone = [SqlState::UNDEFINED_DATABASE, SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN];
        source.is_closed() || source.code().is_some_and(|code| gone.contains(code))
    }

    /// What the user can do about it.
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
