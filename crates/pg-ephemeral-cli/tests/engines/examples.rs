//! Runs the commands in the READMEs of the examples that need an engine.

use std::fs;
use std::path::Path;

use crate::registry::Registry;
use crate::support::engine::Engine;
use crate::support::readme;

/// Runs an example on an engine, with an instance of its own and with a part of its configuration replaced.
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

/// Replaces a part of `text`. Panics if the part is missing.
fn replaced(text: &str, part: &str, by: &str) -> String {
    assert!(text.contains(part), "{part} is not in: {text}");
    text.replace(part, by)
}

/// No test depends on the network: the package is taken from the folder that `PG_EPHEMERAL_TEST_PACKAGES` names and is
/// copied into the project. In CI the variable must be set; an empty value skips this test.
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
fn layers_shared_through_a_registry() {
    let registry = Registry::start();
    run("caching-in-ci", "podman", |_, text| replaced(&text, "127.0.0.1:5000", &registry.address()));
}
