//! Schema and data for a server that runs already, read and reported as a seed's are. Nothing of it is cached.

use std::path::PathBuf;

use super::boot::client_programs;
use super::error::StartError;
use super::running::Server;
use crate::model::seed::spec::{CsvDelimiter, CsvTable};
use crate::postgres::connect::ConnectError;
use crate::seed::{CopyError, CsvFile, CsvFileError, EventSink, LoadSqlError, SqlError, SqlScript, copy_csv, run_sql};

/// Why SQL or a CSV file could not be applied to a running server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyToServerError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The working directory is gone.
    #[error("failed to find the working directory")]
    WorkingDirectory(#[source] std::io::Error),
    /// The way to the server could not be found.
    #[error("failed to reach the server")]
    Reach(#[source] Box<StartError>),
    /// A file that the SQL includes could not be read.
    #[error("failed to read {}", path.display())]
    Include {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The SQL.
    #[error("SQL failed{}", .0.at())]
    Sql(#[source] Box<SqlError>),
    /// The CSV file can't be read, or its first row names no columns.
    #[error(transparent)]
    CsvFile(#[from] CsvFileError),
    /// The rows.
    #[error(transparent)]
    Copy(#[from] CopyError),
}

impl ApplyToServerError {
    /// What the user can do about it.
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
    /// Runs SQL as `psql -X -v ON_ERROR_STOP=1` does: any number of statements, with psql's own commands between them.
    /// Relative paths in it start from the working directory.
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
    /// [`ApplyToServerError`], with the line; statements before the one that failed may have been run.
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

    /// Loads a CSV file, whose first row names columns, into a table. Columns that it does not name take their defaults.
    /// A relative path starts from the working directory.
    ///
    /// # Errors
    /// [`ApplyToServerError`], with the line where one is known. No row of the file is in the table then.
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
