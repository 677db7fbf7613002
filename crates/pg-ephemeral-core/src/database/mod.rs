//! Private copies of a seeded database on a running server, one for each test. A copy is made in tens of milliseconds
//! and dropped when its [`Database`] value is dropped.
//!
//! The first copy on a server also makes a template: a copy of the seeded database that refuses connections. All copies
//! are made from the template, so later connections and changes to the seeded database do not affect them.

mod admin;
mod error;
mod name;
mod pool;
mod seeded;
mod sql;
mod template;

use ociman::{Secret, Variable};
use tokio::sync::oneshot;
use tokio_postgres::Client;

use pool::DROP_LIMIT;

use crate::postgres::connect::{ConnectError, connect};
use crate::postgres::endpoint::ConnectionParameters;
use crate::state::background;

pub use admin::DatabaseInfo;
pub use error::DatabaseError;
pub use name::{Name, NameError};
pub(crate) use pool::{Databases, ServerLifetime};
pub use seeded::{EnvironmentError, Seeded};

/// A private copy of a seeded database, in the state that the seeds left.
///
/// Dropping the value drops the database, even if clients are connected. On a server that this process started, this
/// happens in the background. On a session's server, the drop blocks until the database is gone.
///
/// ```no_run
/// # async fn example(server: &pg_ephemeral_core::Server) -> Result<(), Box<dyn std::error::Error>> {
/// let database = server.database().await?;
/// database.connect().await?.batch_execute("delete from books").await?;
/// // Every other copy still has the books.
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Database {
    databases: Databases,
    connection: ConnectionParameters,
    /// What happens to the database when the value is dropped.
    hold: Hold,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// The database is dropped.
    Held,
    /// The database is kept and marked as belonging to no process.
    Kept,
    /// Nothing happens, because the database was already dropped or marked.
    LetGo,
}

impl Database {
    /// Returns the name of the database.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.connection.database
    }

    /// Returns the parameters for connecting to the database from this machine.
    #[must_use]
    pub fn connection(&self) -> &ConnectionParameters {
        &self.connection
    }

    /// Returns the connection URI for processes on this machine. It contains the password.
    #[must_use]
    pub fn url(&self) -> Secret {
        self.connection.url()
    }

    /// Returns the environment variables for processes on this machine: the same variables as
    /// [`Server::pg_env`](crate::Server::pg_env).
    #[must_use]
    pub fn pg_env(&self) -> Vec<Variable> {
        self.connection.environment()
    }

    /// Opens a new connection as the superuser.
    ///
    /// # Errors
    /// Returns an error if the connection fails.
    pub async fn connect(&self) -> Result<Client, ConnectError> {
        connect(&self.connection).await
    }

    /// Drops the database, even if clients are connected, and waits until it is gone.
    ///
    /// # Errors
    /// Returns an error if the server can't be reached or can't drop the database. In that case, once this process has
    /// ended, the next process that requests a database on this server tries again.
    pub async fn close(mut self) -> Result<(), DatabaseError> {
        self.hold = Hold::LetGo;
        let (databases, name) = (self.databases.clone(), self.name().to_owned());
        on_background(async move { databases.discard(&name).await }).await
    }

    /// Keeps the database when the value is dropped. Use this instead of [`Database::keep`] where `await` is not
    /// possible, such as in a destructor.
    pub fn keep_when_dropped(&mut self) {
        self.hold = Hold::Kept;
    }

    /// Keeps the database, so that its content can be inspected, until its server ends or it is dropped by name.
    ///
    /// # Errors
    /// Returns an error if the server can't be reached or can't mark the database as kept.
    pub async fn keep(mut self) -> Result<ConnectionParameters, DatabaseError> {
        let (databases, name) = (self.databases.clone(), self.name().to_owned());
        on_background(async move { databases.mark(&name).await }).await?;
        self.hold = Hold::LetGo;
        Ok(self.connection.clone())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (databases, name, hold) = (self.databases.inner(), self.name().to_owned(), self.hold);
        let ended = async move {
            let ended = match hold {
                Hold::Held => databases.discard(&name).await,
                Hold::Kept => databases.mark(&name).await,
                Hold::LetGo => Ok(()),
            };
            if let Err(error) = ended {
                tracing::debug!(%error, name, "a database stays until its server ends or another process looks");
            }
        };
        match (self.hold, self.databases.lifetime()) {
            (Hold::LetGo, _) => {}
            // Even if this fails because the background thread can't be started, the database ends with its server.
            (Hold::Held, ServerLifetime::Owned) => drop(background::spawn(ended)),
            (Hold::Held | Hold::Kept, _) => background::block_on(ended, DROP_LIMIT),
        }
    }
}

/// Waits for a database that is made on the background thread. If the returned future is dropped first, the database is
/// dropped too, and dropping the future blocks until that is done.
pub(crate) async fn handed(
    databases: &Databases,
    seeded: &ConnectionParameters,
    making: impl Future<Output = Result<String, DatabaseError>> + Send + 'static,
) -> Result<Database, DatabaseError> {
    let (answer, answered) = oneshot::channel();
    let maker = databases.clone();
    let made = async move {
        if let Err(Ok(unwanted)) = answer.send(making.await) {
            // If this fails, another process drops the database later.
            let _ = maker.discard(&unwanted).await;
        }
    };
    let making = background::finish(made, DROP_LIMIT).map_err(DatabaseError::System)?;
    let name = answered.await;
    making.output().await.map_err(DatabaseError::System)?;
    let name = name.map_err(|lost| DatabaseError::System(std::io::Error::other(lost)))??;
    let connection = ConnectionParameters { database: name, ..seeded.clone() };
    Ok(Database { databases: databases.clone(), connection, hold: Hold::Held })
}

/// Runs a future on the background thread, so that it always runs to its end and its connections outlive the runtime of
/// a single test.
pub(crate) async fn on_background<T: Send + 'static>(
    work: impl Future<Output = Result<T, DatabaseError>> + Send + 'static,
) -> Result<T, DatabaseError> {
    let task = background::spawn(work).map_err(DatabaseError::System)?;
    task.await.map_err(|panic| DatabaseError::System(std::io::Error::other(panic)))?
}
