//! The methods of [`Server`] for private copies of its seeded database. The module `database` implements them.

use ociman::Secret;

use super::running::Server;
use crate::database::{Database, DatabaseError, DatabaseInfo, Name, handed, on_background};
use crate::postgres::endpoint::ConnectionParameters;

impl Server {
    /// Creates a private copy of the seeded database. The first call for a server makes the template of all copies, and
    /// needs no other connection to the seeded database at that moment. From the second call on, copies are made in
    /// advance, as many as are in use.
    ///
    /// Also drops databases that killed processes have left.
    ///
    /// # Errors
    /// Returns an error if the template or the copy can't be made.
    pub async fn database(&self) -> Result<Database, DatabaseError> {
        let databases = self.databases().clone();
        handed(self.databases(), self.connection(), async move { databases.take().await }).await
    }

    /// As [`Server::database`], but makes no copies in advance. Use this if only one copy is needed.
    ///
    /// # Errors
    /// As [`Server::database`].
    pub async fn single_database(&self) -> Result<Database, DatabaseError> {
        let databases = self.databases().clone();
        handed(self.databases(), self.connection(), async move { databases.make().await }).await
    }

    /// Creates a copy of the seeded database that exists until [`Server::drop_database`] drops it or the server ends.
    ///
    /// # Errors
    /// Returns an error if the name is taken, or if the template or the copy can't be made.
    pub async fn create_database(&self, name: &Name) -> Result<(), DatabaseError> {
        let (databases, name) = (self.databases().clone(), name.clone());
        on_background(async move { databases.create_named(name.as_str()).await }).await
    }

    /// Returns the databases that this crate has created on the server, sorted by name.
    ///
    /// # Errors
    /// Returns an error if the connection or a statement fails.
    pub async fn list_databases(&self) -> Result<Vec<DatabaseInfo>, DatabaseError> {
        let databases = self.databases().clone();
        on_background(async move { databases.list().await }).await
    }

    /// Returns the connection URI, including the password, of a database that this crate has created.
    ///
    /// # Errors
    /// Returns an error if there is no such database, or if the connection or a statement fails.
    pub async fn database_url(&self, name: &str) -> Result<Secret, DatabaseError> {
        let (databases, wanted) = (self.databases().clone(), name.to_owned());
        on_background(async move { databases.find(&wanted).await }).await?;
        Ok(ConnectionParameters { database: name.to_owned(), ..self.connection().clone() }.url())
    }

    /// Drops a database that this crate has created, even if clients are connected to it.
    ///
    /// # Errors
    /// Returns an error if there is no such database, or if the connection or a statement fails.
    pub async fn drop_database(&self, name: &str) -> Result<(), DatabaseError> {
        let (databases, name) = (self.databases().clone(), name.to_owned());
        on_background(async move { databases.drop_ours(&name).await }).await
    }

    /// Resets a database that this crate has created to its seeded state, even if clients are connected to it.
    ///
    /// # Errors
    /// Returns an error if there is no such database, or if the connection or a statement fails.
    pub async fn reset_database(&self, name: &str) -> Result<(), DatabaseError> {
        let (databases, name) = (self.databases().clone(), name.to_owned());
        on_background(async move { databases.reset(&name).await }).await
    }
}
