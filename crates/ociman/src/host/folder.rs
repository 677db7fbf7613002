//! The state folder: its layout, and how files and folders are created and removed in it, so that other processes see
//! either a whole entry or none. Knows nothing of what the entries contain.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, RenameFlags};

use crate::error::HostError;
use crate::files::{leftovers, remove};

/// The state folder of a host backend.
#[derive(Debug, Clone)]
pub(crate) struct StateFolder {
    path: PathBuf,
}

impl StateFolder {
    pub(crate) fn new(path: PathBuf) -> Self {
        // Processes start in other folders, so the path must be absolute.
        let path = std::path::absolute(&path).unwrap_or(path);
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn containers(&self) -> PathBuf {
        self.path.join("containers")
    }

    pub(crate) fn images(&self) -> PathBuf {
        self.path.join("images")
    }

    pub(crate) fn image_names(&self) -> PathBuf {
        self.path.join("names")
    }

    pub(crate) fn slots(&self) -> PathBuf {
        self.path.join("slots")
    }

    /// Creates the folders that don't exist yet, closed to other users.
    pub(crate) fn ensure(&self) -> Result<(), HostError> {
        if self.slots().is_dir() {
            return Ok(());
        }
        for folder in [self.path.clone(), self.containers(), self.images(), self.image_names(), self.slots()] {
            make_private(&folder)?;
        }
        Ok(())
    }

    /// Returns how many entries [`StateFolder::sweep`] would remove, not counting names of images.
    pub(crate) fn leftovers(&self) -> usize {
        let slots = visible_entries(&self.slots());
        let folders = [self.containers(), self.images(), self.slots()].into_iter().chain(slots);
        folders.map(|folder| leftovers::count_leftovers(&folder)).sum()
    }

    /// Removes the half-made and half-removed entries that killed calls left behind.
    pub(crate) fn sweep(&self) {
        for folder in [self.containers(), self.images(), self.slots()] {
            leftovers::sweep(&folder);
        }
        for image in visible_entries(&self.slots()) {
            leftovers::sweep(&image);
        }
        sweep_below(&self.image_names());
    }
}

/// Creates a folder and its parents with mode 0700.
pub(crate) fn make_private(folder: &Path) -> Result<(), HostError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(HostError::file("make folder", folder))
}

fn sweep_below(folder: &Path) {
    leftovers::sweep(folder);
    for entry in visible_entries(folder).iter().filter(|entry| !entry.is_symlink()) {
        sweep_below(entry);
    }
}

/// Returns the entries of a folder that are neither half made nor half removed, ordered by name.
pub(crate) fn visible_entries(folder: &Path) -> Vec<PathBuf> {
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

/// Makes a folder disappear at once, and then removes its content.
pub(crate) fn discard(folder: &Path) -> Result<(), HostError> {
    let parent = folder.parent().unwrap_or(folder);
    let hidden = leftovers::temporary(parent);
    match std::fs::rename(folder, &hidden) {
        Ok(()) => remove::tree(&hidden).map_err(HostError::file("remove folder", folder)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(HostError::file("remove folder", folder)(error)),
    }
}

/// Renames a file or folder, but never replaces an existing one.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some file systems don't support this. A plain rename of a folder replaces only an empty folder, and ours are
        // never empty.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            std::fs::rename(from, to).map_err(|error| match error.kind() {
                io::ErrorKind::DirectoryNotEmpty => io::ErrorKind::AlreadyExists.into(),
                _ => error,
            })
        }
        other => Ok(other?),
    }
}

/// Writes a value as JSON, in the same way as [`write_private`].
pub(crate) fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), HostError> {
    write_private(path, &serde_json::to_vec(value).map_err(HostError::file("write", path))?)
}

/// Writes a file that only this user can read, completely or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), HostError> {
    let hidden = leftovers::temporary(path.parent().unwrap_or(path));
    let write = || -> io::Result<()> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&hidden)?.write_all(bytes)?;
        std::fs::rename(&hidden, path)
    };
    write().map_err(|error| {
        // The hidden file most likely does not even exist.
        let _ = std::fs::remove_file(&hidden);
        HostError::file("write", path)(error)
    })
}

/// Overwrites a file that only this user can read. A process that reads it meanwhile may see a mixture of old and new
/// content, and a process that is killed while it writes may leave such a mixture.
pub(crate) fn overwrite_private(path: &Path, bytes: &[u8]) -> Result<(), HostError> {
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.set_len(bytes.len() as u64)
    };
    write().map_err(HostError::file("write", path))
}

/// Opens a folder to which paths can be relative.
pub(crate) fn open(folder: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(rustix::fs::open(folder, flags, Mode::empty())?)
}

/// Returns `true` if `path` still refers to this open folder.
pub(crate) fn leads_to(path: &Path, folder: &OwnedFd) -> bool {
    match (rustix::fs::lstat(path), rustix::fs::fstat(folder)) {
        (Ok(named), Ok(open)) => named.st_ino == open.st_ino && named.st_dev == open.st_dev,
        _ => false,
    }
}

/// Returns a new unique ID of 64 hexadecimal digits.
pub(crate) fn fresh_id() -> Result<String, HostError> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0_u8; 32];
    std::fs::File::open(source)
        .and_then(|mut file| io::Read::read_exact(&mut file, &mut bytes))
        .map_err(HostError::file("read", source))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
