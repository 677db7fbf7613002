//! A folder for the temporary files of one of Podman's commands. Podman removes its own, unless it is killed; then nobody
//! knows whose they are. The name of this folder tells which process made it.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::files::{leftovers, remove};

/// A folder that goes with its value.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// `None` where there is no place for one, or where Podman would look for its own state in it.
    pub(super) fn new() -> Option<Self> {
        let path = leftovers::temporary(&parent()?);
        DirBuilder::new().mode(0o700).create(&path).ok()?;
        Some(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove::tree_best_effort(&self.path);
    }
}

/// Removes the folders that killed processes of this user left.
pub(crate) fn sweep() {
    parent().iter().for_each(|parent| leftovers::sweep_own(parent));
}

/// Where Podman puts large temporary files. Without a runtime folder, a Podman that runs without root's rights looks for
/// its state below `TMPDIR`.
fn parent() -> Option<PathBuf> {
    let given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if !rustix::process::geteuid().is_root() && given("XDG_RUNTIME_DIR").is_none() {
        return None;
    }
    Some(given("TMPDIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_value_and_that_of_a_killed_process_with_the_next_sweep() {
        let Some(scratch) = Scratch::new() else { return };
        let path = scratch.path().to_owned();
        std::fs::write(path.join("storage1"), "x").unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut parts: Vec<_> = name.split('-').collect();
        // Nobody's process has this number.
        parts[1] = "4194305";
        let dead = path.with_file_name(parts.join("-"));
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join("buildah1"), "x").unwrap();
        sweep();
        assert!(path.join("storage1").exists() && !dead.exists());
        drop(scratch);
        assert!(!path.exists());
    }
}
