//! Managing the cache: the status of a configuration's layers; listing, inspecting and removing layers; pushing them to
//! a registry and pulling them. Nothing here starts a server; layers are built when a server boots.

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
    /// Sets the registry that layers and snapshots are pulled from and pushed to.
    #[must_use]
    pub fn cache_registry(mut self, registry: CacheRegistry) -> Self {
        self.cache_registry = Some(registry);
        self
    }

    /// Returns which seeds have a layer. Starts no server and fetches no image, but runs the key programs of seeds.
    ///
    /// # Errors
    /// Returns an error if the seeds can't be read, if no backend works, or if its images can't be listed.
    pub async fn cache_status(&self) -> Result<CacheStatus, CacheError> {
        status::of(self).await
    }

    /// Returns the credentials for a server that is started by hand from the layer of a seed. If `seed` is `None`, the
    /// deepest layer that exists is used.
    ///
    /// # Errors
    /// Returns an error if there is no such seed or layer, or if the layer's labels or this machine's secret can't be
    /// read.
    pub async fn cache_credentials(&self, seed: Option<&SeedName>) -> Result<Credentials, CacheError> {
        credentials::of(self, seed).await
    }

    /// Pulls the deepest layer that the registry has, unless this machine already has that layer or a deeper one. If
    /// the base image is missing, it is pulled first.
    ///
    /// # Errors
    /// Returns an error if no registry is set, if the backend has no registries (`host`), or if a pull fails. It is not
    /// an error if the registry has no layer of this definition.
    pub async fn pull_cache(&self) -> Result<Pulled, CacheError> {
        transfer::pull(self).await
    }

    /// Pulls a snapshot of a session of this instance from the registry. Replaces a local snapshot of the same name.
    ///
    /// # Errors
    /// Returns an error if no registry is set, if the backend has no registries (`host`), if the pull fails, or if the
    /// registry does not have the snapshot.
    pub async fn pull_snapshot(&self, session: &session::Name, name: &snapshot::Name) -> Result<Reference, CacheError> {
        transfer::pull_snapshot(self, &SnapshotTag::of(session, name)).await
    }

    /// Pushes a snapshot of a session of this instance to the registry and returns its name there. A snapshot contains
    /// all data of the session's databases.
    ///
    /// # Errors
    /// Returns an error if no registry is set, if the backend has no registries (`host`), if the push fails, or if this
    /// machine does not have the snapshot.
    pub async fn push_snapshot(&self, session: &session::Name, name: &snapshot::Name) -> Result<Reference, CacheError> {
        transfer::push_snapshot(self, &SnapshotTag::of(session, name)).await
    }

    /// Pushes all layers of this definition that are on this machine to the registry and returns their names there.
    /// Does not push snapshots.
    ///
    /// # Errors
    /// Returns an error if no registry is set, if the backend has no registries (`host`), if a push fails, or if there
    /// is no layer to push.
    pub async fn push_cache(&self) -> Result<Vec<Reference>, CacheError> {
        transfer::push(self).await
    }
}
