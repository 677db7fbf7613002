//! The chain of an instance's states: the base layer and one link for each seed. The key of each state depends on
//! everything before it.

use std::fmt;

use crate::model::{KeyHasher, SeedEntry, SeedHash, SeedKind, SeedName};

/// The states an instance goes through from the initialised cluster to its last seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    base: SeedHash,
    links: Vec<Link>,
}

/// One seed of a chain, and the state after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The seed's name. It is not part of the key, so renaming a seed does not run any seed again.
    pub name: SeedName,
    /// The seed's type.
    pub kind: SeedKind,
    /// A short description of the seed, such as its path; never its body.
    pub description: String,
    /// The key of the state after this seed. Every seed has one, so that states can be compared. [`Link::cache`] tells
    /// whether the state is kept as a layer.
    pub hash: SeedHash,
    /// Whether the state after this seed is kept as a layer.
    pub cache: LinkCache,
}

/// Whether the state after a seed is kept as a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkCache {
    /// The state is kept.
    Cacheable,
    /// The state is not kept because of the seed itself. The cacheable prefix ends before this seed.
    Uncacheable {
        /// Why the seed can't be cached.
        reason: UncacheableReason,
    },
    /// The state is not kept because of an earlier seed.
    Broken {
        /// The seed that ended the cacheable prefix.
        by: SeedName,
    },
}

/// Why a seed can't be cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UncacheableReason {
    /// The configuration sets `cache` to `none`.
    CacheNone,
}

impl fmt::Display for UncacheableReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::CacheNone => "its cache is `none`",
        })
    }
}

impl Link {
    /// Returns the key of the layer after this seed, if the state is kept.
    #[must_use]
    pub fn layer(&self) -> Option<&SeedHash> {
        match self.cache {
            LinkCache::Cacheable => Some(&self.hash),
            LinkCache::Uncacheable { .. } | LinkCache::Broken { .. } => None,
        }
    }

    /// Returns the seed's entry in the label that lists the seeds.
    pub(crate) fn entry(&self) -> SeedEntry {
        let hash = self.layer().cloned();
        let uncached_state = hash.is_none().then(|| self.hash.clone());
        let description = self.description.clone();
        SeedEntry { name: self.name.clone(), kind: self.kind, hash, uncached_state, description }
    }
}

/// A seed to be added to a chain.
#[derive(Debug, Clone)]
pub(crate) struct NewLink {
    pub(crate) name: SeedName,
    pub(crate) kind: SeedKind,
    pub(crate) description: String,
    /// The hash of everything that changes the seed's effect.
    pub(crate) content: blake3::Hash,
    pub(crate) uncacheable: Option<UncacheableReason>,
}

impl Chain {
    /// Returns a chain without seeds.
    #[must_use]
    pub fn new(base: SeedHash) -> Self {
        Self { base, links: Vec::new() }
    }

    /// Adds a seed to the end of the chain.
    pub(crate) fn push(&mut self, new: NewLink) {
        let parent = self.links.last().map_or(&self.base, |link| &link.hash);
        let mut key = KeyHasher::new("seed layer");
        key.text("parent", parent.as_str());
        key.hash("seed", &new.content);
        let cache = match (self.broken_by(), new.uncacheable) {
            (Some(by), _) => LinkCache::Broken { by: by.clone() },
            (None, Some(reason)) => LinkCache::Uncacheable { reason },
            (None, None) => LinkCache::Cacheable,
        };
        let hash = key.finish_layer();
        self.links.push(Link { name: new.name, kind: new.kind, description: new.description, hash, cache });
    }

    /// Returns the key of the base layer.
    #[must_use]
    pub fn base(&self) -> &SeedHash {
        &self.base
    }

    /// Returns the seeds, in order.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Returns the keys of all layers that can exist: the base layer, then the cacheable prefix.
    pub fn hashes(&self) -> impl Iterator<Item = &SeedHash> {
        std::iter::once(&self.base).chain(self.links.iter().filter_map(Link::layer))
    }

    /// Returns the key that the password of a layer is derived from: the key of the last state after which a server
    /// ran. A container script runs without a server, so it does not change the password.
    pub(crate) fn password_key(&self, layer: &SeedHash) -> &SeedHash {
        let count = self.links.iter().position(|link| link.hash == *layer).map_or(0, |index| index + 1);
        let with_server = self.links.iter().take(count).rfind(|link| link.kind != SeedKind::ContainerScript);
        with_server.map_or(&self.base, |link| &link.hash)
    }

    /// Returns `true` if a container script follows after the state of this key.
    pub(crate) fn awaits_container_script(&self, state: &SeedHash) -> bool {
        let done = self.links.iter().position(|link| link.hash == *state).map_or(0, |index| index + 1);
        self.links.iter().skip(done).any(|link| link.kind == SeedKind::ContainerScript)
    }

    /// Returns the seed that ends the cacheable prefix, if there is one.
    #[must_use]
    pub fn broken_by(&self) -> Option<&SeedName> {
        self.links.iter().find(|link| link.layer().is_none()).map(|link| &link.name)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A chain with a seed for each text. `!` in the text makes the seed uncacheable, `%` makes it a container script.
    pub(in crate::layer) fn chain(seeds: &[&str]) -> Chain {
        let mut chain = Chain::new(SeedHash::of_text("base"));
        for (index, seed) in seeds.iter().enumerate() {
            chain.push(NewLink {
                name: format!("seed-{index}").parse().unwrap(),
                kind: if seed.contains('%') { SeedKind::ContainerScript } else { SeedKind::SqlFile },
                description: String::new(),
                content: blake3::hash(seed.as_bytes()),
                uncacheable: seed.contains('!').then_some(UncacheableReason::CacheNone),
            });
        }
        chain
    }

    fn hashes(seeds: &[&str]) -> Vec<SeedHash> {
        chain(seeds).links().iter().map(|link| link.hash.clone()).collect()
    }

    #[test]
    fn a_changed_seed_changes_its_own_key_and_all_after_it() {
        let before = hashes(&["a", "b", "c", "d"]);
        let after = hashes(&["a", "b", "x", "d"]);
        assert_eq!(before[..2], after[..2]);
        assert!(before[2..].iter().all(|hash| !after.contains(hash)));
    }

    #[test]
    fn the_order_of_seeds_is_part_of_the_key() {
        let (one, other) = (hashes(&["a", "b"]), hashes(&["b", "a"]));
        assert!(one.iter().all(|hash| !other.contains(hash)));
    }

    #[test]
    fn the_base_is_part_of_every_key() {
        let mut other = Chain::new(SeedHash::of_text("other"));
        other.push(NewLink {
            name: "seed-0".parse().unwrap(),
            kind: SeedKind::SqlFile,
            description: String::new(),
            content: blake3::hash(b"a"),
            uncacheable: None,
        });
        assert_ne!(other.links()[0].hash, chain(&["a"]).links()[0].hash);
    }

    #[test]
    fn a_container_script_does_not_change_the_password() {
        let chain = chain(&["%a", "b", "%c", "%d"]);
        let keys: Vec<_> = chain.hashes().map(|hash| chain.password_key(hash)).collect();
        let (base, b) = (chain.base(), &chain.links()[1].hash);
        assert_eq!(keys, [base, base, b, b, b]);
    }

    #[test]
    fn an_uncacheable_seed_ends_the_cacheable_prefix_and_all_later_seeds_name_it() {
        let chain = chain(&["a", "b!", "c", "d!"]);
        let by: SeedName = "seed-1".parse().unwrap();
        let cache: Vec<_> = chain.links().iter().map(|link| link.cache.clone()).collect();
        assert_eq!(cache[0], LinkCache::Cacheable);
        assert_eq!(cache[1], LinkCache::Uncacheable { reason: UncacheableReason::CacheNone });
        assert_eq!(cache[2..], [LinkCache::Broken { by: by.clone() }, LinkCache::Broken { by: by.clone() }]);
        assert_eq!(chain.broken_by(), Some(&by));
        assert_eq!(chain.hashes().count(), 2);
    }
}
