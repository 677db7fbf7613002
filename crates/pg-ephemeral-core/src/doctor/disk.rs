//! Checks how much space is left where layers, working copies and images are stored.

use std::path::Path;

use ociman::Kind;

use super::finding::{Area, Finding, Level, Working, nearest};
use crate::state::Folders;

/// The free space, in bytes, below which a single further layer may fill the disk.
const LITTLE: u64 = 1 << 30;

pub(super) async fn examine(folders: &Folders, working: &[Working]) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        at(folders.state(), "the state folder", "remove what is not needed: `pg-ephemeral cache prune`")
            .into_iter()
            .collect();
    for Working { backend, info } in working {
        let storage = info.as_ref().and_then(|info| info.storage.as_deref());
        let name = format!("the storage of {}", backend.kind());
        let advice = match backend.kind() {
            Kind::Docker => "remove what is not needed: `pg-ephemeral cache prune`, `docker system prune`",
            Kind::Podman | Kind::Host => "remove what is not needed: `pg-ephemeral cache prune`, `podman system prune`",
        };
        // The storage of a remote engine can't be seen from this machine.
        let storage = storage.filter(|path| backend.remote_host().is_none() && path.exists());
        findings.extend(storage.and_then(|path| at(path, &name, advice)));
    }
    findings
}

fn at(path: &Path, name: &str, advice: &str) -> Option<Finding> {
    let free = rustix::fs::statvfs(nearest(path)?).ok()?;
    Some(judged(path, name, free.f_bavail.saturating_mul(free.f_frsize), advice))
}

fn judged(path: &Path, name: &str, free: u64, advice: &str) -> Finding {
    let subject = path.display().to_string();
    let tenths = free / (1 << 30) * 10 + free % (1 << 30) * 10 / (1 << 30);
    let message = format!("{}.{} GiB are free in {name}", tenths / 10, tenths % 10);
    match free < LITTLE {
        true => Finding::new(Area::Disk, subject, Level::Warning, message).advice(advice),
        false => Finding::new(Area::Disk, subject, Level::Ok, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_free_space_is_a_warning_with_advice() {
        let little = judged(Path::new("/x"), "the state folder", LITTLE - 1, "tidy up");
        assert_eq!((little.level, little.advice.as_deref()), (Level::Warning, Some("tidy up")));
        assert_eq!(little.message, "0.9 GiB are free in the state folder");
        let ample = judged(Path::new("/x"), "the state folder", 5 * LITTLE / 2, "tidy up");
        assert_eq!((ample.level, ample.message.as_str()), (Level::Ok, "2.5 GiB are free in the state folder"));
    }

    #[test]
    fn a_folder_that_does_not_exist_yet_is_judged_by_its_nearest_parent() {
        let folder = tempfile::tempdir().unwrap();
        assert!(at(&folder.path().join("not/yet"), "x", "y").is_some());
    }
}
