//! The template that all copies are made from: a copy of the seeded database that refuses connections, made once per
//! server. Also chooses the fastest way to copy it.

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use super::error::DatabaseError;
use super::sql::{PROPERTIES, quoted};

/// The name of the template on every server.
pub(super) const TEMPLATE: &str = "pg_ephemeral_template";
/// The advisory lock, on the database [`MAINTENANCE_DATABASE`], that is held while the template is made, so that concurrent
/// processes make only one.
const LOCK: i64 = 0x7067_5f65_7068_656d;
/// The database to connect to while the template may have to be made, because nobody may be connected to the seeded
/// database then.
pub(super) const MAINTENANCE_DATABASE: &str = "template1";
/// The size in bytes from which it is faster to copy the files than to write all pages through the buffers and the WAL.
const LARGE: i64 = 64 * 1024 * 1024;
/// The first version in which `CREATE DATABASE` has a `STRATEGY` option.
const CHOOSES: i32 = 15_00_00;
/// The first version that can clone files, so that they share blocks.
const CLONES: i32 = 18_00_00;

/// How a server copies a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strategy {
    /// The only strategy before PostgreSQL 15. It copies as `FileCopy` does.
    Default,
    /// Page by page, through the buffers and the WAL.
    WalLog,
    /// File by file, between two checkpoints.
    FileCopy,
    /// As `FileCopy`, but the files share their blocks until one of them is written to.
    Clone,
}

impl Strategy {
    /// Returns the fastest strategy of a server's version for a database of this size. Only a trial shows whether the
    /// server's file system can share blocks.
    fn of(version: i32, size: i64) -> Self {
        match (version, size) {
            (..CHOOSES, _) => Self::Default,
            (CLONES.., _) => Self::Clone,
            (_, LARGE..) => Self::FileCopy,
            _ => Self::WalLog,
        }
    }

    /// Returns the strategy to try if this one turns out not to work on a server.
    fn otherwise(self, size: i64) -> Option<Self> {
        match self {
            Self::Clone if size >= LARGE => Some(Self::FileCopy),
            Self::Clone => Some(Self::WalLog),
            _ => None,
        }
    }

    fn option(self) -> &'static str {
        match self {
            Self::Default => "",
            Self::WalLog => " STRATEGY wal_log",
            Self::FileCopy | Self::Clone => " STRATEGY file_copy",
        }
    }

    /// Returns the statement to run before the copy, if the strategy needs one.
    pub(super) fn setting(self) -> Option<&'static str> {
        (self == Self::Clone).then_some("SET file_copy_method = clone")
    }
}

/// The template of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) strategy: Strategy,
    /// The text before and after the name of a copy, for each statement that completes it. See [`PROPERTIES`].
    properties: Vec<(String, String)>,
}

impl Template {
    /// Finds the template of a server, or makes it. The client must be connected to [`MAINTENANCE_DATABASE`].
    pub(super) async fn find_or_make(client: &Client, seeded: &str) -> Result<Self, DatabaseError> {
        client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await.map_err(DatabaseError::Query)?;
        // The lock is released when the connection ends.
        let (version, size) = version_and_size(client, seeded).await.map_err(DatabaseError::Query)?;
        let first = Strategy::of(version, size);
        let is_there = client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&TEMPLATE]).await;
        let strategy = match is_there.map_err(DatabaseError::Query)? {
            // Only making a copy shows whether this strategy works; `after` gives the next one to try.
            Some(_) => first,
            None => seal(client, seeded, first, size).await?,
        };
        let rows = client.query(PROPERTIES, &[&seeded]).await.map_err(DatabaseError::Query)?;
        let properties = rows.iter().map(|row| (row.get(1), row.get(2))).collect();
        Ok(Self { strategy, properties })
    }

    /// Returns the statement that makes a copy.
    pub(super) fn copy(&self, name: &str) -> String {
        format!("CREATE DATABASE {} TEMPLATE {TEMPLATE}{}", quoted(name), self.strategy.option())
    }

    /// Returns the statements that complete a copy, if there are any. They set the properties of the seeded database
    /// that are not part of its content, such as its owner.
    pub(super) fn completion(&self, name: &str) -> Option<String> {
        let name = quoted(name);
        let statements = self.properties.iter().map(|(before, after)| format!("{before}{name}{after}"));
        let statements = statements.collect::<Vec<_>>().join(";\n");
        (!statements.is_empty()).then_some(statements)
    }

    /// Returns the template with another strategy if the error shows that the server's file system does not support the
    /// current one.
    pub(super) fn after(&self, error: &Error) -> Option<Self> {
        let strategy = self.strategy.otherwise(0).filter(|_| is_unsupported(error))?;
        Some(Self { strategy, ..self.clone() })
    }
}

async fn version_and_size(client: &Client, seeded: &str) -> Result<(i32, i64), Error> {
    let query = "SELECT current_setting('server_version_num')::int, pg_database_size($1::text::name)";
    let row = client.query_one(query, &[&seeded]).await?;
    Ok((row.get(0), row.get(1)))
}

async fn seal(client: &Client, seeded: &str, first: Strategy, size: i64) -> Result<Strategy, DatabaseError> {
    let mut strategy = first;
    loop {
        let option = strategy.option();
        let statement = format!(
            "CREATE DATABASE {TEMPLATE} TEMPLATE {}{option} ALLOW_CONNECTIONS false IS_TEMPLATE true",
            quoted(seeded)
        );
        let made = match strategy.setting() {
            Some(setting) => match client.batch_execute(setting).await {
                Ok(()) => client.batch_execute(&statement).await,
                error => error,
            },
            None => client.batch_execute(&statement).await,
        };
        match made {
            Ok(()) => return Ok(strategy),
            Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) => {
                return Err(DatabaseError::InUse { database: seeded.to_owned() });
            }
            Err(error) => match strategy.otherwise(size).filter(|_| is_unsupported(&error)) {
                Some(other) => strategy = other,
                None => return Err(DatabaseError::Template { database: seeded.to_owned(), source: error }),
            },
        }
    }
}

/// Returns `true` if the error shows that the server or its file system can't share blocks.
fn is_unsupported(error: &Error) -> bool {
    let known = [
        SqlState::FEATURE_NOT_SUPPORTED,
        SqlState::INVALID_PARAMETER_VALUE,
        SqlState::UNDEFINED_OBJECT,
        SqlState::IO_ERROR,
        SqlState::INTERNAL_ERROR,
    ];
    error.code().is_some_and(|code| known.contains(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strategy_depends_on_version_and_size() {
        assert_eq!(Strategy::of(14_05_00, LARGE), Strategy::Default);
        assert_eq!(Strategy::of(15_00_00, 0), Strategy::WalLog);
        assert_eq!(Strategy::of(17_02_00, LARGE), Strategy::FileCopy);
        assert_eq!(Strategy::of(18_00_00, 0), Strategy::Clone);
        assert_eq!(Strategy::Clone.otherwise(LARGE), Some(Strategy::FileCopy));
        assert_eq!(Strategy::Clone.otherwise(0), Some(Strategy::WalLog));
        assert_eq!(Strategy::WalLog.otherwise(0), None);
        assert_eq!(Strategy::Clone.setting(), Some("SET file_copy_method = clone"));
    }

    #[test]
    fn a_copy_gets_the_properties_of_its_source() {
        let properties = vec![
            ("ALTER DATABASE ".to_owned(), " OWNER TO app".to_owned()),
            ("GRANT CONNECT ON DATABASE ".to_owned(), " TO web".to_owned()),
        ];
        let template = Template { strategy: Strategy::FileCopy, properties };
        assert_eq!(template.copy("a"), "CREATE DATABASE \"a\" TEMPLATE pg_ephemeral_template STRATEGY file_copy");
        assert_eq!(
            template.completion("a").unwrap(),
            "ALTER DATABASE \"a\" OWNER TO app;\nGRANT CONNECT ON DATABASE \"a\" TO web"
        );
        let plain = Template { strategy: Strategy::Default, properties: Vec::new() };
        assert_eq!(plain.copy("a"), "CREATE DATABASE \"a\" TEMPLATE pg_ephemeral_template");
        assert_eq!(plain.completion("a"), None);
    }
}
