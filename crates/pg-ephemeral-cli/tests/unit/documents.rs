//! Tests of the files that the program generates for packages.

use std::collections::BTreeMap;
use std::fs;

use crate::support::project;

#[test]
fn every_command_has_a_manual_page_with_its_name_and_description() {
    let project = project();
    let folder = project.folder().join("man");
    fs::create_dir(&folder).unwrap();
    project.command(["meta", "man-pages", "man"]).run().status(0).stdout("").stderr("");
    let page = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())
    };
    let pages: BTreeMap<String, String> = fs::read_dir(&folder).unwrap().map(page).collect();
    for (file, text) in &pages {
        let name = file.strip_suffix(".1").unwrap().replace('-', "\\-");
        let title = text.split(".SH NAME\n").nth(1).unwrap_or_default().lines().next().unwrap_or_default();
        assert!(title.strip_prefix(&format!("{name} \\- ")).is_some_and(|about| !about.is_empty()), "{file}: {title}");
        // A page lists its subcommands as NAME(1).
        let listed = text.lines().filter_map(|line| line.strip_suffix("(1)"));
        for listed in listed.filter(|name| !name.contains(' ')).map(|name| name.replace('\\', "")) {
            assert!(listed.ends_with("-help") || pages.contains_key(&format!("{listed}.1")), "{file} names {listed}");
        }
    }
    for page in ["pg-ephemeral.1", "pg-ephemeral-session-fork.1", "pg-ephemeral-session-container-psql.1"] {
        assert!(pages.contains_key(page), "{page}: {:?}", pages.keys());
    }
}

#[test]
fn manual_pages_can_not_be_written_to_a_folder_that_does_not_exist() {
    let ran = project().command(["meta", "man-pages", "nosuch"]).run().status(1).stdout("").stderr_text();
    assert!(ran.starts_with("error: "), "{ran}");
}
