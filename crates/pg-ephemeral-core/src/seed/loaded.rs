//! The seeds of a definition with the keys that they have on its base image. Plain values, to be compared with what a
//! session was started for.

use crate::model::{Image, SeedHash, SeedName};

/// The seeds of a [`Definition`](crate::Definition), in order, as a start would apply them now.
/// [`Definition::load_seeds`](crate::Definition::load_seeds) makes it.
#[derive(Debug, Clone)]
pub struct LoadedSeeds<'a> {
    image: Image,
    seeds: Vec<LoadedSeed<'a>>,
}

/// One of them.
#[derive(Debug, Clone)]
pub struct LoadedSeed<'a> {
    name: &'a SeedName,
    cache_status: SeedCacheStatus,
    /// The key of the state after it, whether or not that state is cached.
    state: Option<SeedHash>,
}

/// Whether the state after a seed is kept as a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SeedCacheStatus {
    /// It is.
    Cacheable {
        /// The key of the layer.
        hash: SeedHash,
    },
    /// It is not, because the seed is not cached, or one before it.
    Uncacheable,
    /// The base image is not there, so that the key is not known.
    Unknown,
}

impl SeedCacheStatus {
    /// The key of the layer after the seed; `None` when there can be no layer, or the base image is not there.
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

    /// The base image that a start would use.
    #[must_use]
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// The seeds, in order.
    pub fn iter_seeds(&self) -> impl Iterator<Item = &LoadedSeed<'a>> {
        self.seeds.iter()
    }
}

impl<'a> LoadedSeed<'a> {
    pub(crate) fn new(name: &'a SeedName, cache_status: SeedCacheStatus, state: Option<SeedHash>) -> Self {
        Self { name, cache_status, state }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &SeedName {
        self.name
    }

    /// Whether the state after it is kept as a layer, and under which key.
    #[must_use]
    pub fn cache_status(&self) -> &SeedCacheStatus {
        &self.cache_status
    }

    pub(crate) fn state(&self) -> Option<&SeedHash> {
        self.state.as_ref()
    }
}
