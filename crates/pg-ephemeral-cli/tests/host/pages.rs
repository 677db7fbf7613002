//! Runs the commands in README.md and in the book and compares their output with the pages.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::support::markdown::Document;
use crate::support::{pages, warm_project};

fn run(page: &str) {
    let project = warm_project();
    pages::run(page, &project);
    project.assert_nothing_left();
}

macro_rules! pages_with_commands {
    ($($name:ident: $page:literal)*) => {
        $(
            #[test]
            fn $name() {
                run($page);
            }
        )*

        const RUN: &[&str] = &[$($page),*];
    };
}

pages_with_commands! {
    the_readme: "README.md"
    backends: "docs/backends.md"
    cache: "docs/cache.md"
    commands: "docs/commands.md"
    configuration: "docs/configuration.md"
    install: "docs/install.md"
    seeds: "docs/seeds.md"
    sessions: "docs/sessions.md"
    test_databases: "docs/test-databases.md"
    tls: "docs/tls.md"
    troubleshooting: "docs/troubleshooting.md"
}

#[test]
fn each_page_with_commands_is_run() {
    let has_commands = |page: &PathBuf| Document::read(page).blocks().any(pages::is_run);
    let pages: BTreeSet<PathBuf> = pages::all().into_iter().filter(has_commands).collect();
    assert_eq!(RUN.iter().map(PathBuf::from).collect::<BTreeSet<_>>(), pages);
}
