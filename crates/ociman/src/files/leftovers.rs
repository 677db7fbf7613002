//! Files and folders whose hidden names tell which process is making or removing them, and what is left of these when that
//! process has gone.

use std::fs::DirEntry;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::remove;
use crate::process::{ProcessIdentity, boot_id};

/// After this a hidden entry of a maker that can't be seen from here is taken for a leftover.
const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// A path in `parent` that nobody else uses. Its name is hidden, and tells whose it is: once that process has gone,
/// what stands there is a leftover.
#[must_use]
pub fn temporary(parent: &Path) -> PathBuf {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let maker = ProcessIdentity::current();
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    parent.join(format!(".{}-{}-{}-{number}", process_space(), maker.pid, maker.start))
}

/// Names the processes that this one can see: those of this boot of this machine and of the same name space. The state
/// folder may be seen by others too, over a network or from inside a container.
fn process_space() -> &'static str {
    static SPACE: OnceLock<String> = OnceLock::new();
    SPACE.get_or_init(|| {
        let space = std::fs::metadata("/proc/self/ns/pid").map_or(0, |space| space.ino());
        let boot = boot_id().get(..8).unwrap_or_default();
        format!("{boot}{space}")
    })
}

/// Removes what processes that have gone left in a folder under names of [`temporary`].
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

/// As [`sweep`], in a folder that other users can write to as well: only what belongs to this user goes.
pub(crate) fn sweep_own(folder: &Path) {
    let user = rustix::process::geteuid().as_raw();
    sweep_if(folder, |entry| entry.metadata().is_ok_and(|metadata| metadata.uid() == user));
}

/// How many entries [`sweep`] would remove.
#[must_use]
pub fn count_leftovers(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| is_leftover(name, entry))).count()
}

/// Whether what stands under a hidden name has lost its maker. Of one that can't be seen from here this is assumed after
/// a day.
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
