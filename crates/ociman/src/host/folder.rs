//! The state folder: where things lie in it, and how files and folders appear in it and go from it, so that
//! whoever looks sees a whole one or none. Knows nothing of what they hold.

use std::fs::{DirBuilder, DirEntry, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, RenameFlags};

use super::process::{ProcessIdentity, boot_id};
use super::{HostError, remove};

/// After this a hidden entry of a maker that can't be seen from here is taken for a leftover.
const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// The state folder of a host backend.
#[derive(Debug, Clone)]
pub(super) struct StateFolder {
    path: PathBuf,
}

impl StateFolder {
    pub(super) fn new(path: PathBuf) -> Self {
        // Processes start in other folders, so the path must hold everywhere.
        let path = std::path::absolute(&path).unwrap_or(path);
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn containers(&self) -> PathBuf {
        self.path.join("containers")
    }

    pub(super) fn images(&self) -> PathBuf {
        self.path.join("images")
    }

    pub(super) fn image_names(&self) -> PathBuf {
        self.path.join("names")
    }

    pub(super) fn slots(&self) -> PathBuf {
        self.path.join("slots")
    }

    /// Makes what is not there yet, closed to other users.
    pub(super) fn ensure(&self) -> Result<(), HostError> {
        if self.slots().is_dir() {
            return Ok(());
        }
        for folder in [self.path.clone(), self.containers(), self.images(), self.image_names(), self.slots()] {
            make_private(&folder)?;
        }
        Ok(())
    }

    /// How much a sweep would remove. Names of images are left out.
    pub(super) fn leftovers(&self) -> usize {
        let slots = visible_entries(&self.slots());
        let folders = [self.containers(), self.images(), self.slots()].into_iter().chain(slots);
        folders.map(|folder| count_leftovers(&folder)).sum()
    }

    /// Removes what calls that were killed have left half made or half removed.
    pub(super) fn sweep(&self) {
        for folder in [self.containers(), self.images(), self.slots()] {
            sweep(&folder);
        }
        for image in visible_entries(&self.slots()) {
            sweep(&image);
        }
        sweep_below(&self.image_names());
    }
}

/// Makes a folder and its parents, mode 0700.
pub(super) fn make_private(folder: &Path) -> Result<(), HostError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(HostError::file("make folder", folder))
}

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

fn sweep_below(folder: &Path) {
    sweep(folder);
    for entry in visible_entries(folder).iter().filter(|entry| !entry.is_symlink()) {
        sweep_below(entry);
    }
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

/// The entries of a folder that are neither half made nor half removed, in the order of their names.
pub(super) fn visible_entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
}

/// Makes a folder disappear at once and then removes what was in it.
pub(super) fn discard(folder: &Path) -> Result<(), HostError> {
    let parent = folder.parent().unwrap_or(folder);
    let hidden = temporary(parent);
    match std::fs::rename(folder, &hidden) {
        Ok(()) => remove::tree(&hidden).map_err(HostError::file("remove folder", folder)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(HostError::file("remove folder", folder)(error)),
    }
}

/// Renames, but never onto something that is there.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some file systems can't; then a folder is still only renamed onto an empty one, and ours never are.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            std::fs::rename(from, to).map_err(|error| match error.kind() {
                io::ErrorKind::DirectoryNotEmpty => io::ErrorKind::AlreadyExists.into(),
                _ => error,
            })
        }
        other => Ok(other?),
    }
}

/// Writes a value as JSON, as [`write_private`] does.
pub(super) fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), HostError> {
    write_private(path, &serde_json::to_vec(value).map_err(HostError::file("write", path))?)
}

/// Writes a file that only this user can read, whole or not at all.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), HostError> {
    let hidden = temporary(path.parent().unwrap_or(path));
    let write = || -> io::Result<()> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&hidden)?.write_all(bytes)?;
        std::fs::rename(&hidden, path)
    };
    write().map_err(|error| {
        // It is most likely not even there.
        let _ = std::fs::remove_file(&hidden);
        HostError::file("write", path)(error)
    })
}

/// Writes a file that only this user can read over what it held. Whoever reads meanwhile may see some of both, and a
/// process that is killed may leave that.
pub(super) fn overwrite_private(path: &Path, bytes: &[u8]) -> Result<(), HostError> {
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.set_len(bytes.len() as u64)
    };
    write().map_err(HostError::file("write", path))
}

/// Opens a folder for use as a place.
pub(super) fn open(folder: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(rustix::fs::open(folder, flags, Mode::empty())?)
}

/// Whether a path still leads to this open folder.
pub(super) fn leads_to(path: &Path, folder: &OwnedFd) -> bool {
    match (rustix::fs::lstat(path), rustix::fs::fstat(folder)) {
        (Ok(named), Ok(open)) => named.st_ino == open.st_ino && named.st_dev == open.st_dev,
        _ => false,
    }
}

/// A fresh identifier: 64 hexadecimal digits that nobody else has.
pub(super) fn fresh_id() -> Result<String, HostError> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0_u8; 32];
    std::fs::File::open(source)
        .and_then(|mut file| io::Read::read_exact(&mut file, &mut bytes))
        .map_err(HostError::file("read", source))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
