//! The cache as its owner sees it: which layers a configuration has and has not, listing, removing and describing
//! layers, and carrying them to a registry and back. Nothing here starts a server; making layers is a boot's business.

mod credentials;
mod error;
mod images;
mod lookup;
mod prune;
mod reset;
mod status;
mod transfer;

pub use credentials::Credentials;
pub use error::CacheError;
pub use images::{CachedLayer, Inspected, LayerTag, Scope, images, inspect};
pub use prune::{DEFAULT_AGE, PruneRules, Pruned, prune};
pub use reset::{InUse, Reset, reset};
pub use status::{CacheStatus, CacheSummary, LayerState, SeedCacheStatus, SeedLayerStatus};
pub use transfer::Pulled;

use ociman::Reference;

use crate::lifecycle::snapshot;
use crate::model::{CacheRegistry, SeedName, SnapshotTag};
use crate::server::Definition;
use crate::session;

impl Definition {
    /// Where [`Definition::pull_cache`] and [`Definition::push_cache`] find and leave layers.
    #[must_use]
    pub fn cache_registry(mut self, registry: CacheRegistry) -> Self {
        self.cache_registry = Some(registry);
        self
    }

    /// Which seeds have a layer. Starts no server and fetches no image; the key programs of seeds are run.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn cache_status(&self) -> Result<CacheStatus, CacheError> {
        status::of(self).await
    }

    /// How to log in to a server that is started from a layer by hand: the layer of a seed or, without one, the deepest
    /// that is there.
    ///
    /// # Errors
    /// [`CacheError`], also when there is no such layer.
    pub async fn cache_credentials(&self, seed: Option<&SeedName>) -> Result<Credentials, CacheError> {
        credentials::of(self, seed).await
    }

    /// Fetches the deepest layer that the registry has, unless that or a deeper one is here. A base image that is not
    /// here is fetched first.
    ///
    /// # Errors
    /// [`CacheError`]. That the registry has none is no error.
    pub async fn pull_cache(&self) -> Result<Pulled, CacheError> {
        transfer::pull(self).await
    }

    /// Fetches a snapshot of a session of this instance from the registry; one of its name that is here gives way.
    ///
    /// # Errors
    /// [`CacheError`], also when the registry has none.
    pub async fn pull_snapshot(&self, session: &session::Name, name: &snapshot::Name) -> Result<Reference, CacheError> {
        transfer::pull_snapshot(self, &SnapshotTag::of(session, name)).await
    }

    /// Sends a snapshot of a session of this instance to the registry and returns its name there. It holds whatever was in
    /// the session's databases.
    ///
    /// # Errors
    /// [`CacheError`], also when it is not here.
    pub async fn push_snapshot(&self, session: &session::Name, name: &snapshot::Name) -> Result<Reference, CacheError> {
        transfer::push_snapshot(self, &SnapshotTag::of(session, name)).await
    }

    /// Sends all layers of seeds that are here to the registry, and no snapshot, and returns their names there.
    ///
    /// # Errors
    /// [`CacheError`], also when there is none.
    pub async fn push_cache(&self) -> Result<Vec<Reference>, CacheError> {
        transfer::push(self).await
    }
}
