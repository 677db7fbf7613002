//! Private copies of a seeded database on a running server, each for one test: made in tens of milliseconds, and dropped
//! with the value.
//!
//! The first copy of a server seals a template: a copy of the seeded database that nobody can connect to. All others are
//! copies of that, so that it does not matter any more who is connected to the seeded database or changes it.

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

/// A private copy of a seeded database, as the seeds left it. Dropping the value drops it, whoever is connected: on a
/// server of this process in the background, on a session blocking until it is gone.
///
/// ```no_run
/// # async fn example(server: &pg_ephemeral_core::Server) -> Result<(), Box<dyn std::error::Error>> {
/// let database = server.database().await?;
/// database.connect().await?.batch_execute("delete from books").await?;
/// // Any other has the books still.
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Database {
    databases: Databases,
    connection: ConnectionParameters,
    /// What becomes of the database with the value.
    hold: Hold,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    Held,
    /// It is to be marked as one that belongs to no process.
    Kept,
    LetGo,
}

impl Database {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.connection.database
    }

    /// How it is reached from this machine.
    #[must_use]
    pub fn connection(&self) -> &ConnectionParameters {
        &self.connection
    }

    /// The connection URI for processes of this machine, with the password.
    #[must_use]
    pub fn url(&self) -> Secret {
        self.connection.url()
    }

    /// The environment for processes of this machine, as [`Server::pg_env`](crate::Server::pg_env) has it.
    #[must_use]
    pub fn pg_env(&self) -> Vec<Variable> {
        self.connection.environment()
    }

    /// A new connection as the superuser.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(&self) -> Result<Client, ConnectError> {
        connect(&self.connection).await
    }

    /// Drops the database, whoever is connected, and waits until it is gone.
    ///
    /// # Errors
    /// [`DatabaseError`]; the next process that wants a database of this server tries again, once this one has ended.
    pub async fn close(mut self) -> Result<(), DatabaseError> {
        self.hold = Hold::LetGo;
        let (databases, name) = (self.databases.clone(), self.name().to_owned());
        on_background(async move { databases.discard(&name).await }).await
    }

    /// Lets the database stay when the value is dropped, as [`Database::keep`] does, where nobody can wait: in a destructor.
    pub fn keep_when_dropped(&mut self) {
        self.hold = Hold::Kept;
    }

    /// Lets the database stay as it is, for somebody to look at, until its server ends or it is dropped by name.
    ///
    /// # Errors
    /// [`DatabaseError`].
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
            // It goes with its server at the latest. Without a thread there is nobody to wait for either.
            (Hold::Held, ServerLifetime::Owned) => drop(background::spawn(ended)),
            (Hold::Held | Hold::Kept, _) => background::block_on(ended, DROP_LIMIT),
        }
    }
}

/// Hands a database over that is made on the background thread. When nobody waits for it any more it is dropped, and dropping
/// the future blocks until then.
pub(crate) async fn handed(
    databases: &Databases,
    seeded: &ConnectionParameters,
    making: impl Future<Output = Result<String, DatabaseError>> + Send + 'static,
) -> Result<Database, DatabaseError> {
    let (answer, answered) = oneshot::channel();
    let maker = databases.clone();
    let made = async move {
        if let Err(Ok(unwanted)) = answer.send(making.await) {
            // What stays is swept by another process.
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

/// Runs it where it is done to its end, and where a connection outlives the runtime of a single test.
pub(crate) async fn on_background<T: Send + 'static>(
    work: impl Future<Output = Result<T, DatabaseError>> + Send + 'static,
) -> Result<T, DatabaseError> {
    let task = background::spawn(work).map_err(DatabaseError::System)?;
    task.await.map_err(|panic| DatabaseError::System(std::io::Error::other(panic)))?
}
