//! Checks that modules import only from floors below. [`CRATES`] defines the floors of each crate, and is the only
//! place that does. ARCHITECTURE.md describes the purpose of each module.

mod check;
mod source;

use std::collections::BTreeSet;
use std::path::Path;

use check::{Source, check};

/// The floors of one crate.
struct Crate {
    name: &'static str,
    /// The rows of modules, from the bottom up. A module may import from rows below its own, and from modules to its
    /// left in its own row.
    floors: &'static [&'static [&'static str]],
    /// The modules whose submodules still import each other in circles. No module may be added.
    tangled: &'static [&'static str],
}

const CRATES: &[Crate] = &[
    Crate {
        name: "ociman",
        floors: &[
            &["text", "secret", "kind", "blocking", "process", "files"],
            &["command", "error"],
            &["name", "image", "label", "info", "spec"],
            &["engine", "host"],
            &["backend", "container", "detect"],
            &["fuzzing"],
        ],
        tangled: &[],
    },
    Crate {
        name: "pg-ephemeral-core",
        floors: &[
            &["model"],
            &["layer"],
            &["io"],
            &["state"],
            &["postgres"],
            &["seed"],
            &["config", "database", "session"],
            &["server"],
            &["lifecycle"],
            &["cache", "tool", "doctor"],
            &["fuzzing"],
        ],
        tangled: &[],
    },
    Crate { name: "pg-ephemeral-cli", floors: &[&["args"], &["output"], &["process"], &["commands"]], tangled: &[] },
    Crate {
        name: "pg-ephemeral-testkit",
        floors: &[&["support"], &["database", "project"], &["fakes"], &["conformance"]],
        tangled: &[],
    },
];

/// Returns the sources of a crate.
fn sources(name: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src");
    let (mut sources, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                sources.push(Source::new(path.strip_prefix(&root).unwrap(), text));
            }
        }
    }
    sources
}

#[test]
fn modules_import_from_below_only_and_not_in_circles() {
    let problems: Vec<String> = CRATES
        .iter()
        .flat_map(|one| {
            check(one.floors, one.tangled, &sources(one.name)).into_iter().map(|found| format!("{}: {found}", one.name))
        })
        .collect();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn the_map_in_architecture_md_has_every_module_of_the_core() {
    let map = include_str!("../../../../../ARCHITECTURE.md");
    let sources = sources("pg-ephemeral-core");
    let modules: BTreeSet<&[String]> = sources.iter().filter_map(Source::module_of_floor).collect();
    let is_told = |name: &str| map.contains(&format!("`{name}`")) || map.contains(&format!("::{name}`"));
    let untold: Vec<_> = modules.iter().filter(|module| !module.iter().all(|name| is_told(name))).collect();
    assert!(untold.is_empty(), "{untold:?}");
}

/// Returns the problems of a crate with two floors, `high` above `low`.
fn found(sources: &[(&str, &str)]) -> Vec<String> {
    let sources: Vec<Source> =
        sources.iter().map(|(path, text)| Source::new(Path::new(path), (*text).to_owned())).collect();
    check(&[&["low"], &["high"]], &[], &sources)
}

#[test]
fn an_import_from_above_is_reported_with_its_file_and_line() {
    let high = ("high/mod.rs", "pub struct Server;");
    let upward =
        |text: &str| found(&[("lib.rs", "mod high;\nmod low;\npub use high::Server;"), high, ("low.rs", text)]);
    let expected = |line: usize| vec![format!("low.rs:{line}: `low` imports `high`, which stands above it")];
    assert_eq!(upward("//! crate::high\nuse crate::high::Server;"), expected(2));
    assert_eq!(upward("use std::io;\n\nfn f(_: crate::high::Server) {}"), expected(3));
    assert_eq!(upward("use super::high;"), expected(1));
    assert_eq!(upward("use crate::{\n    low::X,\n    Server,\n};"), expected(3));
    assert_eq!(upward("mod inner {\n    use super::super::high::Server;\n}"), expected(2));
    assert!(upward("const TEXT: &str = \"crate::high\"; // crate::high").is_empty());
    assert!(upward("#[cfg(test)]\nmod tests {\n    use crate::high::Server;\n}").is_empty());
    assert!(found(&[("lib.rs", ""), ("low.rs", "pub struct X;"), ("high/mod.rs", "use crate::low::X;")]).is_empty());
}

#[test]
fn a_circle_of_modules_of_one_floor_is_reported_with_each_import_in_it() {
    let circle = found(&[
        ("lib.rs", ""),
        ("high/mod.rs", "mod a;\nmod b;\nmod c;\npub use b::B;"),
        ("high/a.rs", "use super::B;"),
        ("high/b/mod.rs", "\nuse crate::high::a::A;"),
        ("high/c.rs", "use super::a;"),
        ("low.rs", ""),
    ]);
    let expected = |place, from, to| format!("{place}: `high::{from}` imports `high::{to}`, which leads back to it");
    assert_eq!(circle, [expected("high/a.rs:1", "a", "b"), expected("high/b/mod.rs:2", "b", "a")]);
}

#[test]
fn the_file_of_a_floor_counts_as_a_module_of_the_floor() {
    let circle = found(&[
        ("lib.rs", ""),
        ("high/mod.rs", "mod a;\npub struct S;\nfn f() { a::g() }"),
        ("high/a.rs", "use super::S;"),
        ("low.rs", ""),
    ]);
    assert_eq!(circle.len(), 2, "{circle:?}");
}

#[test]
fn a_module_without_a_floor_and_a_floor_without_a_module_are_reported() {
    let problems = found(&[("lib.rs", ""), ("low.rs", ""), ("attic.rs", "")]);
    assert_eq!(problems, ["`attic` has no floor", "there is no module `high`"]);
}
