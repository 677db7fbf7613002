use super::*;
use crate::layer::{NewLink, UncacheableReason};

/// A chain with a seed for each name; a trailing `!` makes the seed uncacheable.
fn chain(names: &[&str]) -> Chain {
    let mut chain = Chain::new(SeedHash::of_text("base"));
    for name in names {
        chain.push(NewLink {
            name: name.trim_end_matches('!').parse().unwrap(),
            kind: SeedKind::SqlFile,
            description: String::new(),
            content: blake3::hash(name.as_bytes()),
            uncacheable: name.ends_with('!').then_some(UncacheableReason::CacheNone),
        });
    }
    chain
}

/// The status if the layers of these depths exist; depth 0 is the base layer.
fn status_of(chain: &Chain, depths: &[usize]) -> CacheStatus {
    let hashes: Vec<_> = chain.hashes().cloned().collect();
    let present = depths.iter().map(|&depth| hashes[depth].clone()).collect();
    status(&InstanceName::main(), &"postgres:17".parse().unwrap(), chain, &present).unwrap()
}

fn words(status: &CacheStatus) -> Vec<&'static str> {
    status.seeds.iter().map(|seed| seed.status.as_str()).collect()
}

fn image(hash: &SeedHash) -> Option<Reference> {
    Some(format!("pg-ephemeral/main:{hash}").parse().unwrap())
}

#[test]
fn a_seed_with_a_layer_is_a_hit_and_one_without_a_miss() {
    let chain = chain(&["a", "b"]);
    let status = status_of(&chain, &[0, 1]);
    assert_eq!(words(&status), ["hit", "miss"]);
    assert_eq!(status.summary, CacheSummary { total: 2, hits: 1, misses: 1, uncacheable: 0 });
    assert_eq!(status.seeds[1].cache_image, image(&chain.links()[1].hash));
    assert!(matches!(status.base, LayerState::Here(_)));
}

#[test]
fn a_seed_without_a_layer_of_its_own_is_a_hit_in_a_later_layer() {
    let chain = chain(&["a", "b", "c"]);
    let status = status_of(&chain, &[2]);
    assert_eq!(words(&status), ["hit", "hit", "miss"]);
    assert_eq!(status.seeds[0].cache_image, image(&chain.links()[1].hash));
    assert_eq!(status.seeds[0].reason.as_deref(), Some("in the layer of b"));
    assert_eq!(status.seeds[1].reason, None);
    assert!(matches!(status.base, LayerState::Missing(_)));
}

#[test]
fn seeds_after_an_uncacheable_seed_name_it() {
    let status = status_of(&chain(&["a", "b!", "c"]), &[0, 1]);
    assert_eq!(words(&status), ["hit", "uncacheable", "uncacheable"]);
    assert_eq!(status.seeds[1].broken_by, None);
    assert_eq!(status.seeds[2].broken_by, Some("b".parse().unwrap()));
    assert_eq!(status.seeds[2].cache_image, None);
    assert_eq!(status.summary, CacheSummary { total: 3, hits: 1, misses: 0, uncacheable: 2 });
}

#[test]
fn without_the_base_image_no_cache_image_is_named() {
    let status = without_image(&InstanceName::main(), &"postgres:17".parse().unwrap(), &chain(&["a", "b!"]));
    assert_eq!(words(&status), ["miss", "uncacheable"]);
    assert_eq!(status.seeds[0].cache_image, None);
    assert_eq!(status.seeds[0].reason.as_deref(), Some("the base image is not on this machine"));
    assert_eq!(status.base, LayerState::Unknown);
}

#[test]
fn the_json_has_exactly_the_documented_fields() {
    let status = status_of(&chain(&["a", "b!", "c"]), &[0, 1]);
    let status = CacheStatus { version: "0.0.0".to_owned(), ..status };
    let json = serde_json::to_string_pretty(&status).unwrap();
    insta::assert_snapshot!(json, @r#"
    {
      "instance": "main",
      "base_image": "postgres:17",
      "version": "0.0.0",
      "summary": {
        "total": 3,
        "hits": 1,
        "misses": 0,
        "uncacheable": 2
      },
      "seeds": [
        {
          "name": "a",
          "type": "sql-file",
          "status": "hit",
          "cache_image": "pg-ephemeral/main:14d8354b7f07e880bd831c11ffb96618d3d04586afd00cc726130271f752ab58",
          "reason": null,
          "broken_by": null
        },
        {
          "name": "b",
          "type": "sql-file",
          "status": "uncacheable",
          "cache_image": null,
          "reason": "its cache is `none`",
          "broken_by": null
        },
        {
          "name": "c",
          "type": "sql-file",
          "status": "uncacheable",
          "cache_image": null,
          "reason": "b before it is not cached",
          "broken_by": "b"
        }
      ]
    }
    "#);
}
