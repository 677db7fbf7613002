//! `cache status`: tells for each seed whether the next boot takes it from the cache. The status is computed, without
//! IO, from the chain and the set of layers that exist.

use std::collections::BTreeSet;
use std::fmt;

use ociman::Reference;
use serde::Serialize;

use super::CacheError;
use super::lookup::Lookup;
use crate::layer::{self, Chain, LinkCache};
use crate::model::{InstanceName, SeedHash, SeedKind, SeedName};
use crate::server::Definition;
use crate::server::resolve::LookedUp;

/// The cache status of one instance. Serialised as `cache status --format json` prints it: `instance`, `base_image`,
/// `version`, `summary` and `seeds`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CacheStatus {
    /// The instance.
    pub instance: InstanceName,
    /// The base image that everything is built on.
    pub base_image: Reference,
    /// The version of pg-ephemeral that computed the status.
    pub version: String,
    /// How many seeds have each status.
    pub summary: CacheSummary,
    /// The seeds, in order.
    pub seeds: Vec<SeedCacheStatus>,
    /// The base layer: the initialised cluster before any seed. It is not serialised, since it is not a seed.
    #[serde(skip)]
    pub base: LayerState,
}

/// How many seeds have each status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct CacheSummary {
    /// The number of all seeds.
    pub total: usize,
    /// The number of seeds that the next boot takes from the cache.
    pub hits: usize,
    /// The number of seeds that the next boot runs and then caches.
    pub misses: usize,
    /// The number of seeds that every boot runs.
    pub uncacheable: usize,
}

/// The cache status of one seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeedCacheStatus {
    /// The seed's name.
    pub name: SeedName,
    /// The seed's type.
    #[serde(rename = "type")]
    pub kind: SeedKind,
    /// Whether the next boot runs the seed.
    pub status: SeedLayerStatus,
    /// The image with the state after this seed: the seed's own layer, or a later seed's layer if only that exists. For
    /// a miss, the image that the next boot builds. `None` if the seed is uncacheable or the base image is not on this
    /// machine.
    pub cache_image: Option<Reference>,
    /// An explanation of the status, if it needs one.
    pub reason: Option<String>,
    /// The earlier seed that keeps this seed from being cached.
    pub broken_by: Option<SeedName>,
}

/// Whether the next boot runs a seed. Displayed and serialised as `hit`, `miss` and `uncacheable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SeedLayerStatus {
    /// The next boot takes the seed from the cache.
    Hit,
    /// The next boot runs the seed and caches the state after it.
    Miss,
    /// Every boot runs the seed.
    Uncacheable,
}

impl SeedLayerStatus {
    /// Returns the status as text: `hit`, `miss` or `uncacheable`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Uncacheable => "uncacheable",
        }
    }
}

impl fmt::Display for SeedLayerStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// Whether a layer exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerState {
    /// The layer exists and has this name.
    Here(Reference),
    /// The layer does not exist; it would have this name.
    Missing(Reference),
    /// The layer's name is unknown because the base image is not on this machine.
    Unknown,
}

pub(super) async fn of(definition: &Definition) -> Result<CacheStatus, CacheError> {
    let lookup = Lookup::here(definition).await?;
    match &lookup.looked_up {
        LookedUp::Resolved(found) => status(&definition.instance, &found.image, &found.chain, &found.present),
        LookedUp::NoImage(image) => Ok(without_image(&definition.instance, image, &lookup.seeds.chain_without_base())),
    }
}

/// Returns the status of a chain of which these layers exist.
fn status(
    instance: &InstanceName,
    base_image: &Reference,
    chain: &Chain,
    present: &BTreeSet<SeedHash>,
) -> Result<CacheStatus, CacheError> {
    let name = |hash: &SeedHash| layer::image_reference(None, instance, hash).map_err(CacheError::Name);
    let mut seeds = Vec::new();
    // Start from the end, because a layer also contains all earlier states.
    let mut holder = None;
    for link in chain.links().iter().rev() {
        let mut seed = SeedCacheStatus::new(&link.name, link.kind, &link.cache);
        if let Some(hash) = link.layer() {
            if present.contains(hash) {
                holder = Some((&link.name, hash));
            }
            seed.cache_image = Some(name(holder.map_or(hash, |(_, holder)| holder))?);
        }
        if let (Some((of, _)), SeedLayerStatus::Miss) = (holder, seed.status) {
            seed.status = SeedLayerStatus::Hit;
            seed.reason = (*of != link.name).then(|| format!("in the layer of {of}"));
        }
        seeds.push(seed);
    }
    seeds.reverse();
    let base = name(chain.base())?;
    let base = if present.contains(chain.base()) { LayerState::Here(base) } else { LayerState::Missing(base) };
    Ok(assemble(instance, base_image, seeds, base))
}

/// Returns the status if the base image is not on this machine, so that no key is known. `chain` tells which seeds can
/// be cached.
fn without_image(instance: &InstanceName, base_image: &Reference, chain: &Chain) -> CacheStatus {
    let seeds = chain.links().iter().map(|link| {
        let mut seed = SeedCacheStatus::new(&link.name, link.kind, &link.cache);
        if seed.status == SeedLayerStatus::Miss {
            seed.reason = Some("the base image is not on this machine".to_owned());
        }
        seed
    });
    assemble(instance, base_image, seeds.collect(), LayerState::Unknown)
}

fn assemble(
    instance: &InstanceName,
    base_image: &Reference,
    seeds: Vec<SeedCacheStatus>,
    base: LayerState,
) -> CacheStatus {
    let count = |status| seeds.iter().filter(|seed| seed.status == status).count();
    CacheStatus {
        instance: instance.clone(),
        base_image: base_image.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        summary: CacheSummary {
            total: seeds.len(),
            hits: count(SeedLayerStatus::Hit),
            misses: count(SeedLayerStatus::Miss),
            uncacheable: count(SeedLayerStatus::Uncacheable),
        },
        seeds,
        base,
    }
}

impl SeedCacheStatus {
    /// Returns the status of a seed without a known layer.
    fn new(name: &SeedName, kind: SeedKind, cache: &LinkCache) -> Self {
        let (status, reason, broken_by) = match cache {
            LinkCache::Cacheable => (SeedLayerStatus::Miss, None, None),
            LinkCache::Uncacheable { reason } => (SeedLayerStatus::Uncacheable, Some(reason.to_string()), None),
            LinkCache::Broken { by } => {
                (SeedLayerStatus::Uncacheable, Some(format!("{by} before it is not cached")), Some(by.clone()))
            }
        };
        Self { name: name.clone(), kind, status, cache_image: None, reason, broken_by }
    }
}

#[cfg(test)]
mod tests;
