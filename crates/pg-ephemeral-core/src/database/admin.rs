//! Lists, drops and marks the databases of a server over one connection. This module must not know why that is done,
//! nor about spare copies.

use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::error::DatabaseError;
use super::name;
use super::sql::{LIST, TERMINATE, quoted};
use crate::model::Liveness;

/// The comment (`COMMENT ON DATABASE`) of databases that belong to no process.
const MARK: &str = "made by pg-ephemeral";
/// How long to wait for connections to end. After that, `DROP DATABASE` itself waits for them, a tenth of a second at a
/// time.
const END_LIMIT: Duration = Duration::from_secs(5);
const END_PAUSE: Duration = Duration::from_millis(1);

/// The current state of a database that this crate has made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DatabaseInfo {
    /// The name of the database.
    pub name: String,
    /// Whether the process that the database belongs to is alive; `None` if it belongs to no process. Serialised as
    /// `alive`, `dead`, `foreign` or null.
    #[serde(serialize_with = "owner_as_text")]
    pub owner: Option<Liveness>,
    /// The number of connections to the database.
    pub connections: i64,
    /// The size in bytes.
    pub size: i64,
}

fn owner_as_text<S: Serializer>(owner: &Option<Liveness>, serializer: S) -> Result<S::Ok, S::Error> {
    let text = owner.map(|owner| match owner {
        Liveness::Alive => "alive",
        Liveness::Dead => "dead",
        Liveness::Foreign => "foreign",
    });
    text.serialize(serializer)
}

pub(super) async fn list(client: &Client) -> Result<Vec<DatabaseInfo>, DatabaseError> {
    let rows = client.query(LIST, &[]).await.map_err(DatabaseError::Query)?;
    let ours = |row: &tokio_postgres::Row| {
        let (name, mark): (String, Option<String>) = (row.get(0), row.get(1));
        let is_marked = mark.is_some_and(|mark| mark == MARK);
        let owner = if is_marked { None } else { Some(name::liveness(&name)?) };
        // The size is NULL if the database is being dropped at this moment.
        let size: Option<i64> = row.get(3);
        Some(DatabaseInfo { name, owner, connections: row.get(2), size: size? })
    };
    Ok(rows.iter().filter_map(ours).collect())
}

/// Finds a database that this crate has made by its name.
pub(super) async fn find(client: &Client, name: &str) -> Result<DatabaseInfo, DatabaseError> {
    if let Some(found) = list(client).await?.into_iter().find(|database| database.name == name) {
        return Ok(found);
    }
    let row = client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]).await;
    let name = name.to_owned();
    Err(match row.map_err(DatabaseError::Query)? {
        Some(_) => DatabaseError::NotOurs { name },
        None => DatabaseError::NotFound { name },
    })
}

/// Drops the databases of processes that have ended. A database that can't be dropped is left for the next process.
pub(super) async fn sweep(client: &Client) -> Result<(), DatabaseError> {
    for database in list(client).await? {
        if database.owner == Some(Liveness::Dead)
            && let Err(error) = discard(client, &database.name).await
        {
            tracing::debug!(%error, name = database.name, "a database of a dead process stays");
        }
    }
    Ok(())
}

/// Drops a database, even if clients are connected. Does nothing if there is no such database.
pub(super) async fn discard(client: &Client, name: &str) -> Result<(), DatabaseError> {
    end_connections(client, name).await?;
    let dropped = client.batch_execute(&format!("DROP DATABASE IF EXISTS {}", quoted(name))).await;
    dropped.map_err(|source| DatabaseError::Drop { name: name.to_owned(), source })
}

/// Renames the database `of` to `old` and the copy `fresh` to the name of `of`, in one transaction. If this fails, the
/// database is unchanged but its connections have ended.
pub(super) async fn swap(client: &Client, of: &DatabaseInfo, fresh: &str, old: &str) -> Result<(), DatabaseError> {
    let (name, fresh, old) = (quoted(&of.name), quoted(fresh), quoted(old));
    let failed = |source| DatabaseError::Reset { name: of.name.clone(), source };
    let open = |allow: bool| format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {allow}");
    client.batch_execute(&open(false)).await.map_err(failed)?;
    let mark = if of.owner.is_none() { format!("'{MARK}'") } else { "NULL".to_owned() };
    let statements = format!(
        "BEGIN; ALTER DATABASE {name} RENAME TO {old}; ALTER DATABASE {fresh} RENAME TO {name}; \
         COMMENT ON DATABASE {old} IS NULL; COMMENT ON DATABASE {name} IS {mark}; COMMIT"
    );
    let swapped = match end_connections(client, &of.name).await {
        Ok(()) => client.batch_execute(&statements).await.map_err(failed),
        error => error,
    };
    if swapped.is_err() {
        // If the connection is broken, this fails too and can't be undone.
        let _ = client.batch_execute(&format!("ROLLBACK; {}", open(true))).await;
    }
    swapped
}

/// Returns an error if there is a database of this name.
pub(super) async fn refuse_taken(client: &Client, name: &str) -> Result<(), DatabaseError> {
    let row = client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]).await;
    match row.map_err(DatabaseError::Query)? {
        Some(_) => Err(DatabaseError::Exists { name: name.to_owned() }),
        None => Ok(()),
    }
}

/// Renames a database of this process and marks it as belonging to no process, in one transaction.
pub(super) async fn forward(client: &Client, owned: &str, name: &str) -> Result<(), DatabaseError> {
    let (old, new) = (quoted(owned), quoted(name));
    let statements =
        format!("BEGIN; ALTER DATABASE {old} RENAME TO {new}; COMMENT ON DATABASE {new} IS '{MARK}'; COMMIT");
    let renamed = client.batch_execute(&statements).await;
    if renamed.is_err() {
        // If the connection is broken, the server has rolled back already.
        let _ = client.batch_execute("ROLLBACK").await;
    }
    renamed.map_err(|source| match source.code() {
        Some(code) if *code == SqlState::DUPLICATE_DATABASE => DatabaseError::Exists { name: name.to_owned() },
        _ => DatabaseError::Create { name: name.to_owned(), source },
    })
}

/// Ends the connections to a database and refuses new ones. `DROP DATABASE … WITH (FORCE)` does the same, but sleeps
/// for a tenth of a second before it checks whether the connections have ended.
async fn end_connections(client: &Client, name: &str) -> Result<(), DatabaseError> {
    let terminate = async || client.query(TERMINATE, &[&name]).await.map_err(DatabaseError::Query);
    if terminate().await?.is_empty() {
        return Ok(());
    }
    let closed = client.batch_execute(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", quoted(name))).await;
    closed.map_err(DatabaseError::Query)?;
    let deadline = Instant::now() + END_LIMIT;
    while !terminate().await?.is_empty() && Instant::now() < deadline {
        tokio::time::sleep(END_PAUSE).await;
    }
    Ok(())
}

/// Marks a database as belonging to no process.
pub(super) async fn mark(client: &Client, name: &str) -> Result<(), DatabaseError> {
    let statement = format!("COMMENT ON DATABASE {} IS '{MARK}'", quoted(name));
    client.batch_execute(&statement).await.map_err(|error| match error.code() {
        Some(code) if *code == SqlState::UNDEFINED_DATABASE => DatabaseError::NotFound { name: name.to_owned() },
        _ => DatabaseError::Query(error),
    })
}
