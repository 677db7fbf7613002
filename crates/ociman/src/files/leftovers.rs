//! Temporary files and folders. Their hidden names identify the process that is creating or removing them, so that they
//! can be removed once that process has ended.

use std::fs::DirEntry;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::remove;
use crate::process::{ProcessIdentity, boot_id};

/// The age from which a hidden entry counts as a leftover if its maker can't be seen from here.
const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Returns a path in `parent` that nobody else uses. Its name is hidden and identifies the calling process. Once that
/// process has ended, a file or folder at the path is a leftover.
#[must_use]
pub fn temporary(parent: &Path) -> PathBuf {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let maker = ProcessIdentity::current();
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    parent.join(format!(".{}-{}-{}-{number}", process_space(), maker.pid, maker.start))
}

/// Returns a name for the set of processes that this process can see: those of the same boot of this machine and the
/// same PID namespace. Processes outside this set may see the state folder too, over a network or from inside a
/// container.
fn process_space() -> &'static str {
    static SPACE: OnceLock<String> = OnceLock::new();
    SPACE.get_or_init(|| {
        let space = std::fs::metadata("/proc/self/ns/pid").map_or(0, |space| space.ino());
        let boot = boot_id().get(..8).unwrap_or_default();
        format!("{boot}{space}")
    })
}

/// Removes the files and folders with names from [`temporary`] whose process has ended.
pub fn sweep(folder: &Path) {
    sweep_if(folder, |_| true);
}

fn sweep_if(folder: &Path, may_go: impl Fn(&DirEntry) -> bool) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(|name| is_leftover(name, &entry)) && may_go(&entry) {
            tracing::debug!(path = %entry.path().display(), "sweep a leftover");
            remove::tree_best_effort(&entry.path());
        }
    }
}

/// Like [`sweep`], for a folder to which other users can write as well: only removes what belongs to this user and
/// what `may_go` allows.
pub(crate) fn sweep_own(folder: &Path, may_go: impl Fn(&Path) -> bool) {
    let user = rustix::process::geteuid().as_raw();
    let is_own = |entry: &DirEntry| entry.metadata().is_ok_and(|metadata| metadata.uid() == user);
    sweep_if(folder, |entry| is_own(entry) && may_go(&entry.path()));
}

/// Returns the number of entries that [`sweep`] would remove.
#[must_use]
pub fn count_leftovers(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| is_leftover(name, entry))).count()
}

/// Returns `true` if the process that made a hidden entry has ended. A process that can't be seen from here is assumed
/// to have ended after a day.
fn is_leftover(name: &str, entry: &DirEntry) -> bool {
    match name.strip_prefix('.').and_then(maker_of) {
        None => false,
        Some((space, maker)) if space == process_space() => !maker.is_alive(),
        Some(_) => {
            let modified = entry.metadata().and_then(|metadata| metadata.modified()).ok();
            modified.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > LEFTOVER_AGE)
        }
    }
}

fn maker_of(name: &str) -> Option<(&str, ProcessIdentity)> {
    let mut parts = name.split('-');
    let space = parts.next()?;
    let maker = ProcessIdentity { pid: parts.next()?.parse().ok()?, start: parts.next()?.parse().ok()? };
    Some((space, maker))
}
