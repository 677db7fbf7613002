//! Private copies of a server's seeded database; how they are made is the business of `database`.

use ociman::Secret;

use super::running::Server;
use crate::database::{Database, DatabaseError, DatabaseInfo, Name, handed, on_background};
use crate::postgres::endpoint::ConnectionParameters;

impl Server {
    /// A private copy of the seeded database. The first one of a server seals the template of all, for which nobody may be
    /// connected to the seeded database at that moment; from the second on, copies are made in advance, as many as are used.
    ///
    /// Databases that killed processes left are dropped along the way.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn database(&self) -> Result<Database, DatabaseError> {
        let databases = self.databases().clone();
        handed(self.databases(), self.connection(), async move { databases.take().await }).await
    }

    /// As [`Server::database`], for who wants no more than one: nothing is made in advance.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn single_database(&self) -> Result<Database, DatabaseError> {
        let databases = self.databases().clone();
        handed(self.databases(), self.connection(), async move { databases.make().await }).await
    }

    /// Makes a copy of the seeded database that stays until it is dropped by name, or its server ends.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn create_database(&self, name: &Name) -> Result<(), DatabaseError> {
        let (databases, name) = (self.databases().clone(), name.clone());
        on_background(async move { databases.create_named(name.as_str()).await }).await
    }

    /// The databases that this crate has made on the server and that are there, in the order of their names.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn list_databases(&self) -> Result<Vec<DatabaseInfo>, DatabaseError> {
        let databases = self.databases().clone();
        on_background(async move { databases.list().await }).await
    }

    /// The connection URI, with the password, of a database that this crate has made.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn database_url(&self, name: &str) -> Result<Secret, DatabaseError> {
        let (databases, wanted) = (self.databases().clone(), name.to_owned());
        on_background(async move { databases.find(&wanted).await }).await?;
        Ok(ConnectionParameters { database: name.to_owned(), ..self.connection().clone() }.url())
    }

    /// Drops a database that this crate has made, whoever is connected.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn drop_database(&self, name: &str) -> Result<(), DatabaseError> {
        let (databases, name) = (self.databases().clone(), name.to_owned());
        on_background(async move { databases.drop_ours(&name).await }).await
    }

    /// Puts a database that this crate has made back to what the seeds left, whoever is connected.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn reset_database(&self, name: &str) -> Result<(), DatabaseError> {
        let (databases, name) = (self.databases().clone(), name.to_owned());
        on_background(async move { databases.reset(&name).await }).await
    }
}
