//! Applies one seed to a running server. This module must not start servers, know more about reaching them than it is
//! given, or decide whether anything is cached.

use std::path::PathBuf;

use super::events::EventSink;
use super::read_seeds::{Body, ReadSeed};
use crate::model::SeedName;
use crate::postgres::client::ClientPrograms;
use crate::postgres::connect::{ConnectError, connect};
use crate::postgres::endpoint::ConnectionParameters;

pub use copy::CopyError;
pub(crate) use copy::copy_csv;
pub use postgres_error::PostgresError;
pub(crate) use program::ChildEnvironment;
pub use program::ProgramError;
pub use restore::RestoreError;
pub(crate) use run_sql::run_sql;
pub use run_sql::{Location, SqlError};

mod copy;
mod postgres_error;
mod program;
mod psql_output;
mod restore;
mod run_sql;

/// The server that a seed is applied to. This crate must not be connected to the instance's database meanwhile, because
/// a seed may rename or copy that database.
#[derive(Debug)]
pub(crate) struct ApplyContext<'a> {
    /// The place where psql and pg_restore run.
    pub(crate) programs: ClientPrograms<'a>,
    /// The parameters of this crate's own connections.
    pub(crate) connection: ConnectionParameters,
    /// The environment variables of scripts and commands.
    pub(crate) environment: ChildEnvironment,
    /// The receiver of events.
    pub(crate) events: &'a EventSink,
}

/// An error while applying a seed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The SQL of the seed failed.
    #[error("seed \"{seed}\" failed{}", source.at())]
    Sql {
        /// The seed.
        seed: SeedName,
        /// The cause.
        #[source]
        source: Box<SqlError>,
    },
    /// The dump of the seed could not be restored.
    #[error("seed \"{seed}\" failed to restore {}{}", path.display(), at_line(source))]
    Restore {
        /// The seed.
        seed: SeedName,
        /// The dump, by the path that the user gave.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Box<RestoreError>,
    },
    /// The CSV file of the seed could not be loaded.
    #[error("seed \"{seed}\" failed")]
    Copy {
        /// The seed.
        seed: SeedName,
        /// The cause.
        #[source]
        source: CopyError,
    },
    /// The script or command of the seed failed.
    #[error("seed \"{seed}\" failed")]
    Program {
        /// The seed.
        seed: SeedName,
        /// The cause.
        #[source]
        source: ProgramError,
    },
    /// The container script of the seed failed.
    #[error("seed \"{seed}\" failed: its script ended with status {status}{}", log_tail(log))]
    ContainerScript {
        /// The seed.
        seed: SeedName,
        /// The exit status of the script's shell.
        status: i32,
        /// The last lines that the script printed.
        log: String,
    },
    /// A file that the container script needs, or that results from it, could not be written in the container.
    #[error("seed \"{seed}\" failed to write {file} in its container: {message}")]
    ScriptFile {
        /// The seed.
        seed: SeedName,
        /// The file in the container.
        file: String,
        /// The message from inside the container.
        message: String,
    },
    /// The connection for the CSV file could not be made.
    #[error("seed \"{seed}\" failed to connect")]
    Connect {
        /// The seed.
        seed: SeedName,
        /// The cause.
        #[source]
        source: ConnectError,
    },
    /// The seed changed the superuser or the instance's database so that the superuser can't log in any more.
    #[error("after seed \"{seed}\" the superuser can no longer log in: {refusal}")]
    LockedOut {
        /// The seed.
        seed: SeedName,
        /// The message of the server.
        refusal: String,
    },
    /// The seed made the superuser's password expire.
    #[error("after seed \"{seed}\" the superuser can no longer log in: its password has expired")]
    Expired {
        /// The seed.
        seed: SeedName,
    },
    /// The seed is a container script, which runs in an image and not against a server.
    #[error("seed \"{seed}\" can't run here: a container script runs in an image, with no server")]
    NeedsImage {
        /// The seed.
        seed: SeedName,
    },
}

fn at_line(error: &RestoreError) -> String {
    match error {
        RestoreError::Refused { line: Some(line), .. } => format!(":{line}"),
        _ => String::new(),
    }
}

fn log_tail(log: &str) -> String {
    let log = log.trim();
    if log.is_empty() { String::new() } else { format!("; its last words:\n{log}") }
}

/// Applies one seed to a running server. If the future is dropped, a program of the seed is killed with everything that
/// it started; a statement continues until its server is removed.
///
/// Container scripts are refused here, because they run in an image ([`Place::Image`](crate::layer::Place::Image)).
///
/// # Errors
/// Returns the error of the server or of the seed's program, with the file and line if they are known.
pub(crate) async fn apply(seed: &ReadSeed, context: &mut ApplyContext<'_>) -> Result<(), ApplyError> {
    let name = || seed.name.clone();
    match &seed.body {
        Body::Sql(script) => run_sql(&mut context.programs, script, context.events)
            .await
            .map_err(|source| ApplyError::Sql { seed: name(), source: Box::new(source) }),
        Body::Dump(dump) => restore::restore(&mut context.programs, dump, &context.connection, context.events)
            .await
            .map_err(|source| ApplyError::Restore { seed: name(), path: dump.path.clone(), source: Box::new(source) }),
        Body::Csv(file) => {
            let client = connect(&context.connection).await;
            let client = client.map_err(|source| ApplyError::Connect { seed: name(), source })?;
            copy_csv(&client, file, context.events).await.map_err(|source| ApplyError::Copy { seed: name(), source })
        }
        Body::Program { program, .. } => program::run_program(program, &context.environment, context.events)
            .await
            .map_err(|source| ApplyError::Program { seed: name(), source }),
        Body::ContainerScript { .. } => Err(ApplyError::NeedsImage { seed: name() }),
    }
}

impl ApplyError {
    /// Returns the name of the seed.
    #[must_use]
    pub fn seed(&self) -> &SeedName {
        match self {
            Self::Sql { seed, .. }
            | Self::Restore { seed, .. }
            | Self::Copy { seed, .. }
            | Self::Program { seed, .. }
            | Self::ContainerScript { seed, .. }
            | Self::ScriptFile { seed, .. }
            | Self::Connect { seed, .. }
            | Self::LockedOut { seed, .. }
            | Self::Expired { seed }
            | Self::NeedsImage { seed } => seed,
        }
    }

    /// Returns what the user can do about the error, if anything.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Sql { source, .. } => source.hint(),
            Self::Restore { source, .. } => source.hint(),
            Self::Copy { source, .. } => source.hint(),
            Self::LockedOut { .. } | Self::Expired { .. } => Some(
                "the superuser has to be able to log in to the instance's database: leave out what prevents it, such \
                 as NOLOGIN, NOSUPERUSER, VALID UNTIL, RENAME or ALLOW_CONNECTIONS false"
                    .to_owned(),
            ),
            Self::Program { source: ProgramError::Start { hint, .. }, .. } => hint.map(str::to_owned),
            Self::Program { .. }
            | Self::ContainerScript { .. }
            | Self::ScriptFile { .. }
            | Self::Connect { .. }
            | Self::NeedsImage { .. } => None,
        }
    }
}
