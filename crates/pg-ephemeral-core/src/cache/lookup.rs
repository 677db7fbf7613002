//! The steps that every cache query of a definition begins with: reading its seeds, choosing its backend, computing its
//! chain, and finding which of its layers exist.

use ociman::{Backend, Reference};

use super::CacheError;
use crate::layer;
use crate::lifecycle::reap::{self, LateStarts};
use crate::model::SeedHash;
use crate::seed::ReadSeeds;
use crate::server::Definition;
use crate::server::StartError;
use crate::server::resolve::{self, LookedUp, Resolved};

/// What every cache query needs to know of a definition.
pub(super) struct Lookup {
    pub(super) backend: Backend,
    pub(super) seeds: ReadSeeds,
    pub(super) looked_up: LookedUp,
}

impl Lookup {
    /// Looks up the layers on this machine and fetches nothing. If the base image is missing, no layer is found.
    pub(super) async fn here(definition: &Definition) -> Result<Self, CacheError> {
        let (backend, seeds) = prepare(definition).await?;
        let looked_up = resolve::look_up_without_pulling(definition, &backend, &seeds).await?;
        Ok(Self { backend, seeds, looked_up })
    }
}

/// Returns the backend and the seeds, after removing what killed commands left behind.
pub(super) async fn prepare(definition: &Definition) -> Result<(Backend, ReadSeeds), CacheError> {
    let seeds = definition.read_seeds().await.map_err(StartError::LoadSeeds)?;
    let backend = definition.find_backend().await?;
    reap::reap_recorded(&definition.folders, &backend, LateStarts::Hurry).await;
    Ok((backend, seeds))
}

/// Returns the name that a layer has on this machine.
pub(super) fn local(definition: &Definition, hash: &SeedHash) -> Result<Reference, CacheError> {
    layer::image_reference(None, &definition.instance, hash).map_err(CacheError::Name)
}

/// Returns the keys of the layers that exist, deepest first.
pub(super) fn present(found: &Resolved) -> Vec<SeedHash> {
    let mut present: Vec<_> = found.chain.hashes().filter(|hash| found.present.contains(hash)).cloned().collect();
    present.reverse();
    present
}
