//! The seeds of a definition with the keys that they have on its base image. These are plain values, which can be
//! compared with the seeds that a session was started with.

use crate::model::{Image, SeedHash, SeedName};

/// The seeds of a [`Definition`](crate::Definition), in order, as a start would apply them now.
/// [`Definition::load_seeds`](crate::Definition::load_seeds) returns this value.
#[derive(Debug, Clone)]
pub struct LoadedSeeds<'a> {
    image: Image,
    seeds: Vec<LoadedSeed<'a>>,
}

/// One of the [`LoadedSeeds`].
#[derive(Debug, Clone)]
pub struct LoadedSeed<'a> {
    name: &'a SeedName,
    cache_status: SeedCacheStatus,
    /// The key of the state after the seed, whether or not that state is cached.
    state: Option<SeedHash>,
}

/// Whether the state after a seed is kept as a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SeedCacheStatus {
    /// The state is kept as a layer.
    Cacheable {
        /// The key of the layer.
        hash: SeedHash,
    },
    /// The state is not kept, because this seed or an earlier one is not cached.
    Uncacheable,
    /// The key is not known, because the base image is not there.
    Unknown,
}

impl SeedCacheStatus {
    /// Returns the key of the layer after the seed; `None` if there can be no layer, or the base image is not there.
    #[must_use]
    pub fn hash(&self) -> Option<&SeedHash> {
        match self {
            Self::Cacheable { hash } => Some(hash),
            Self::Uncacheable | Self::Unknown => None,
        }
    }
}

impl<'a> LoadedSeeds<'a> {
    pub(crate) fn new(image: Image, seeds: Vec<LoadedSeed<'a>>) -> Self {
        Self { image, seeds }
    }

    /// Returns the base image that a start would use.
    #[must_use]
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// Returns the seeds, in order.
    pub fn iter_seeds(&self) -> impl Iterator<Item = &LoadedSeed<'a>> {
        self.seeds.iter()
    }
}

impl<'a> LoadedSeed<'a> {
    pub(crate) fn new(name: &'a SeedName, cache_status: SeedCacheStatus, state: Option<SeedHash>) -> Self {
        Self { name, cache_status, state }
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &SeedName {
        self.name
    }

    /// Returns whether the state after the seed is kept as a layer, and the key of that layer.
    #[must_use]
    pub fn cache_status(&self) -> &SeedCacheStatus {
        &self.cache_status
    }

    pub(crate) fn state(&self) -> Option<&SeedHash> {
        self.state.as_ref()
    }
}
