//! The documents that are made from the command line itself: they are in the repository, and as the binary says today.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::project;

const REMEDY: &str = "run `scripts/documents`";

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn files_of(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}: {REMEDY}", folder.display()));
    let file = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())
    };
    entries.map(file).collect()
}

#[test]
fn the_manual_pages_are_those_of_the_command_line() {
    let project = project();
    let folder = project.folder().join("man");
    fs::create_dir(&folder).unwrap();
    project.command(["meta", "man-pages", "man"]).run().status(0).stdout("").stderr("");
    let (made, kept) = (files_of(&folder), files_of(&docs().join("man")));
    assert!(made.keys().eq(kept.keys()), "other pages than docs/man has: {:?}: {REMEDY}", made.keys());
    for (name, text) in made {
        assert!(kept[&name] == text, "docs/man/{name} is another than the command line says: {REMEDY}");
    }
}

#[test]
fn the_scripts_for_shells_are_those_of_the_binary() {
    let project = project();
    let kept = files_of(&docs().join("completions"));
    assert!(kept.keys().eq(["pg-ephemeral.bash", "pg-ephemeral.fish", "pg-ephemeral.zsh"]), "{:?}", kept.keys());
    for shell in ["bash", "fish", "zsh"] {
        let ran = project.command(["completions", shell]).run();
        ran.status(0).stderr("");
        let name = format!("pg-ephemeral.{shell}");
        assert!(kept[&name].as_bytes() == ran.stdout_bytes(), "docs/completions/{name} is another: {REMEDY}");
    }
}

#[test]
fn a_folder_for_manual_pages_that_is_not_there_is_an_error() {
    let ran = project().command(["meta", "man-pages", "nosuch"]).run().status(1).stdout("").stderr_text();
    assert!(ran.starts_with("error: "), "{ran}");
}
