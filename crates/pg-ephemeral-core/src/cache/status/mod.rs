//! `cache status`: for each seed whether a boot would take it from the cache. Computed from the chain and the set of
//! layers that are there, without IO.

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

/// The cache of one instance. Serialised as `cache status --format json` prints it: `instance`, `base_image`,
/// `version`, `summary` and `seeds`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CacheStatus {
    /// The instance.
    pub instance: InstanceName,
    /// The base image that everything is built on.
    pub base_image: Reference,
    /// Version of pg-ephemeral that says so.
    pub version: String,
    /// How many seeds there are of each kind.
    pub summary: CacheSummary,
    /// The seeds, in order.
    pub seeds: Vec<SeedCacheStatus>,
    /// The layer under all seeds, the initialised cluster. It is no seed, and is not serialised.
    #[serde(skip)]
    pub base: LayerState,
}

/// How many seeds there are of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct CacheSummary {
    /// All seeds.
    pub total: usize,
    /// Those that the next boot takes from the cache.
    pub hits: usize,
    /// Those that the next boot runs and then keeps.
    pub misses: usize,
    /// Those that each boot runs.
    pub uncacheable: usize,
}

/// One seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeedCacheStatus {
    /// Its name.
    pub name: SeedName,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: SeedKind,
    /// Whether a boot runs it.
    pub status: SeedLayerStatus,
    /// The image that holds the state after it: its own layer, or a later seed's when only that is there; for a miss
    /// the image that will be made. `None` when there will be none, or when the base image is not known here.
    pub cache_image: Option<Reference>,
    /// What is to be said about the status, when there is something.
    pub reason: Option<String>,
    /// The seed before it that keeps it from being cached.
    pub broken_by: Option<SeedName>,
}

/// Whether a boot runs a seed. Displayed and serialised as `hit`, `miss` and `uncacheable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SeedLayerStatus {
    /// It does not: a layer has what it does.
    Hit,
    /// The next boot does, and keeps a layer.
    Miss,
    /// Each boot does.
    Uncacheable,
}

impl SeedLayerStatus {
    /// The word for it.
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

/// Whether a layer is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerState {
    /// It is, under this name.
    Here(Reference),
    /// It is not; it would have this name.
    Missing(Reference),
    /// Its name is not known, since the base image is not here.
    Unknown,
}

pub(super) async fn of(definition: &Definition) -> Result<CacheStatus, CacheError> {
    let lookup = Lookup::here(definition).await?;
    match &lookup.looked_up {
        LookedUp::Resolved(found) => status(&definition.instance, &found.image, &found.chain, &found.present),
        LookedUp::NoImage(image) => Ok(without_image(&definition.instance, image, &lookup.seeds.placeless_chain())),
    }
}

/// The status of a chain of which these layers are there.
fn status(
    instance: &InstanceName,
    base_image: &Reference,
    chain: &Chain,
    present: &BTreeSet<SeedHash>,
) -> Result<CacheStatus, CacheError> {
    let name = |hash: &SeedHash| layer::image_reference(None, instance, hash).map_err(CacheError::Name);
    let mut seeds = Vec::new();
    // From the end: a layer has everything that is before it, too.
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

/// The status when the base image is not here, so that no key can be known. `chain` tells what can be cached.
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
    /// A seed of which no layer is known.
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
