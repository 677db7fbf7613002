//! Finding and loading files.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::config::{Config, Distrust, FILE_NAME, LoadError, find};

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
    assert_eq!(find(root.path()).unwrap(), Some(outer_file.clone()));
    assert_eq!(find(&inner).unwrap(), Some(outer_file));
    fs::write(&inner_file, "").unwrap();
    assert_eq!(find(&inner).unwrap(), Some(inner_file));
}

#[test]
fn a_folder_a_broken_link_or_a_pipe_in_place_of_the_file_is_an_error() {
    type Make = fn(&Path);
    let make: [(&str, Make); 4] = [
        ("folder", |path| fs::create_dir(path).unwrap()),
        ("loop", |path| std::os::unix::fs::symlink(path, path).unwrap()),
        ("link to nothing", |path| std::os::unix::fs::symlink("nothing", path).unwrap()),
        ("pipe", |path| {
            rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        }),
    ];
    for (what, make) in make {
        let root = folder();
        let inner = root.path().join("a");
        fs::create_dir(&inner).unwrap();
        fs::write(root.path().join(FILE_NAME), "").unwrap();
        make(&inner.join(FILE_NAME));
        let found = find(&inner).unwrap().unwrap();
        assert_eq!(found, inner.join(FILE_NAME), "{what}");
        let error = Config::load(&found).unwrap_err();
        assert!(matches!(error, LoadError::Read { .. } | LoadError::Pipe { .. }), "{what}: {error}");
    }
}

#[test]
fn an_empty_device_is_an_empty_configuration() {
    Config::load(Path::new("/dev/null")).unwrap();
}

#[test]
fn nothing_is_found_in_a_folder_without_the_file() {
    let root = folder();
    // This test can't control whether a parent of the temporary folder has such a file.
    assert!(!matches!(find(root.path()), Ok(Some(found)) if found.starts_with(root.path())));
}

/// Creates a project folder with a configuration and a subfolder. Other users can't write to the project or the file.
fn private_project() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let root = folder();
    let (file, inner) = (root.path().join(FILE_NAME), root.path().join("a"));
    fs::create_dir(&inner).unwrap();
    fs::write(&file, "").unwrap();
    set_mode(root.path(), 0o755);
    set_mode(&file, 0o644);
    (root, file, inner)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_in_a_parent_is_refused_if_others_can_write_to_it_or_its_folder() {
    let (root, file, inner) = private_project();
    assert_eq!(find(&inner).unwrap(), Some(file.clone()));
    for (path, closed, open) in [(root.path(), 0o755, 0o757), (root.path(), 0o755, 0o1777), (&file, 0o644, 0o646)] {
        set_mode(path, open);
        let refused = find(&inner).unwrap_err();
        assert_eq!(refused.path, file);
        assert!(matches!(&refused.distrust, Distrust::Writable { path: open, .. } if open == path), "{refused:?}");
        set_mode(path, closed);
    }
}

#[test]
fn a_file_in_a_parent_is_refused_if_it_or_its_folder_belongs_to_another_user() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root can change the owner of a file.
    }
    let (root, file, inner) = private_project();
    for path in [root.path(), &file] {
        chown(path, Some(12345), None).unwrap();
        let refused = find(&inner).unwrap_err();
        assert!(matches!(&refused.distrust, Distrust::Owner { path: of, user: 12345 } if of == path), "{refused:?}");
        chown(path, Some(0), None).unwrap();
    }
    assert_eq!(find(&inner).unwrap(), Some(file));
}

#[test]
fn a_file_in_the_working_directory_is_used_even_if_others_can_write_to_it() {
    let (root, file, _) = private_project();
    set_mode(root.path(), 0o1777);
    set_mode(&file, 0o666);
    assert_eq!(find(root.path()).unwrap(), Some(file));
}

#[test]
fn a_loaded_configuration_knows_its_path_and_folder() {
    let root = folder();
    let path = root.path().join("other.toml");
    fs::write(&path, "database = 'x'").unwrap();
    let config = Config::load(&path).unwrap();
    assert_eq!(config.folder(), root.path());
    assert_eq!(config.path(), Some(path.as_path()));
}

#[test]
fn the_folder_of_a_loaded_file_is_absolute_even_if_its_path_is_relative() {
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
fn the_error_names_a_file_that_can_not_be_read() {
    let root = folder();
    let path = root.path().join("none.toml");
    let error = Config::load(&path).unwrap_err();
    assert_eq!(error.to_string(), format!("failed to read configuration {}", path.display()));
    assert!(matches!(error, LoadError::Read { .. }));
    assert!(matches!(Config::load(root.path()), Err(LoadError::Read { .. })));
    assert!(matches!(Config::load(""), Err(LoadError::Read { .. })));
}

#[test]
fn a_file_that_is_not_utf8_is_reported_with_the_position() {
    let root = folder();
    let path = root.path().join(FILE_NAME);
    fs::write(&path, b"image = '17'\n# \xc3\xa4 \xe4\n").unwrap();
    let error = Config::load(&path).unwrap_err();
    assert_eq!(error.to_string(), format!("{}:2:5: byte 0xe4 is not UTF-8", path.display()));
}
