//! The corpus in `tests/corpus`. Each file is run by psql directly and by a seed, each time on a new empty server, and
//! `pg_dumpall` must print the same for both. The corpus's README says how to add a file.
#![allow(dead_code, reason = "each test binary uses its part")]

mod failing;
mod server;

use std::path::{Path, PathBuf};

use ociman::{Backend, Host, Kind};
use pg_ephemeral_core::config::BackendChoice;
use pg_ephemeral_core::seed::spec::{CacheStrategy, SeedSpec};
use pg_ephemeral_core::{Definition, Folders};

pub(crate) use failing::{FAILING, failing_files_stop_both_at_the_same_place};

use crate::layers::{IMAGE, TestProject, error_chain};
use server::{allow_everybody, dump_all, run_by_hand};

/// The folders of files that psql runs to their end.
pub(crate) const KINDS: [&str; 9] =
    ["combined", "commands", "copy", "dumps", "login", "objects", "session", "text", "transactions"];

/// The seed's name in errors.
const SEED: &str = "load";

/// The files that do not begin with a comment. The README explains them instead.
const WITHOUT_COMMENT: [&str; 4] =
    ["combined/crlf-dump-with-bom.sql", "dumps/compressed.sql.gz", "text/byte-order-mark.sql", "text/empty.sql"];

/// The folder of the corpus. It is the folder of the configuration and psql's working directory.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// The files of a kind, as paths relative to the corpus.
pub(crate) fn files(kind: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder().join(kind)).unwrap();
    let paths = entries.map(|entry| entry.unwrap()).filter(|entry| entry.file_type().unwrap().is_file());
    let mut files: Vec<_> = paths.map(|entry| format!("{kind}/{}", entry.file_name().into_string().unwrap())).collect();
    files.sort();
    files
}

/// The seed for a file of the corpus.
fn seed(file: &str) -> SeedSpec {
    SeedSpec::SqlFile { path: file.into(), git_revision: None, files: Vec::new() }
}

/// A definition without seeds; the caller may add some.
fn definition(ground: &TestProject) -> Definition {
    let definition = Definition::in_folders(Folders::at(ground.state()))
        .backend_choice(BackendChoice::Only(ground.kind))
        .instance(ground.instance.parse().unwrap())
        .folder(folder());
    match ground.kind {
        Kind::Host => definition,
        _ => definition.image(IMAGE.parse().unwrap()).transparent_workdir(folder()),
    }
}

/// As [`definition`], with the seed for a file.
fn seeded(ground: &TestProject, file: &str) -> Definition {
    let definition = definition(ground);
    let definition = match ground.kind {
        Kind::Host => definition,
        // Seeds after an uncached seed are not cached. That saves building a layer for each file; other tests cover
        // layers on engines.
        _ => definition.seed(
            "uncached".parse().unwrap(),
            SeedSpec::Script { script: "true".to_owned(), files: Vec::new(), cache: CacheStrategy::None },
        ),
    };
    definition.seed(SEED.parse().unwrap(), seed(file))
}

/// Builds the base layer, from which all servers start, and returns the tags of the existing layers.
async fn base_layers(ground: &TestProject) -> Vec<String> {
    definition(ground).populate_cache().await.unwrap_or_else(|error| panic!("{}", error_chain(&error)));
    ground.layers()
}

/// On the host, removes all layers except these, because the layers of all files together would take gigabytes.
async fn remove_layers_but(base: &[String], ground: &TestProject) {
    if ground.kind != Kind::Host {
        return;
    }
    let backend = Backend::host(Host::at(Folders::at(ground.state()).host()));
    for tag in ground.layers().iter().filter(|tag| !base.contains(*tag)) {
        // On the host, the listed tag already begins with a colon.
        backend.remove_image(&format!("{}{tag}", ground.layer_name()).parse().unwrap()).await.unwrap();
    }
}

/// Runs the files, and panics with the problems of all of them if there are any.
pub(crate) async fn seeds_leave_what_psql_leaves(ground: TestProject, files: &[String]) {
    assert!(!files.is_empty());
    let base = base_layers(&ground).await;
    let mut problems = Vec::new();
    for file in files {
        let begin = std::time::Instant::now();
        let problem = compare(&ground, file).await.err();
        remove_layers_but(&base, &ground).await;
        println!("{file}: {:?}{}", begin.elapsed(), if problem.is_some() { ", not the same" } else { "" });
        problems.extend(problem.map(|problem| format!("{file}: {problem}")));
    }
    ground.assert_nothing_runs();
    assert!(problems.is_empty(), "{} of {} files:\n\n{}", problems.len(), files.len(), problems.join("\n\n"));
}

async fn compare(ground: &TestProject, file: &str) -> Result<(), String> {
    let server = definition(ground).start().await.unwrap_or_else(|error| panic!("{}", error_chain(&error)));
    allow_everybody(&server).await;
    let by_hand = run_by_hand(&server, file).await;
    if by_hand.status != 0 {
        return Err(format!("psql by hand ended with status {}:\n{}", by_hand.status, by_hand.stderr));
    }
    let expected = dump_all(&server).await?;
    server.stop().await.unwrap();
    let started = seeded(ground, file).start().await;
    let server =
        started.map_err(|error| format!("psql by hand succeeded, the seed failed:\n{}", error_chain(&error)))?;
    let found = dump_all(&server).await?;
    server.stop().await.unwrap();
    match difference(&expected, &found) {
        None => Ok(()),
        Some(difference) => Err(difference),
    }
}

/// Returns the first lines in which two dumps differ, with the lines before them.
fn difference(expected: &str, found: &str) -> Option<String> {
    if expected == found {
        return None;
    }
    let (expected, found): (Vec<_>, Vec<_>) = (expected.lines().collect(), found.lines().collect());
    let same = expected.iter().zip(&found).take_while(|(left, right)| left == right).count();
    let part = |sign: &str, lines: &[&str], from: usize, to: usize| {
        let lines = lines.iter().take(to).skip(from);
        lines.map(|line| format!("{sign} {}\n", line.chars().take(200).collect::<String>())).collect::<String>()
    };
    let before = same.saturating_sub(3);
    Some(format!(
        "pg_dumpall differs from line {} on (- after psql, + after the seed):\n{}{}{}",
        same + 1,
        part(" ", &expected, before, same),
        part("-", &expected, same, same + 6),
        part("+", &found, same, same + 6)
    ))
}

/// Asserts that every folder of files is tested and that every file begins with an explanation.
pub(crate) fn assert_that_all_is_tested_and_explained() {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    let mut folders: Vec<_> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    folders.retain(|folder| folder != "failing" && folder != "parts");
    folders.sort();
    assert_eq!(folders, KINDS);
    for file in KINDS.iter().flat_map(|kind| files(kind)).chain(files("failing")) {
        let content = std::fs::read(folder().join(&file)).unwrap();
        let explained = content.starts_with(b"-- ");
        assert_ne!(explained, WITHOUT_COMMENT.contains(&file.as_str()), "{file}");
    }
    let named: Vec<_> = FAILING.iter().map(|failing| format!("failing/{}.sql", failing.name)).collect();
    assert_eq!(named, files("failing"), "the table of failing files has each of them, in order");
}
