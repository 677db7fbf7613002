use std::time::UNIX_EPOCH;

use ociman::label::Labels;

use super::*;
use crate::model::SeedHash;

const DAY: u64 = 24 * 60 * 60;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1000 * DAY)
}

/// A layer of an instance that was created this many days ago.
fn layer(instance: &str, id: &str, days: Option<u64>, depth: usize) -> CachedLayer {
    CachedLayer {
        names: Vec::new(),
        instance: instance.parse().unwrap(),
        tag: crate::server::layer_images::LayerTag::Seeds(SeedHash::of_text(id)),
        id: id.to_owned(),
        created: days.map(|days| now() - Duration::from_secs(days * DAY)),
        size: 0,
        depth,
        labels: Labels::default(),
    }
}

fn gone(layers: &[CachedLayer], rules: PruneRules) -> Vec<&str> {
    layers_to_remove(layers, rules, now()).into_values().flatten().collect()
}

fn days(days: u64) -> Option<Duration> {
    Some(Duration::from_secs(days * DAY))
}

#[test]
fn only_layers_older_than_the_limit_are_removed() {
    let layers = [layer("a", "1", Some(3), 1), layer("a", "2", Some(2), 2), layer("b", "3", Some(4), 1)];
    assert_eq!(gone(&layers, PruneRules { older_than: days(2), keep: None }), ["1", "3"]);
    assert!(gone(&layers, PruneRules::default()).is_empty());
}

#[test]
fn the_newest_layers_of_each_instance_are_kept() {
    let layers = [
        layer("a", "1", Some(3), 1),
        layer("a", "2", Some(2), 2),
        layer("a", "3", Some(1), 3),
        layer("b", "4", Some(9), 1),
    ];
    assert_eq!(gone(&layers, PruneRules { older_than: None, keep: Some(1) }), ["1", "2"]);
    assert_eq!(gone(&layers, PruneRules { older_than: None, keep: Some(0) }), ["1", "2", "3", "4"]);
}

#[test]
fn the_deepest_of_layers_created_at_the_same_time_counts_as_the_newest() {
    let layers = [layer("a", "base", Some(1), 1), layer("a", "top", Some(1), 3), layer("a", "middle", Some(1), 2)];
    assert_eq!(gone(&layers, PruneRules { older_than: None, keep: Some(1) }), ["base", "middle"]);
}

#[test]
fn a_layer_is_removed_only_if_both_rules_allow_it() {
    let layers = [layer("a", "1", Some(9), 1), layer("a", "2", Some(8), 2), layer("a", "3", Some(1), 3)];
    assert_eq!(gone(&layers, PruneRules { older_than: days(5), keep: Some(2) }), ["1"]);
}

#[test]
fn a_layer_of_unknown_age_counts_as_neither_old_nor_new() {
    let layers = [layer("a", "1", None, 1), layer("a", "2", Some(900), 1)];
    assert_eq!(gone(&layers, PruneRules { older_than: days(5), keep: None }), ["2"]);
    assert_eq!(gone(&layers, PruneRules { older_than: None, keep: Some(1) }), ["1"]);
}

#[test]
fn a_layer_with_a_creation_time_in_the_future_counts_as_new() {
    let mut future = layer("a", "1", None, 1);
    future.created = Some(now() + Duration::from_secs(400 * DAY));
    let layers = [future, layer("a", "2", Some(3), 1)];
    assert_eq!(gone(&layers, PruneRules { older_than: days(0), keep: None }), ["2"]);
    assert_eq!(gone(&layers, PruneRules { older_than: None, keep: Some(1) }), ["2"]);
}
