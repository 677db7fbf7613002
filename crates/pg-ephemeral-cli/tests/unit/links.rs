//! Tests that links in the documentation are valid. Only links into the repository are checked, so no test needs a
//! network.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::support::markdown::{self, Document, Link};

/// The URL of the repository. Pages that are published outside the repository, in the book or by a registry, use it to
/// link to files that are not published with them.
const SITE: &str = "https://github.com/pg-ephemeral/pg-ephemeral";

/// Returns the faults of the links in all Markdown files below a folder, one line per fault.
fn faults(root: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    for file in markdown::files(root) {
        let document = Document::parse(&fs::read_to_string(root.join(&file)).unwrap());
        let place = |link: &Link| format!("{}:{}: {}", file.display(), link.line, link.target);
        faults.extend(document.faults.iter().map(|link| format!("{}: is no link of Markdown", place(link))));
        for link in &document.links {
            faults.extend(fault(root, &file, &link.target).map(|fault| format!("{}: {fault}", place(link))));
        }
    }
    faults
}

fn fault(root: &Path, file: &Path, target: &str) -> Option<String> {
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let linked = if let Some(path) = path.strip_prefix(SITE) {
        match page_of_site(path) {
            Ok(path) => path,
            Err(fault) => return Some(fault),
        }
    } else if path.contains("://") || path.starts_with("mailto:") {
        return None;
    } else if path.is_empty() {
        file.to_owned()
    } else {
        let linked = normal(&file.parent().unwrap_or(Path::new("")).join(path));
        if let Some(fault) = leaves_its_place(file, &linked) {
            return Some(fault);
        }
        linked
    };
    if !root.join(&linked).exists() {
        return Some("there is no such file".to_owned());
    }
    let anchor = anchor?;
    let linked = if root.join(&linked).is_dir() { linked.join("README.md") } else { linked };
    let Ok(text) = fs::read_to_string(root.join(&linked)) else { return Some("there is no such heading".to_owned()) };
    let has_heading = Document::parse(&text).anchors.iter().any(|known| known == anchor);
    (!has_heading).then(|| "there is no such heading".to_owned())
}

/// Returns the path in the repository for a path below [`SITE`].
fn page_of_site(path: &str) -> Result<PathBuf, String> {
    let path = path.trim_start_matches('/');
    let below = ["blob/main/", "tree/main/"].iter().find_map(|start| path.strip_prefix(start));
    match below {
        Some(path) => Ok(normal(Path::new(path))),
        None if path.is_empty() => Ok(PathBuf::new()),
        None => Err("it is no page of a file on the branch main".to_owned()),
    }
}

/// Returns a fault if a relative link leaves the files that are published together with its page: the book has only the
/// pages of `docs`, and a registry shows only the README of a crate.
fn leaves_its_place(file: &Path, linked: &Path) -> Option<String> {
    let is_of_crate = file.components().count() == 3 && file.starts_with("crates");
    let leaves_book = file.starts_with("docs") && !linked.starts_with("docs");
    (is_of_crate || leaves_book).then(|| format!("link with {SITE}/blob/main/, since this page is shown elsewhere too"))
}

/// Removes `.` and `..` from a path without looking at the file system.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir if normal.file_name().is_some() => drop(normal.pop()),
            Component::CurDir => {}
            component => normal.push(component),
        }
    }
    normal
}

#[test]
fn each_link_in_the_repository_leads_to_an_existing_file_and_heading() {
    let faults = faults(&markdown::repository());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn each_page_is_in_the_summary_of_the_book_once() {
    let pages = markdown::files(&markdown::repository().join("docs"));
    let pages: BTreeSet<_> = pages.into_iter().filter(|page| page != Path::new("SUMMARY.md")).collect();
    let listed: Vec<_> =
        Document::read("docs/SUMMARY.md").links.into_iter().map(|link| PathBuf::from(link.target)).collect();
    assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), pages);
    assert_eq!(listed.len(), pages.len(), "a page is listed twice");
}

#[test]
fn broken_links_are_found() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let lines = [
        "# Title",
        "[good](docs/page.md#a-heading-2) ![good](image.svg) [good](#title) [good](https://example.com/nosuch)",
        "[gone](docs/nosuch.md)",
        "![gone](nosuch.svg)",
        "[heading](docs/page.md#nosuch)",
        "[own heading](#nosuch)",
        "[site](https://github.com/pg-ephemeral/pg-ephemeral/blob/main/nosuch.md)",
        "[branch](https://github.com/pg-ephemeral/pg-ephemeral/blob/other/image.svg)",
        "[reference][nosuch]",
        "<a href=\"image.svg\">HTML</a>",
    ];
    write("README.md", &lines.join("\n\n"));
    write("image.svg", "");
    write("docs/page.md", "# A heading: `2`\n[out](../README.md) [good](../docs/page.md)\n");
    write("crates/one/README.md", "[relative](../../README.md)\n");
    write("target/made.md", "[gone](nosuch.md)\n");
    let link =
        "link with https://github.com/pg-ephemeral/pg-ephemeral/blob/main/, since this page is shown elsewhere too";
    assert_eq!(
        faults(root.path()),
        [
            "README.md:17: nosuch: is no link of Markdown".to_owned(),
            "README.md:19: <a href=\"image.svg\">: is no link of Markdown".to_owned(),
            "README.md:5: docs/nosuch.md: there is no such file".to_owned(),
            "README.md:7: nosuch.svg: there is no such file".to_owned(),
            "README.md:9: docs/page.md#nosuch: there is no such heading".to_owned(),
            "README.md:11: #nosuch: there is no such heading".to_owned(),
            "README.md:13: https://github.com/pg-ephemeral/pg-ephemeral/blob/main/nosuch.md: there is no such file".to_owned(),
            "README.md:15: https://github.com/pg-ephemeral/pg-ephemeral/blob/other/image.svg: it is no page of a file on the \
             branch main"
                .to_owned(),
            format!("crates/one/README.md:1: ../../README.md: {link}"),
            format!("docs/page.md:2: ../README.md: {link}"),
        ]
    );
}
