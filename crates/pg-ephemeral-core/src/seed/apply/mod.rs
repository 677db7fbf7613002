//! Running one loaded seed against a server that is there already. It must not start servers, know how they are
//! reached beyond what it is given, or decide whether anything is cached.

use std::fmt;

use tokio_postgres::Client;

use super::events::EventSink;
use super::loaded::{Body, LoadedSeed, SqlSource};
use super::sql::{Place, PsqlFeature};
use crate::instance::SeedName;

pub use copy::{CopyError, copy_csv};
pub use postgres_error::PostgresError;
pub use program::{ChildEnvironment, ProgramError};
pub use run_sql::{SqlError, run_sql};

mod copy;
mod postgres_error;
mod program;
mod run_sql;

/// The server that a seed is applied to.
#[derive(Debug, Clone, Copy)]
pub struct ApplyContext<'a> {
    /// A connection that no other seed uses, opened after the one before: what a seed leaves in its session, such as a
    /// `search_path`, must not reach the next one, and a default it changed with `ALTER ROLE` must.
    pub client: &'a Client,
    /// What scripts and commands get to know of the server.
    pub environment: &'a ChildEnvironment,
    /// Who is told what goes on.
    pub events: &'a EventSink,
}

/// A place in SQL. Displayed as `file:line:column`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// What the SQL was read from.
    pub source: SqlSource,
    /// The place in it.
    pub place: Place,
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            SqlSource::Statement => {
                write!(formatter, "the statement, line {} column {}", self.place.line, self.place.column)
            }
            file => write!(formatter, "{file}:{}", self.place),
        }
    }
}

/// Why a seed could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Its SQL.
    #[error("apply seed {seed}")]
    Sql {
        /// The seed.
        seed: SeedName,
        /// What came of it.
        #[source]
        source: Box<SqlError>,
    },
    /// Its CSV file.
    #[error("apply seed {seed}")]
    Copy {
        /// The seed.
        seed: SeedName,
        /// What came of it.
        #[source]
        source: CopyError,
    },
    /// Its script or command.
    #[error("apply seed {seed}")]
    Program {
        /// The seed.
        seed: SeedName,
        /// What came of it.
        #[source]
        source: ProgramError,
    },
    /// Its script inside the image.
    #[error("apply seed {seed}: its script ended with status {status}{}", last_words(log))]
    ContainerScript {
        /// The seed.
        seed: SeedName,
        /// The status of its shell.
        status: i32,
        /// The last lines it printed.
        log: String,
    },
    /// A file that its script needs, or that follows from it, could not be written in the container.
    #[error("apply seed {seed}: write {file} in its container: {message}")]
    ScriptFile {
        /// The seed.
        seed: SeedName,
        /// The file there.
        file: String,
        /// What was said inside.
        message: String,
    },
    /// It does not run against a server at all.
    #[error("apply seed {seed}: a container script runs in an image, with no server")]
    NeedsImage {
        /// The seed.
        seed: SeedName,
    },
}

fn last_words(log: &str) -> String {
    let log = log.trim();
    if log.is_empty() { String::new() } else { format!("; its last words:\n{log}") }
}

/// Applies one seed to a running server. When the future is dropped, a script or a command is killed with all it
/// started; a statement goes on until its server is removed.
///
/// Container scripts are for [`Place::Image`](crate::layer::Place::Image) and refused here.
///
/// # Errors
/// What the server, or the seed's program, said; with the file and line where one is known.
pub async fn apply(seed: &LoadedSeed, context: &ApplyContext<'_>) -> Result<(), ApplyError> {
    let name = || seed.name.clone();
    match &seed.body {
        Body::Sql { text, source } => run_sql(context.client, text, source, context.events)
            .await
            .map_err(|source| ApplyError::Sql { seed: name(), source: Box::new(source) }),
        Body::Csv(file) => copy_csv(context.client, file, context.events)
            .await
            .map_err(|source| ApplyError::Copy { seed: name(), source }),
        Body::Program { program, .. } => program::run_program(program, context.environment, context.events)
            .await
            .map_err(|source| ApplyError::Program { seed: name(), source }),
        Body::ContainerScript { .. } => Err(ApplyError::NeedsImage { seed: name() }),
    }
}

impl LoadedSeed {
    /// Finds what is sure to fail before there is a server to fail on: SQL that only psql understands.
    ///
    /// # Errors
    /// As [`apply()`] would give it.
    pub fn check(&self) -> Result<(), ApplyError> {
        match &self.body {
            Body::Sql { text, source } => {
                let checked = run_sql::check(text, source);
                checked.map_err(|source| ApplyError::Sql { seed: self.name.clone(), source: Box::new(source) })
            }
            _ => Ok(()),
        }
    }
}

impl ApplyError {
    /// The seed.
    #[must_use]
    pub fn seed(&self) -> &SeedName {
        match self {
            Self::Sql { seed, .. }
            | Self::Copy { seed, .. }
            | Self::Program { seed, .. }
            | Self::ContainerScript { seed, .. }
            | Self::ScriptFile { seed, .. }
            | Self::NeedsImage { seed } => seed,
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Sql { source, .. } => source.hint(),
            Self::Copy { source, .. } => source.hint(),
            Self::Program { .. } | Self::ContainerScript { .. } | Self::ScriptFile { .. } | Self::NeedsImage { .. } => {
                None
            }
        }
    }
}

impl SqlError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Psql { location: Location { source, .. }, source: psql } => {
                let file = match source {
                    SqlSource::File(path) | SqlSource::Revision { path, .. } => path.display().to_string(),
                    SqlSource::Statement => "FILE".to_owned(),
                };
                let script = format!("psql -v ON_ERROR_STOP=1 -f {file}");
                let dump = match psql.feature {
                    PsqlFeature::CopyFromStdin => ", or dump with `pg_dump --inserts`",
                    _ => "",
                };
                Some(format!("use a seed with `type = \"script\"` and `script = \"{script}\"`{dump}"))
            }
            Self::OpenTransaction { .. } => Some("end it with COMMIT, or leave out BEGIN".to_owned()),
            Self::Refused { .. } | Self::Connection(_) => None,
        }
    }
}
