//! Schema and data for a server that runs already, read and reported as a seed's are. Nothing of it is cached.

use std::path::PathBuf;

use super::{ConnectError, Server};
use crate::seed::spec::{CsvDelimiter, CsvTable};
use crate::seed::{CopyError, CsvFile, CsvFileError, EventSink, SqlError, SqlSource, copy_csv, run_sql};

/// Why SQL or a CSV file could not be applied to a running server.
#[derive(Debug, thiserror::Error)]
pub enum ApplyToServerError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The SQL.
    #[error(transparent)]
    Sql(Box<SqlError>),
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
            Self::Connect(_) | Self::CsvFile(_) => None,
        }
    }
}

impl Server {
    /// Runs SQL over a connection of its own: any number of statements, in as few transactions as they allow.
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
        let client = self.connect().await?;
        let ran = run_sql(&client, sql, &SqlSource::Statement, &EventSink::default()).await;
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
