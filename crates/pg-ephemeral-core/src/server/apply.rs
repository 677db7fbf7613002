//! Applying SQL and CSV files to a running server, in the same way as seeds, but without caching.

use std::path::PathBuf;

use super::boot::client_programs;
use super::error::StartError;
use super::running::Server;
use crate::model::seed::spec::{CsvDelimiter, CsvTable};
use crate::postgres::connect::ConnectError;
use crate::seed::{CopyError, CsvFile, CsvFileError, EventSink, LoadSqlError, SqlError, SqlScript, copy_csv, run_sql};

/// The reason why SQL or a CSV file could not be applied to a running server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyToServerError {
    /// The connection to the server failed.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The working directory does not exist any more.
    #[error("failed to find the working directory")]
    WorkingDirectory(#[source] std::io::Error),
    /// The client programs could not be set up.
    #[error("failed to reach the server")]
    Reach(#[source] Box<StartError>),
    /// A file that the SQL includes could not be read.
    #[error("failed to read {}", path.display())]
    Include {
        /// The path of the file.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: std::io::Error,
    },
    /// The SQL failed.
    #[error("SQL failed{}", .0.at())]
    Sql(#[source] Box<SqlError>),
    /// The CSV file can't be read, or its first row does not name the columns.
    #[error(transparent)]
    CsvFile(#[from] CsvFileError),
    /// The rows of the CSV file could not be copied to the table.
    #[error(transparent)]
    Copy(#[from] CopyError),
}

impl ApplyToServerError {
    /// Returns a hint on what the user can do about the error, if there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Sql(source) => source.hint(),
            Self::Copy(source) => source.hint(),
            _ => None,
        }
    }
}

impl Server {
    /// Runs SQL with `psql -X -v ON_ERROR_STOP=1`: any number of statements, and also the commands of `psql`. Relative
    /// paths are resolved against the working directory.
    ///
    /// ```no_run
    /// # async fn example(server: &pg_ephemeral_core::Server) -> Result<(), Box<dyn std::error::Error>> {
    /// server.apply_sql("create table countries (code text primary key, name text)").await?;
    /// let countries = pg_ephemeral_core::seed::spec::CsvTable { schema: "public".parse()?, table: "countries".parse()? };
    /// server.apply_csv("countries.csv", countries, Default::default()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns an error with the line of the statement that failed. The effects of the statements before it remain.
    pub async fn apply_sql(&self, sql: &str) -> Result<(), ApplyToServerError> {
        let folder = std::env::current_dir().map_err(ApplyToServerError::WorkingDirectory)?;
        let script = SqlScript::of_text(sql, &folder).await.map_err(|error| match error {
            LoadSqlError::Open { path, source } => ApplyToServerError::Include { path, source },
            LoadSqlError::Git { path, .. }
            | LoadSqlError::Archive { path, .. }
            | LoadSqlError::Foreign { path, .. } => {
                ApplyToServerError::Include { path, source: std::io::ErrorKind::Unsupported.into() }
            }
        })?;
        let mut shell = None;
        let connection = self.from_here.clone();
        let programs = client_programs(self.container(), &connection, self.programs(), &mut shell).await;
        let mut programs = programs.map_err(|error| ApplyToServerError::Reach(Box::new(error)))?;
        let ran = run_sql(&mut programs, &script, &EventSink::default()).await;
        if let Some(shell) = shell {
            shell.close().await;
        }
        ran.map_err(|error| ApplyToServerError::Sql(Box::new(error)))
    }

    /// Loads a CSV file into a table. The first row of the file names the columns. Other columns of the table get their
    /// default values. A relative path is resolved against the working directory.
    ///
    /// # Errors
    /// Returns an error, with the line in the file if it is known, if the file can't be loaded. In that case, no row of
    /// the file is in the table.
    pub async fn apply_csv(
        &self,
        path: impl Into<PathBuf>,
        table: CsvTable,
        delimiter: CsvDelimiter,
    ) -> Result<(), ApplyToServerError> {
        let path = path.into();
        let file = CsvFile::read(path.clone(), path, table, delimiter).await?;
        let client = self.connect().await?;
        Ok(copy_csv(&client, &file, &EventSink::default()).await?)
    }
}
