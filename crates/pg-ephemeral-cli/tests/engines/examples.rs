//! The examples that need an engine: the commands in their READMEs, as they stand there.

use std::fs;
use std::path::Path;

use crate::registry::Registry;
use crate::support::engine::Engine;
use crate::support::readme;

/// An example on an engine, under an instance of its own, with a part of its configuration replaced.
fn run(example: &str, engine: &'static str, replace: impl FnOnce(&Engine, String) -> String) {
    let engine = Engine::new(engine);
    readme::copy(example, &engine.project);
    let configuration = engine.project.folder().join("database.toml");
    let text = fs::read_to_string(&configuration).unwrap();
    let text = text.replace("[instances.main.", &format!("[instances.{}.", engine.instance()));
    fs::write(configuration, replace(&engine, text)).unwrap();
    readme::run(example, &engine.project, &format!("--backend {} --instance {}", engine.program(), engine.instance()));
    engine.assert_nothing_left();
}

/// `text` with a part replaced that has to be there.
fn replaced(text: &str, part: &str, by: &str) -> String {
    assert!(text.contains(part), "{part} is not in: {text}");
    text.replace(part, by)
}

/// No test depends on the network: the package is in the folder that `PG_EPHEMERAL_TEST_PACKAGES` names, and comes with
/// the project's files. CI has to say, by an empty variable, that it goes without.
#[test]
fn an_extension_from_a_package() {
    let named = std::env::var("PG_EPHEMERAL_TEST_PACKAGES").ok();
    assert!(named.is_some() || std::env::var_os("CI").is_none(), "PG_EPHEMERAL_TEST_PACKAGES is not set");
    let Some(packages) = named.filter(|folder| !folder.is_empty()) else {
        eprintln!("left out: PG_EPHEMERAL_TEST_PACKAGES names no folder with the package of pg_cron");
        return;
    };
    run("extension", "docker", |engine, text| {
        let package = fs::read(Path::new(&packages).join("postgresql-cron.deb"));
        engine.project.write("packages/cron.deb", package.expect("scripts/setup-packages downloads it"));
        let text = replaced(&text, "apt-get update\n", "");
        let fetched = "apt-get install -y --no-install-recommends \"postgresql-$PG_MAJOR-cron\"";
        let text = replaced(&text, fetched, "dpkg --install packages/cron.deb");
        replaced(&text, "files = [", "files = [\"packages/cron.deb\", ")
    });
}

#[test]
fn layers_that_travel_through_a_registry() {
    let registry = Registry::start();
    run("caching-in-ci", "podman", |_, text| replaced(&text, "127.0.0.1:5000", &registry.address()));
}
