//! Removing old layers of all instances, and on the host backend the working copies that nobody has used for long.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use ociman::{Backend, Reference};

use super::{CacheError, CachedLayer, Scope, images, reset};
use crate::model::InstanceName;
use crate::state::{Folders, Lock};

/// How old layers may be that [`PruneRules::default`] leaves.
pub const DEFAULT_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Which layers go: those that every rule allows to go. Without any rule all do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PruneRules {
    /// Only those that were made longer ago. One whose age is not known stays.
    pub older_than: Option<Duration>,
    /// Only those that are not among this many newest of their instance.
    pub keep: Option<usize>,
}

impl Default for PruneRules {
    /// Those that are older than [`DEFAULT_AGE`].
    fn default() -> Self {
        Self { older_than: Some(DEFAULT_AGE), keep: None }
    }
}

/// What pruning has done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Pruned {
    /// The layers that went.
    pub removed: Vec<Reference>,
    /// The layers that would have gone, and stayed because containers are on them.
    pub in_use: Vec<Reference>,
    /// How many working copies of the host backend went.
    pub working_copies: usize,
}

/// Removes old layers of all instances of a backend. Layers that servers run on stay.
///
/// # Errors
/// [`CacheError`].
pub async fn prune(folders: &Folders, backend: &Backend, rules: PruneRules) -> Result<Pruned, CacheError> {
    let now = SystemTime::now();
    let layers = images(backend, Scope::All).await?;
    let mut pruned = Pruned::default();
    for (instance, hashes) in doomed(&layers, rules, now) {
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

/// The identifiers of the layers that go, by instance.
fn doomed(layers: &[CachedLayer], rules: PruneRules, now: SystemTime) -> BTreeMap<&InstanceName, BTreeSet<&str>> {
    let mut instances: BTreeMap<&InstanceName, Vec<&CachedLayer>> = BTreeMap::new();
    for layer in layers {
        instances.entry(&layer.instance).or_default().push(layer);
    }
    let mut doomed = BTreeMap::new();
    for (instance, mut layers) in instances {
        // Layers of one build may be of the same second: the deeper is the newer.
        layers.sort_by_key(|layer| Reverse((layer.created, layer.depth)));
        let beyond = layers.into_iter().skip(rules.keep.unwrap_or(0));
        let old = beyond.filter(|layer| rules.older_than.is_none_or(|limit| is_older(layer.created, limit, now)));
        let ids: BTreeSet<&str> = old.map(|layer| layer.id.as_str()).collect();
        if !ids.is_empty() {
            doomed.insert(instance, ids);
        }
    }
    doomed
}

/// What was made at an unknown time is not known to be old.
fn is_older(then: Option<SystemTime>, limit: Duration, now: SystemTime) -> bool {
    then.and_then(|then| now.duration_since(then).ok()).is_some_and(|age| age > limit)
}

#[cfg(test)]
mod tests;
