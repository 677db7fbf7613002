//! A folder for the temporary files of one Podman command. Podman removes its own temporary files, but if it is killed,
//! nothing shows whose they are. The name of this folder identifies the process that created it.

use std::fs::DirBuilder;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::files::{leftovers, remove};
use crate::process::Status;

/// A folder that is removed when the value is dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Creates a folder. Returns `None` if it can't be created, or if Podman would look for its own state in it.
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

/// Removes the folders that killed processes of this user left behind. A Podman command goes on when the process that
/// started it is killed, and without its temporary files it would fail halfway: a commit would leave the container paused.
pub(crate) fn sweep() {
    parent().iter().for_each(|parent| leftovers::sweep_own(parent, |folder| !is_in_use(folder)));
}

/// Returns `true` if a process has this folder as its folder for temporary files.
fn is_in_use(folder: &Path) -> bool {
    let variable = [b"TMPDIR=", folder.as_os_str().as_bytes()].concat();
    let has_variable = |status: &Status| {
        // A process that has ended, or belongs to another user, has no environment that can be read.
        let environment = std::fs::read(format!("/proc/{}/environ", status.pid)).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|found| found == variable)
    };
    Status::all().iter().any(has_variable)
}

/// Returns the folder in which Podman puts large temporary files, or `None` if `TMPDIR` must not be changed: without a
/// runtime folder, a Podman without root privileges looks for its state below `TMPDIR`.
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
    fn a_folder_is_removed_on_drop_and_that_of_a_killed_process_by_the_next_sweep() {
        let Some(scratch) = Scratch::new() else { return };
        let path = scratch.path().to_owned();
        std::fs::write(path.join("storage1"), "x").unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut parts: Vec<_> = name.split('-').collect();
        // This ID is larger than any that the system assigns.
        parts[1] = "4194305";
        let dead = path.with_file_name(parts.join("-"));
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join("buildah1"), "x").unwrap();
        #[cfg(target_os = "linux")]
        {
            // The command that the killed process had started still runs.
            let mut command = std::process::Command::new("sleep").arg("600").env("TMPDIR", &dead).spawn().unwrap();
            sweep();
            let is_kept = dead.join("buildah1").exists();
            command.kill().unwrap();
            command.wait().unwrap();
            assert!(is_kept);
        }
        sweep();
        assert!(path.join("storage1").exists() && !dead.exists());
        drop(scratch);
        assert!(!path.exists());
    }
}
