use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::host::folder::open;
use crate::host::lockable::Lockable;
use crate::host::tree::entry::Stamp;

/// An original and a copy of it that is used and reset.
struct Trees {
    folder: TempDir,
    entries: Vec<Entry>,
}

impl Trees {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let original = folder.path().join("original");
        for name in ["base/1", "base/2", "wal", "closed"] {
            fs::create_dir_all(original.join(name)).unwrap();
        }
        for (name, content) in
            [("version", "15\n"), ("base/1/a", "aaaa"), ("base/1/b", ""), ("base/2/a", "bbbb"), ("wal/1", "log")]
        {
            fs::write(original.join(name), content).unwrap();
        }
        fs::write(original.join("wal/large"), vec![7_u8; 100_000]).unwrap();
        fs::write(original.join("closed/file"), "shut").unwrap();
        symlink("../base/1/a", original.join("wal/link")).unwrap();
        fs::set_permissions(original.join("base/2/a"), Permissions::from_mode(0o400)).unwrap();
        fs::set_permissions(original.join("wal"), Permissions::from_mode(0o750)).unwrap();
        fs::set_permissions(original.join("closed"), Permissions::from_mode(0o500)).unwrap();
        let copy = folder.path().join("copy");
        fs::create_dir(&copy).unwrap();
        let entries = copy::tree(&open(&original).unwrap(), &open(&copy).unwrap()).unwrap();
        Self { folder, entries }
    }

    fn original(&self) -> PathBuf {
        self.folder.path().join("original")
    }

    fn copy(&self) -> PathBuf {
        self.folder.path().join("copy")
    }

    fn reset(&mut self, trust: Trust) -> Outcome {
        reset(&Lockable::open_root(&self.copy()).unwrap(), &open(&self.original()).unwrap(), &mut self.entries, trust)
            .unwrap()
    }

    /// Returns the trust for a copy that is taken into use now.
    fn now() -> Trust {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Trust::Stamps { used: i64::try_from(now.as_nanos()).unwrap() }
    }

    #[track_caller]
    fn assert_equal(&self) {
        assert_eq!(content(&self.copy()), content(&self.original()));
    }
}

/// Returns the mode and content of everything in a tree, by path.
fn content(root: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for path in paths(root) {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let bytes = if metadata.is_symlink() {
            fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
        } else if metadata.is_file() {
            fs::read(&path).unwrap()
        } else {
            Vec::new()
        };
        found.insert(path.strip_prefix(root).unwrap().to_owned(), (metadata.mode(), bytes));
    }
    found
}

/// Returns the root and everything in it.
fn paths(root: &Path) -> Vec<PathBuf> {
    let mut found = vec![root.to_owned()];
    // A path that can't be read is in a folder that a mutation has closed.
    if fs::symlink_metadata(root).is_ok_and(|metadata| metadata.is_dir()) {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(root).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        found.extend(entries.iter().flat_map(|entry| paths(entry)));
    }
    found
}

/// A change that a process may make to an entry of the tree. The numbers select the entries.
#[derive(Debug, Clone)]
enum Mutation {
    Write(usize, Vec<u8>),
    Append(usize, u8),
    Resize(usize, u64),
    Remove(usize),
    Rename(usize, usize),
    MakeFile(usize, u8),
    MakeFolder(usize, u8),
    MakeLink(usize, u8),
    MakeSecondName(usize, usize),
    Chmod(usize, u32),
    /// Replaces the content by other content of the same size, and restores the modification time.
    Forge(usize, u8),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let which = 0..64_usize;
    prop_oneof![
        (which.clone(), prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(which, bytes)| Mutation::Write(which, bytes)),
        (which.clone(), any::<u8>()).prop_map(|(which, byte)| Mutation::Append(which, byte)),
        (which.clone(), 0..200_000_u64).prop_map(|(which, size)| Mutation::Resize(which, size)),
        which.clone().prop_map(Mutation::Remove),
        (which.clone(), which.clone()).prop_map(|(from, to)| Mutation::Rename(from, to)),
        (which.clone(), any::<u8>()).prop_map(|(which, name)| Mutation::MakeFile(which, name)),
        (which.clone(), any::<u8>()).prop_map(|(which, name)| Mutation::MakeFolder(which, name)),
        (which.clone(), any::<u8>()).prop_map(|(which, name)| Mutation::MakeLink(which, name)),
        (which.clone(), which.clone()).prop_map(|(from, to)| Mutation::MakeSecondName(from, to)),
        (which.clone(), 0..0o1000_u32).prop_map(|(which, mode)| Mutation::Chmod(which, mode)),
        (which, any::<u8>()).prop_map(|(which, byte)| Mutation::Forge(which, byte)),
    ]
}

/// Applies a mutation if it is possible. Many are not, such as writing to a folder.
fn apply(mutation: &Mutation, root: &Path) -> std::io::Result<()> {
    let paths = paths(root);
    let chosen = |number: usize| paths[number % paths.len()].as_path();
    match mutation {
        Mutation::Write(which, bytes) => fs::write(chosen(*which), bytes),
        Mutation::Append(which, byte) => {
            let file = fs::OpenOptions::new().write(true).open(chosen(*which))?;
            file.write_all_at(&[*byte], file.metadata()?.len())
        }
        Mutation::Resize(which, size) => fs::OpenOptions::new().write(true).open(chosen(*which))?.set_len(*size),
        Mutation::Remove(which) if chosen(*which) == root => Ok(()),
        Mutation::Remove(which) => remove::tree(chosen(*which)),
        Mutation::Rename(from, _) if chosen(*from) == root => Ok(()),
        Mutation::Rename(from, to) => fs::rename(chosen(*from), chosen(*to)),
        Mutation::MakeFile(which, name) => fs::write(chosen(*which).join(name.to_string()), "new"),
        Mutation::MakeFolder(which, name) => fs::create_dir(chosen(*which).join(name.to_string())),
        Mutation::MakeLink(which, name) => symlink("/etc", chosen(*which).join(name.to_string())),
        Mutation::MakeSecondName(from, to) => {
            let _ = fs::remove_file(chosen(*to));
            fs::hard_link(chosen(*from), chosen(*to))
        }
        Mutation::Chmod(which, _) if chosen(*which).is_symlink() => Ok(()),
        Mutation::Chmod(which, mode) => fs::set_permissions(chosen(*which), Permissions::from_mode(*mode)),
        Mutation::Forge(which, byte) => {
            let file = fs::OpenOptions::new().write(true).open(chosen(*which))?;
            let modified = file.metadata()?.modified()?;
            let size = usize::try_from(file.metadata()?.len()).unwrap_or_default();
            file.write_all_at(&vec![*byte; size], 0)?;
            file.set_modified(modified)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_reset_makes_a_changed_copy_equal_to_its_original(
        rounds in prop::collection::vec(prop::collection::vec(mutation(), 0..12), 1..4)
    ) {
        let mut trees = Trees::new();
        for mutations in &rounds {
            let used = Trees::now();
            for mutation in mutations {
                let _ = apply(mutation, &trees.copy());
            }
            trees.reset(used);
            trees.assert_equal();
        }
    }
}

#[test]
fn a_reset_of_an_untouched_copy_writes_nothing() {
    let mut trees = Trees::new();
    std::thread::sleep(std::time::Duration::from_millis(40));
    assert_eq!(trees.reset(Trees::now()), Outcome::Untouched);
}

#[test]
fn a_file_that_was_copied_within_a_clock_tick_of_the_start_is_restored() {
    let mut trees = Trees::new();
    assert_eq!(trees.reset(Trees::now()), Outcome::Restored);
    trees.assert_equal();
}

#[test]
fn without_trust_every_file_is_restored_whatever_its_stamp_says() {
    let mut trees = Trees::new();
    // As after a crash of the machine: the content is lost, but the stamps are not.
    let path = trees.copy().join("version");
    fs::write(&path, "??\n").unwrap();
    for entry in trees.entries.iter_mut().filter(|entry| entry.path == b"version") {
        entry.stamp = Stamp::of(&rustix::fs::stat(&path).unwrap());
    }
    assert_eq!(trees.reset(Trust::Nothing), Outcome::Restored);
    trees.assert_equal();
}

#[test]
fn a_reset_overwrites_files_in_place() {
    let mut trees = Trees::new();
    let path = trees.copy().join("wal/large");
    let inode = fs::metadata(&path).unwrap().ino();
    fs::write(&path, "changed").unwrap();
    trees.reset(Trees::now());
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
    trees.assert_equal();
}

#[test]
fn a_file_with_two_names_is_not_written_through_the_wrong_one() {
    let mut trees = Trees::new();
    let (one, two) = (trees.copy().join("base/1/a"), trees.copy().join("base/2/a"));
    fs::remove_file(&two).unwrap();
    fs::hard_link(&one, &two).unwrap();
    trees.reset(Trees::now());
    trees.assert_equal();
    assert_ne!(fs::metadata(&one).unwrap().ino(), fs::metadata(&two).unwrap().ino());
}

#[test]
fn a_reset_does_not_follow_links_out_of_the_tree() {
    let mut trees = Trees::new();
    let outside = trees.folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("a"), "mine").unwrap();
    fs::remove_dir_all(trees.copy().join("base/1")).unwrap();
    symlink(&outside, trees.copy().join("base/1")).unwrap();
    fs::remove_file(trees.copy().join("version")).unwrap();
    symlink(outside.join("a"), trees.copy().join("version")).unwrap();
    trees.reset(Trees::now());
    trees.assert_equal();
    assert_eq!(fs::read_to_string(outside.join("a")).unwrap(), "mine");
}
