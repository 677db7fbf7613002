//! What all questions to the cache of a definition begin with: its seeds, its backend, its chain and which layers of it
//! are there.

use ociman::{Backend, Reference};

use super::CacheError;
use crate::layer;
use crate::lifecycle::reap::{self, Patience};
use crate::model::SeedHash;
use crate::seed::ReadSeeds;
use crate::server::Definition;
use crate::server::StartError;
use crate::server::resolve::{self, LookedUp, Resolved};

/// Everything before the question itself.
pub(super) struct Lookup {
    pub(super) backend: Backend,
    pub(super) seeds: ReadSeeds,
    pub(super) looked_up: LookedUp,
}

impl Lookup {
    /// Fetches nothing: without its base image a definition has no layers here.
    pub(super) async fn here(definition: &Definition) -> Result<Self, CacheError> {
        let (backend, seeds) = prepare(definition).await?;
        let looked_up = resolve::look_up_here(definition, &backend, &seeds).await?;
        Ok(Self { backend, seeds, looked_up })
    }
}

/// Backend and seeds, after removing what killed commands left.
pub(super) async fn prepare(definition: &Definition) -> Result<(Backend, ReadSeeds), CacheError> {
    let seeds = definition.read_seeds().await.map_err(StartError::LoadSeeds)?;
    let backend = definition.find_backend().await?;
    reap::reap_recorded(&definition.folders, &backend, Patience::Hurry).await;
    Ok((backend, seeds))
}

/// The name of a layer on this machine.
pub(super) fn local(definition: &Definition, hash: &SeedHash) -> Result<Reference, CacheError> {
    layer::image_reference(None, &definition.instance, hash).map_err(CacheError::Name)
}

/// The keys of the layers that are there, deepest first.
pub(super) fn present(found: &Resolved) -> Vec<SeedHash> {
    let mut present: Vec<_> = found.chain.hashes().filter(|hash| found.present.contains(hash)).cloned().collect();
    present.reverse();
    present
}
