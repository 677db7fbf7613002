//! SQL over a connection, as psql would run it, with errors that know their line.

use futures_util::StreamExt;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::{Location, PostgresError};
use crate::seed::events::{ApplyEvent, EventSink};
use crate::seed::loaded::SqlSource;
use crate::seed::sql::{Batch, Place, PsqlOnly, SqlScript};

/// Why SQL could not be run.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// Something in it is for psql. Nothing was run.
    #[error("read {location}")]
    Psql {
        /// Where it is.
        location: Location,
        /// What it is.
        #[source]
        source: PsqlOnly,
    },
    /// The server refused a statement; those before it may have been run.
    #[error("run {location}")]
    Refused {
        /// The place of the error, or the start of the statement that failed.
        location: Location,
        /// What the server said.
        #[source]
        source: Box<PostgresError>,
    },
    /// All of it was run, and a transaction was still open at the end.
    #[error("run {sql}: it starts a transaction and leaves it open")]
    OpenTransaction {
        /// What the SQL was read from.
        sql: SqlSource,
    },
    /// The connection broke, or the server said something unforeseen.
    #[error("talk to the server")]
    Connection(#[source] tokio_postgres::Error),
}

/// Runs SQL: any number of statements, in as few transactions as they allow.
///
/// Statements that no transaction takes (`VACUUM`, `CREATE DATABASE`, `… CONCURRENTLY`) are sent on their own. What
/// queries give back is dropped as it comes.
///
/// # Errors
/// What is wrong, with its place in the SQL.
pub async fn run_sql(client: &Client, text: &str, source: &SqlSource, events: &EventSink) -> Result<(), SqlError> {
    let script = parse(text, source)?;
    let mut done = 0;
    for batch in script.batches() {
        let mut ran = 0;
        let result = run_batch(client, &batch, |statements| {
            ran = statements;
            events.send(ApplyEvent::Ran { statements: done + statements, total: script.len() });
        });
        if let Err(error) = result.await {
            let Some(refused) = error.as_db_error() else { return Err(SqlError::Connection(error)) };
            let refused = PostgresError::from(refused);
            let place = place_of(&script, &batch, &refused, ran);
            let location = Location { source: source.clone(), place };
            return Err(SqlError::Refused { location, source: Box::new(refused) });
        }
        done += ran;
    }
    if script.starts_transactions() && in_transaction(client).await? {
        return Err(SqlError::OpenTransaction { sql: source.clone() });
    }
    Ok(())
}

/// Refuses what [`run_sql`] would refuse before it sends anything.
pub(super) fn check(text: &str, source: &SqlSource) -> Result<(), SqlError> {
    parse(text, source).map(|_| ())
}

fn parse<'t>(text: &'t str, source: &SqlSource) -> Result<SqlScript<'t>, SqlError> {
    SqlScript::parse(text).map_err(|psql| {
        let location = Location { source: source.clone(), place: psql.place };
        SqlError::Psql { location, source: psql }
    })
}

/// Sends statements together. `progress` is told how many of them are over.
async fn run_batch(
    client: &Client,
    batch: &Batch<'_>,
    mut progress: impl FnMut(usize),
) -> Result<(), tokio_postgres::Error> {
    let messages = client.simple_query_raw(batch.text).await?;
    let mut messages = std::pin::pin!(messages);
    let mut statements = 0;
    while let Some(message) = messages.next().await {
        if let SimpleQueryMessage::CommandComplete(_) = message? {
            statements += 1;
            progress(statements);
        }
    }
    Ok(())
}

/// Where the server says it is, or else the statement that did not come to its end. An error after all of them is of
/// the transaction's end, and so of the last one.
fn place_of(script: &SqlScript<'_>, batch: &Batch<'_>, refused: &PostgresError, ran: usize) -> Place {
    match refused.position {
        Some(position) => script.place_of_character(batch, position),
        None => script.place_of_statement(batch, ran.min(batch.len().saturating_sub(1))),
    }
}

/// Whether the time of the transaction is older than that of this statement, which then did not start it.
async fn in_transaction(client: &Client) -> Result<bool, SqlError> {
    const QUERY: &str = "select (pg_catalog.now() < pg_catalog.statement_timestamp())::text";
    let messages = client.simple_query(QUERY).await.map_err(SqlError::Connection)?;
    Ok(messages.iter().any(|message| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("true"))))
}
