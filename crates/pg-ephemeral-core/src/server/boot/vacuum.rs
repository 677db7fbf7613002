//! Vacuums and analyses what seeds have loaded before it becomes a layer. Autovacuum would do the same some minutes
//! later, in every server that starts from the layer: queries have good plans at once, and the first reader of a row
//! does not write to its page.

use tokio_postgres::Client;

use super::{Boot, Running};
use crate::postgres::connect;

/// The databases in which autovacuum would work, unless it is turned off.
const DATABASES: &str = "SELECT datname::text FROM pg_database \
    WHERE datallowconn AND NOT datistemplate AND current_setting('autovacuum')::bool";

/// A statement for each table that autovacuum would analyse, by its default thresholds.
const STATEMENTS: &str = "SELECT format('VACUUM (ANALYZE) %I.%I', schemaname, stat.relname) \
    FROM pg_stat_user_tables AS stat JOIN pg_class ON pg_class.oid = relid \
    WHERE n_mod_since_analyze > 50 + 0.1 * greatest(reltuples, 0)";

/// Prepares a session for VACUUM. Until the WAL with the commit of a row is written out, VACUUM can't mark the row as
/// visible to all; committing a transaction that has written to the WAL writes all of it out. A table can be locked for
/// long by a prepared transaction that a seed has left, and for a moment by autovacuum, which gives way after a second.
const PREPARE: &str = "SET synchronous_commit = on; SET lock_timeout = '5s'; \
    SELECT pg_logical_emit_message(true, 'pg-ephemeral', '')";

impl Boot<'_> {
    /// Vacuums and analyses the tables that have changed much. If that fails for a table, for example because of a
    /// function in one of its indexes, the table is left to autovacuum.
    pub(super) async fn vacuum(&self, running: &Running, client: &Client) {
        let Ok(databases) = client.query(DATABASES, &[]).await else { return };
        let own = self.definition.database.as_str();
        for database in databases.iter().map(|row| row.get::<_, String>(0)) {
            if database == own {
                vacuum_database(client).await;
                continue;
            }
            let connection = crate::server::ConnectionParameters { database, ..self.current(running) };
            if let Ok(client) = connect::connect_for_set_up(&connection).await {
                vacuum_database(&client).await;
            }
        }
    }
}

async fn vacuum_database(client: &Client) {
    let Ok(statements) = client.query(STATEMENTS, &[]).await else { return };
    if statements.is_empty() || client.batch_execute(PREPARE).await.is_err() {
        return;
    }
    for statement in statements.iter().map(|row| row.get::<_, String>(0)) {
        if let Err(error) = client.batch_execute(&statement).await {
            tracing::debug!(%statement, %error, "a table is left to autovacuum");
        }
    }
    // An error shows with the next statement of the session.
    let _ = client.batch_execute("RESET synchronous_commit; RESET lock_timeout").await;
}
