//! Finding and loading files.

use std::fs;
use std::path::Path;

use crate::config::{Config, FILE_NAME, LoadError, find};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn the_file_is_found_in_the_folder_or_its_nearest_parent() {
    let root = folder();
    let inner = root.path().join("a/b");
    fs::create_dir_all(&inner).unwrap();
    let outer_file = root.path().join(FILE_NAME);
    let inner_file = root.path().join("a").join(FILE_NAME);

    fs::write(&outer_file, "").unwrap();
    assert_eq!(find(root.path()), Some(outer_file.clone()));
    assert_eq!(find(&inner), Some(outer_file));
    fs::write(&inner_file, "").unwrap();
    assert_eq!(find(&inner), Some(inner_file));
}

#[test]
fn a_folder_of_that_name_is_passed_over() {
    let root = folder();
    let inner = root.path().join("a");
    fs::create_dir_all(inner.join(FILE_NAME)).unwrap();
    fs::write(root.path().join(FILE_NAME), "").unwrap();
    assert_eq!(find(&inner), Some(root.path().join(FILE_NAME)));
}

#[test]
fn nothing_is_found_where_there_is_nothing() {
    let root = folder();
    // What is in the parents of temporary folders is not up to this test.
    assert!(find(root.path()).is_none_or(|found| !found.starts_with(root.path())));
}

#[test]
fn a_loaded_file_knows_its_folder() {
    let root = folder();
    let path = root.path().join("other.toml");
    fs::write(&path, "database = 'x'").unwrap();
    let config = Config::load(&path).unwrap();
    assert_eq!(config.folder(), root.path());
    assert_eq!(config.path(), Some(path.as_path()));
}

#[test]
fn a_loaded_file_has_an_absolute_folder_even_when_its_name_is_relative() {
    let root = folder();
    fs::write(root.path().join(FILE_NAME), "").unwrap();
    let depth = std::env::current_dir().unwrap().components().count() - 1;
    let inside = root.path().strip_prefix("/").unwrap();
    let relative = Path::new(&"../".repeat(depth)).join(inside).join(FILE_NAME);

    let config = Config::load(&relative).unwrap();
    assert_eq!(config.path(), Some(relative.as_path()));
    assert!(config.folder().is_absolute());
    assert_eq!(config.folder().canonicalize().unwrap(), root.path().canonicalize().unwrap());
}

#[test]
fn a_file_that_can_not_be_read_is_named() {
    let root = folder();
    let path = root.path().join("none.toml");
    let error = Config::load(&path).unwrap_err();
    assert_eq!(error.to_string(), format!("read configuration {}", path.display()));
    assert!(matches!(error, LoadError::Read { .. }));
    assert!(matches!(Config::load(root.path()), Err(LoadError::Read { .. })));
    assert!(matches!(Config::load(""), Err(LoadError::Read { .. })));
}

#[test]
fn a_file_that_is_not_utf8_is_reported_with_the_place() {
    let root = folder();
    let path = root.path().join(FILE_NAME);
    fs::write(&path, b"image = '17'\n# \xc3\xa4 \xe4\n").unwrap();
    let error = Config::load(&path).unwrap_err();
    assert_eq!(error.to_string(), format!("{}:2:5: byte 0xe4 is not UTF-8", path.display()));
}
