//! Tests of the comparison of a review's database with what its branch needs. It compares values and uses no backend.
#![allow(clippy::unwrap_used)]

use ociman::Backend;
use pg_ephemeral_core::label::SeedEntry;
use pg_ephemeral_core::seed::SeedKind;
use pg_ephemeral_core::{Definition, Folders};
use pg_ephemeral_testkit::{FakeBackend, FakeImage};
use review_databases::{Verdict, judge};

/// An image, and seeds as pairs of name and content.
type Content<'c> = (&'c str, &'c [(&'c str, &'c str)]);

const STORED: Content<'_> = ("17", &[("schema", "a"), ("data", "b")]);

fn definition((image, seeds): Content<'_>, backend: &Backend) -> Definition {
    let home = tempfile::tempdir().unwrap();
    let definition = Definition::in_folders(Folders::at(home.path())).backend(backend.clone());
    let definition = definition.image(image.parse().unwrap());
    seeds.iter().fold(definition, |definition, (name, content)| {
        definition.sql_statement(name.parse().unwrap(), format!("select '{content}'"))
    })
}

/// Returns the verdict about a database with [`STORED`] whose branch needs `wanted`.
async fn reason(wanted: Content<'_>) -> String {
    let backend =
        FakeBackend::podman().with_image(FakeImage::postgres("17")).with_image(FakeImage::postgres("18")).backend();
    let stored = definition(STORED, &backend);
    let stored = stored.load_seeds(&backend).await.unwrap();
    let entry = |seed: &pg_ephemeral_core::seed::LoadedSeed<'_>| {
        SeedEntry::new(seed.name().clone(), SeedKind::SqlStatement, seed.cache_status().hash().cloned())
    };
    let entries: Vec<_> = stored.iter_seeds().map(entry).collect();
    let wanted = definition(wanted, &backend);
    let wanted = wanted.load_seeds(&backend).await.unwrap();
    match judge(stored.image().reference(), &entries, &wanted) {
        Verdict::Current => "current".to_owned(),
        Verdict::Outdated(divergence) => divergence.to_string(),
    }
}

#[tokio::test]
async fn the_same_image_and_seeds_are_current() {
    assert_eq!(reason(STORED).await, "current");
}

#[tokio::test]
async fn what_differs_first_is_the_reason() {
    let cases: [(Content<'_>, &str); 6] = [
        (("18", &[]), "image docker.io/library/postgres:17 is now docker.io/library/postgres:18"),
        (("17", &[("schema", "c"), ("data", "b")]), "seed schema at position 1 changed"),
        (("17", &[("schema", "a")]), "seed data removed at position 2"),
        (("17", &[("schema", "a"), ("data", "b"), ("more", "c")]), "seed more added at position 3"),
        (("17", &[("schema", "a"), ("rows", "b")]), "seed data at position 2 is now rows"),
        (("17", &[]), "seed schema removed at position 1"),
    ];
    for (wanted, expected) in cases {
        assert_eq!(reason(wanted).await, expected);
    }
}
