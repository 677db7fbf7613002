//! Loads CSV files into tables, with `COPY … FROM STDIN`.

use std::io::{self, Cursor};
use std::path::PathBuf;

use futures_util::SinkExt;
use postgres_protocol::escape::{escape_identifier, escape_literal};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, CopyInSink};

use super::PostgresError;
use crate::seed::csv::CsvFile;
use crate::seed::events::{ApplyEvent, EventSink};

/// An error while loading a CSV file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The file could not be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The underlying I/O error.
        #[source]
        source: io::Error,
    },
    /// The file has changed since its hash was computed.
    #[error("{} changed while it was in use", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The header names a column that the table does not have.
    #[error("failed to load {}:1: the table {table} has no column {column:?}, it has {}", path.display(), known.join(", "))]
    UnknownColumn {
        /// The file.
        path: PathBuf,
        /// The table with its schema.
        table: String,
        /// The column.
        column: String,
        /// The columns that the table has.
        known: Vec<String>,
    },
    /// The server would take a line for the end of the data, and drop the lines after it.
    #[error("failed to load {}:{line}: to this server a line `\\.` is the end of the data, and more follows", path.display())]
    EndMark {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// The server refused a row, or the whole file.
    #[error("failed to load {}{}", path.display(), line.map(|line| format!(":{line}")).unwrap_or_default())]
    Refused {
        /// The file.
        path: PathBuf,
        /// The line, from 1, if the server names one.
        line: Option<u64>,
        /// The error of the server.
        #[source]
        source: Box<PostgresError>,
    },
    /// The connection broke, or the server sent an unexpected answer.
    #[error("failed to talk to the server")]
    Connection(#[source] tokio_postgres::Error),
}

impl CopyError {
    /// Returns what the user can do about the error, if anything.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Changed { .. } => Some("run it again once nothing writes to the file".to_owned()),
            Self::UnknownColumn { .. } => {
                Some("names in the first row are compared exactly, letter case and spaces included".to_owned())
            }
            Self::EndMark { .. } => Some("put it in quotes: \"\\.\"".to_owned()),
            _ => None,
        }
    }
}

/// Loads a CSV file into its table, a few pieces at a time. Columns that the header does not name get their default
/// values.
///
/// # Errors
/// Returns an error if the file can't be loaded, with the line if it is known. In this case the table contains no row
/// of the file, and the connection can't be used any more, because tokio-postgres loses count of the server's answers
/// if a `COPY` does not start.
pub(crate) async fn copy_csv(client: &Client, file: &CsvFile, events: &EventSink) -> Result<(), CopyError> {
    if let Some(unknown) = unknown_column(client, file).await? {
        return Err(unknown);
    }
    if let Some(line) = file.end_mark()
        && knows_end_mark(client).await?
    {
        return Err(CopyError::EndMark { path: file.shown().to_owned(), line });
    }
    match client.copy_in::<str, Cursor<Vec<u8>>>(&statement(file)).await {
        Ok(sink) => send(sink, file, events).await,
        Err(error) => Err(refused(file, error)),
    }
}

async fn send(sink: CopyInSink<Cursor<Vec<u8>>>, file: &CsvFile, events: &EventSink) -> Result<(), CopyError> {
    let mut sink = std::pin::pin!(sink);
    let (total, mut pieces) = file.pieces();
    let mut hasher = blake3::Hasher::new();
    while let Some(piece) = pieces.recv().await {
        let piece = piece.map_err(|source| CopyError::Read { path: file.shown().to_owned(), source })?;
        hasher.update(&piece);
        if let Err(error) = sink.send(Cursor::new(piece)).await {
            // The server's final answer says why it accepts no more data.
            let error = sink.as_mut().finish().await.err().unwrap_or(error);
            return Err(refused(file, error));
        }
        events.send(ApplyEvent::Copied { bytes: hasher.count(), total });
    }
    // If the sink is dropped without `finish`, the server discards all rows.
    if hasher.finalize() != *file.content() {
        return Err(CopyError::Changed { path: file.shown().to_owned() });
    }
    sink.finish().await.map(|_| ()).map_err(|error| refused(file, error))
}

fn statement(file: &CsvFile) -> String {
    let columns: Vec<String> = file.columns().iter().map(|column| escape_identifier(column)).collect();
    format!(
        "COPY {}.{} ({}) FROM STDIN WITH (FORMAT csv, HEADER true, DELIMITER {})",
        escape_identifier(file.table().schema.as_str()),
        escape_identifier(file.table().table.as_str()),
        columns.join(", "),
        escape_literal(&file.delimiter().to_string()),
    )
}

/// Returns an error for the first column of the header that the table does not have. If there is no such table, it
/// returns `None`, because the server's own error is better.
async fn unknown_column(client: &Client, file: &CsvFile) -> Result<Option<CopyError>, CopyError> {
    const QUERY: &str = "select a.attname::text \
        from pg_catalog.pg_attribute a \
        join pg_catalog.pg_class c on c.oid = a.attrelid \
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
        where n.nspname::text = $1 and c.relname::text = $2 and a.attnum > 0 and not a.attisdropped \
        order by a.attnum";
    let (schema, table) = (file.table().schema.as_str(), file.table().table.as_str());
    let rows = client.query_typed(QUERY, &[(&schema, Type::TEXT), (&table, Type::TEXT)]).await;
    let rows = rows.map_err(CopyError::Connection)?;
    let known: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
    let known = known.map_err(CopyError::Connection)?;
    if known.is_empty() {
        return Ok(None);
    }
    let unknown = file.columns().iter().find(|column| !known.contains(column)).cloned();
    Ok(unknown.map(|column| CopyError::UnknownColumn {
        path: file.shown().to_owned(),
        table: format!("{schema}.{table}"),
        column,
        known,
    }))
}

/// Returns `true` if `\.` ends the data of a CSV file for this server, as it does before PostgreSQL 18.
async fn knows_end_mark(client: &Client) -> Result<bool, CopyError> {
    const QUERY: &str = "select pg_catalog.current_setting('server_version_num')::int < 180000";
    let row = client.query_one(QUERY, &[]).await.map_err(CopyError::Connection)?;
    row.try_get(0).map_err(CopyError::Connection)
}

fn refused(file: &CsvFile, error: tokio_postgres::Error) -> CopyError {
    let Some(source) = error.as_db_error().map(PostgresError::from) else { return CopyError::Connection(error) };
    let line = source.context.as_deref().and_then(|context| line_of(context, file.table().table.as_str()));
    CopyError::Refused { path: file.shown().to_owned(), line, source: Box::new(source) }
}

/// Returns the line in a context such as `COPY orders, line 3, column id: "x"`. Lines about a trigger may precede it.
fn line_of(context: &str, table: &str) -> Option<u64> {
    let start = format!("COPY {table}, line ");
    let rest = context.lines().find_map(|line| line.strip_prefix(&start))?;
    let digits = rest.split(|character: char| !character.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_read_from_the_server_s_context() {
        assert_eq!(line_of("COPY orders, line 3, column id: \"x, line 9\"", "orders"), Some(3));
        assert_eq!(line_of("COPY a, line 1, line 12", "a, line 1"), Some(12));
        assert_eq!(line_of("PL/pgSQL function f() line 3 at RAISE\nCOPY t, line 4: \"1\"", "t"), Some(4));
        assert_eq!(line_of("SQL statement \"insert\"", "t"), None);
    }
}
