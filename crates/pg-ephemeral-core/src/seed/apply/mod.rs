//! Running one loaded seed against a server that is there already. It must not start servers, know how they are
//! reached beyond what it is given, or decide whether anything is cached.

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

/// The server that a seed is applied to. Nobody is connected to the instance's database meanwhile: a seed may rename it,
/// or copy it.
#[derive(Debug)]
pub(crate) struct ApplyContext<'a> {
    /// Where psql and pg_restore run.
    pub(crate) programs: ClientPrograms<'a>,
    /// How this crate connects.
    pub(crate) connection: ConnectionParameters,
    /// What scripts and commands get to know of the server.
    pub(crate) environment: ChildEnvironment,
    /// Who is told what goes on.
    pub(crate) events: &'a EventSink,
}

/// Why a seed could not be applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// Its SQL.
    #[error("seed \"{seed}\" failed{}", source.at())]
    Sql {
        /// The seed.
        seed: SeedName,
        /// What came of it.
        #[source]
        source: Box<SqlError>,
    },
    /// Its dump.
    #[error("seed \"{seed}\" failed to restore {}{}", path.display(), at_line(source))]
    Restore {
        /// The seed.
        seed: SeedName,
        /// The dump, by the path that the user gave.
        path: PathBuf,
        /// What came of it.
        #[source]
        source: Box<RestoreError>,
    },
    /// Its CSV file.
    #[error("seed \"{seed}\" failed")]
    Copy {
        /// The seed.
        seed: SeedName,
        /// What came of it.
        #[source]
        source: CopyError,
    },
    /// Its script or command.
    #[error("seed \"{seed}\" failed")]
    Program {
        /// The seed.
        seed: SeedName,
        /// What came of it.
        #[source]
        source: ProgramError,
    },
    /// Its script inside the image.
    #[error("seed \"{seed}\" failed: its script ended with status {status}{}", last_words(log))]
    ContainerScript {
        /// The seed.
        seed: SeedName,
        /// The status of its shell.
        status: i32,
        /// The last lines it printed.
        log: String,
    },
    /// A file that its script needs, or that follows from it, could not be written in the container.
    #[error("seed \"{seed}\" failed to write {file} in its container: {message}")]
    ScriptFile {
        /// The seed.
        seed: SeedName,
        /// The file there.
        file: String,
        /// What was said inside.
        message: String,
    },
    /// There was no connection for its CSV file.
    #[error("seed \"{seed}\" failed to connect")]
    Connect {
        /// The seed.
        seed: SeedName,
        /// What came of it.
        #[source]
        source: ConnectError,
    },
    /// It changed the superuser or the instance's database so that nobody can log in any more.
    #[error("after seed \"{seed}\" the superuser can't log in any more: {refusal}")]
    LockedOut {
        /// The seed.
        seed: SeedName,
        /// What the server said.
        refusal: String,
    },
    /// It made the superuser's password expire.
    #[error("after seed \"{seed}\" the superuser can't log in any more: its password has expired")]
    Expired {
        /// The seed.
        seed: SeedName,
    },
    /// It does not run against a server at all.
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

fn last_words(log: &str) -> String {
    let log = log.trim();
    if log.is_empty() { String::new() } else { format!("; its last words:\n{log}") }
}

/// Applies one seed to a running server. When the future is dropped, a program is killed with all it started; a statement
/// goes on until its server is removed.
///
/// Container scripts are for [`Place::Image`](crate::layer::Place::Image) and refused here.
///
/// # Errors
/// What the server, or the seed's program, said; with the file and line where one is known.
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
    /// The seed.
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

    /// What the user can do about it.
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
