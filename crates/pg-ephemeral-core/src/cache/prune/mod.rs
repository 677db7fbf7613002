//! Removes old layers of all instances and, on the host backend, working copies that have not been used for a long
//! time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use ociman::{Backend, Reference};

use super::{CacheError, CachedLayer, Scope, images, reset};
use crate::model::InstanceName;
use crate::state::{Folders, Lock};

/// The age limit of [`PruneRules::default`]: 30 days.
pub const DEFAULT_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Which layers [`prune`] removes. If both rules are set, a layer is removed only if both allow it; if neither is set,
/// all layers are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PruneRules {
    /// Removes only layers that are older than this. Layers of unknown age are kept. Working copies are removed only if
    /// this is set.
    pub older_than: Option<Duration>,
    /// Keeps this many of the newest layers of each instance.
    pub keep: Option<usize>,
}

impl Default for PruneRules {
    /// Returns rules that remove layers older than [`DEFAULT_AGE`].
    fn default() -> Self {
        Self { older_than: Some(DEFAULT_AGE), keep: None }
    }
}

/// The result of [`prune`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Pruned {
    /// The layers that were removed.
    pub removed: Vec<Reference>,
    /// The layers that the rules select but that were kept because containers use them.
    pub in_use: Vec<Reference>,
    /// The number of working copies of the host backend that were removed.
    pub working_copies: usize,
}

/// Removes old layers of all instances of a backend. Layers that servers run on are kept.
///
/// # Errors
/// Returns an error if the layers can't be listed, if the build lock of an instance can't be taken, or if a layer or a
/// working copy can't be removed.
pub async fn prune(folders: &Folders, backend: &Backend, rules: PruneRules) -> Result<Pruned, CacheError> {
    let now = SystemTime::now();
    let layers = images(backend, Scope::All).await?;
    let mut pruned = Pruned::default();
    for (instance, hashes) in layers_to_remove(&layers, rules, now) {
        let _lock = Lock::of_build(folders, backend.kind(), instance).await?;
        for layer in layers.iter().filter(|layer| layer.instance == *instance && hashes.contains(layer.id.as_str())) {
            let (removed, kept) = reset::remove(backend, layer).await?;
            pruned.removed.extend(removed);
            pruned.in_use.extend(kept);
        }
    }
    if let Some(host) = backend.as_host() {
        let is_old = move |last_used| rules.older_than.is_some_and(|limit| is_older(Some(last_used), limit, now));
        let gone = host.prune_slots(move |slot| is_old(slot.last_used)).await.map_err(CacheError::Slots)?;
        pruned.working_copies = gone.len();
    }
    Ok(pruned)
}

/// Returns the IDs of the layers to remove, by instance.
fn layers_to_remove(
    layers: &[CachedLayer],
    rules: PruneRules,
    now: SystemTime,
) -> BTreeMap<&InstanceName, BTreeSet<&str>> {
    let mut instances: BTreeMap<&InstanceName, Vec<&CachedLayer>> = BTreeMap::new();
    for layer in layers {
        instances.entry(&layer.instance).or_default().push(layer);
    }
    let mut layers_to_remove = BTreeMap::new();
    for (instance, mut layers) in instances {
        // Layers of one build may have been created in the same second. The deeper one is then the newer one.
        layers.sort_by_key(|layer| Reverse((layer.created, layer.depth)));
        let beyond = layers.into_iter().skip(rules.keep.unwrap_or(0));
        let old = beyond.filter(|layer| rules.older_than.is_none_or(|limit| is_older(layer.created, limit, now)));
        let ids: BTreeSet<&str> = old.map(|layer| layer.id.as_str()).collect();
        if !ids.is_empty() {
            layers_to_remove.insert(instance, ids);
        }
    }
    layers_to_remove
}

/// Returns `true` if `then` is more than `limit` ago. An unknown time counts as not older.
fn is_older(then: Option<SystemTime>, limit: Duration, now: SystemTime) -> bool {
    then.and_then(|then| now.duration_since(then).ok()).is_some_and(|age| age > limit)
}

#[cfg(test)]
mod tests;
