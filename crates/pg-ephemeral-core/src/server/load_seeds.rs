//! [`Definition::load_seeds`]: the keys of a definition's seeds on a backend, without starting a server.

use ociman::Backend;

use super::definition::Definition;
use super::error::StartError;
use super::resolve::chain_now;
use crate::io::known_hashes::KnownHashes;
use crate::seed::{self, LoadedSeed, LoadedSeeds, ReadSeeds, SeedCacheStatus};

/// The reason why seeds could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A seed can't be read.
    #[error(transparent)]
    Seed(#[from] seed::ReadError),
    /// The base image could not be inspected.
    #[error(transparent)]
    BaseImage(Box<StartError>),
}

impl From<LoadError> for StartError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Seed(error) => Self::LoadSeeds(error),
            LoadError::BaseImage(error) => *error,
        }
    }
}

impl Definition {
    /// Reads all seeds, and computes their keys for the base image on this backend. Does not start a server or pull an
    /// image. If the base image is absent, the seeds have no keys.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use pg_ephemeral_core::{Definition, Folders};
    /// use pg_ephemeral_testkit::{FakeBackend, FakeImage};
    ///
    /// let home = tempfile::tempdir()?;
    /// let backend = FakeBackend::podman().with_image(FakeImage::postgres("17")).backend();
    /// let definition = Definition::in_folders(Folders::at(home.path()))
    ///     .image("17".parse()?)
    ///     .sql_statement("schema".parse()?, "create table orders (id bigint primary key)");
    /// let seeds = definition.load_seeds(&backend).await?;
    /// assert_eq!(seeds.image().to_string(), "docker.io/library/postgres:17");
    /// for seed in seeds.iter_seeds() {
    ///     println!("{} {:?}", seed.name(), seed.cache_status().hash());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns [`LoadError::Seed`], which names the seed, if a seed can't be read. Returns [`LoadError::BaseImage`] if
    /// the backend does not answer, or if no PostgreSQL is installed for the host backend.
    pub async fn load_seeds(&self, backend: &Backend) -> Result<LoadedSeeds<'_>, LoadError> {
        let read = self.read_seeds().await?;
        let failed = |error| LoadError::BaseImage(Box::new(error));
        let (image, chain) = chain_now(self, backend, &read).await.map_err(failed)?;
        let seeds = self.seeds.keys().enumerate().map(|(index, name)| {
            let Some(link) = chain.as_ref().and_then(|chain| chain.links().get(index)) else {
                return LoadedSeed::new(name, SeedCacheStatus::Unknown, None);
            };
            let cache_status = match link.layer() {
                Some(hash) => SeedCacheStatus::Cacheable { hash: hash.clone() },
                None => SeedCacheStatus::Uncacheable,
            };
            LoadedSeed::new(name, cache_status, Some(link.hash.clone()))
        });
        Ok(LoadedSeeds::new(image.into(), seeds.collect()))
    }

    /// Reads the files and the other sources that the seeds refer to.
    pub(crate) async fn read_seeds(&self) -> Result<ReadSeeds, seed::ReadError> {
        let known = KnownHashes::in_folder(self.folders.state().join("hashes"));
        seed::read_with(&self.seeds, &self.folder, &known).await
    }
}
