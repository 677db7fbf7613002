//! Whether a review's database has what its branch asks for: a comparison of values, without any backend.
#![allow(clippy::unwrap_used)]

use pg_ephemeral_core::session::SeedState;
use review_databases::{Content, Verdict, judge};

/// A content whose seeds are written `name` and one character that stands for what is in them.
fn content(image: &str, seeds: &[(&str, &str)]) -> Content {
    let seed = |(name, digit): &(&str, &str)| SeedState {
        name: name.parse().unwrap(),
        hash: digit.repeat(64).parse().unwrap(),
    };
    Content { image: image.to_owned(), seeds: seeds.iter().map(seed).collect() }
}

fn reason(wanted: &Content) -> String {
    let stored = content("postgres:17", &[("schema", "a"), ("data", "b")]);
    match judge(&stored, wanted) {
        Verdict::Current => "current".to_owned(),
        Verdict::Outdated(divergence) => divergence.to_string(),
    }
}

#[test]
fn the_same_image_and_seeds_are_current() {
    assert_eq!(reason(&content("postgres:17", &[("schema", "a"), ("data", "b")])), "current");
}

#[test]
fn what_differs_first_is_the_reason() {
    let cases: [(Content, &str); 6] = [
        (content("postgres:18", &[]), "image postgres:17 is now postgres:18"),
        (content("postgres:17", &[("schema", "c"), ("data", "b")]), "seed schema at position 1 changed"),
        (content("postgres:17", &[("schema", "a")]), "seed data removed at position 2"),
        (content("postgres:17", &[("schema", "a"), ("data", "b"), ("more", "c")]), "seed more added at position 3"),
        (content("postgres:17", &[("schema", "a"), ("rows", "b")]), "seed data at position 2 is now rows"),
        (content("postgres:17", &[]), "seed schema removed at position 1"),
    ];
    for (wanted, expected) in cases {
        assert_eq!(reason(&wanted), expected);
    }
}
