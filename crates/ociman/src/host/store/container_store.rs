//! The containers of a state folder: `containers/<name>/{config.json, process, log}`. The root of a container is in the
//! slot that `process` names, or in `root/`. A name is claimed by renaming a complete folder to it, and a process that
//! changes a container holds the lock on its folder. So a container that is not locked and has never had a process is a
//! leftover.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::container_record::ContainerRecord;
use super::log;
use super::slot_state::SlotState;
use crate::error::HostError;
use crate::files::{leftovers, remove};
use crate::host::folder::{self, StateFolder};
use crate::host::lockable::Lockable;
use crate::host::process::members::HeldRoot;
use crate::host::process::start_record::StartRecord;
use crate::process::ProcessIdentity;
use crate::{CommandError, ContainerName, ContainerState};

#[derive(Debug, Clone)]
pub(crate) struct ContainerStore {
    containers: PathBuf,
    slots: PathBuf,
}

/// A container, as it was when it was read.
#[derive(Debug)]
pub(crate) struct StoredContainer {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) record: ContainerRecord,
    /// The last start; `None` if no start was ever announced.
    pub(crate) start: Option<StartRecord>,
    slots: PathBuf,
}

/// A container that no other process changes meanwhile.
#[derive(Debug)]
pub(crate) struct LockedContainer {
    container: StoredContainer,
    lock: Lockable,
}

impl std::ops::Deref for LockedContainer {
    type Target = StoredContainer;

    fn deref(&self) -> &StoredContainer {
        &self.container
    }
}

impl ContainerStore {
    pub(crate) fn new(state: &StateFolder) -> Self {
        Self { containers: state.containers(), slots: state.slots() }
    }

    /// Claims a name for a container that is about to be started.
    pub(crate) fn claim(&self, name: &ContainerName, record: ContainerRecord) -> Result<LockedContainer, CommandError> {
        let place = self.containers.join(name.as_str());
        let taken = || CommandError::NameTaken { name: name.to_string() };
        if place.exists() && !sweep_leftover(&place) {
            return Err(taken());
        }
        let draft = leftovers::temporary(&self.containers);
        let claimed = prepare(&draft, &record).and_then(|lock| match folder::rename_new(&draft, &place) {
            Ok(()) => Ok(lock),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(taken()),
            Err(error) => Err(HostError::file("make container", &place)(error).into()),
        });
        let lock = claimed.inspect_err(|_| remove::tree_best_effort(&draft))?;
        let container =
            StoredContainer { name: name.to_string(), folder: place, record, start: None, slots: self.slots.clone() };
        Ok(LockedContainer { container, lock })
    }

    /// Returns the container with this name, without waiting for a process that may be changing it.
    pub(crate) fn find(&self, name: &ContainerName) -> Result<StoredContainer, CommandError> {
        self.load(&self.containers.join(name.as_str()))?.ok_or_else(|| not_found(name))
    }

    /// Locks the container with this name for a change, after any other process that changes it.
    pub(crate) fn lock(&self, name: &ContainerName) -> Result<LockedContainer, CommandError> {
        let path = self.containers.join(name.as_str());
        loop {
            let lock = match Lockable::open(&path) {
                Ok(lock) => lock,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(not_found(name)),
                Err(error) => return Err(HostError::file("open container", &path)(error).into()),
            };
            lock.lock().map_err(HostError::file("lock container", &path))?;
            if !folder::leads_to(&path, &lock) {
                continue;
            }
            return match self.load(&path)? {
                Some(container) => Ok(LockedContainer { container, lock }),
                None => Err(not_found(name)),
            };
        }
    }

    /// Renames a container, running or not.
    pub(crate) fn rename(&self, name: &ContainerName, to: &ContainerName) -> Result<(), CommandError> {
        let container = self.lock(name)?;
        let place = self.containers.join(to.as_str());
        let taken = || CommandError::NameTaken { name: to.to_string() };
        if place.exists() && !sweep_leftover(&place) {
            return Err(taken());
        }
        // The name of its container shows that a slot is in use, so the slot must have the new name first.
        let slot = container.slot();
        let belongs_to = |name: &ContainerName| match &slot {
            Some(slot) => SlotState::read(slot).of_container(name.as_str()).write(slot),
            None => Ok(()),
        };
        belongs_to(to)?;
        match folder::rename_new(&container.folder, &place) {
            Ok(()) => Ok(()),
            Err(error) => {
                belongs_to(name)?;
                match error.kind() {
                    io::ErrorKind::AlreadyExists => Err(taken()),
                    _ => Err(HostError::file("rename container", &container.folder)(error).into()),
                }
            }
        }
    }

    /// Returns all containers, ordered by name.
    pub(crate) fn list(&self) -> Result<Vec<StoredContainer>, HostError> {
        let mut containers = Vec::new();
        for path in folder::visible_entries(&self.containers) {
            if sweep_leftover(&path) {
                continue;
            }
            match self.load(&path) {
                Ok(found) => containers.extend(found),
                // One damaged container must not make a listing fail.
                Err(error @ HostError::Malformed { .. }) => tracing::warn!(%error, "a container can't be read"),
                Err(error) => return Err(error),
            }
        }
        Ok(containers)
    }

    /// Returns the slot of a container, running or not, relative to the folder of the slots.
    pub(crate) fn slot_of(&self, name: &str) -> Option<String> {
        read_start(&self.containers.join(name))?.slot
    }

    fn load(&self, path: &Path) -> Result<Option<StoredContainer>, HostError> {
        let config = path.join("config.json");
        let bytes = match crate::files::read(&config) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(HostError::file("read", &config)(error)),
        };
        let record = serde_json::from_slice(&bytes).map_err(|source| HostError::Malformed { path: config, source })?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let start = read_start(path);
        Ok(Some(StoredContainer { name, folder: path.to_owned(), record, start, slots: self.slots.clone() }))
    }
}

impl StoredContainer {
    /// Returns the state of the container.
    pub(crate) fn state(&self) -> ContainerState {
        match &self.start {
            Some(start) if start.is_running() => ContainerState::Running,
            Some(start) if start.has_run() => ContainerState::Exited,
            _ => ContainerState::Created,
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.state() == ContainerState::Running
    }

    /// Returns `true` if the container's process has ended, and its starter is alive but has not recorded yet how it
    /// ended.
    pub(crate) fn awaits_status(&self) -> bool {
        let start = self.start.as_ref().filter(|_| self.state() == ContainerState::Exited);
        start.is_some_and(|start| start.exit.is_none() && start.starter.is_alive())
    }

    /// Returns the process of the last start.
    pub(crate) fn leader(&self) -> Option<ProcessIdentity> {
        self.start.as_ref()?.leader
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Returns the folder of the container's slot, or `None` if it has none.
    pub(crate) fn slot(&self) -> Option<PathBuf> {
        Some(self.slots.join(self.start.as_ref()?.slot.as_ref()?))
    }

    /// Returns the folder with the container's files.
    pub(crate) fn root_path(&self) -> PathBuf {
        self.slot().unwrap_or_else(|| self.folder.clone()).join("root")
    }

    /// Returns by what the processes of the last start are recognised.
    pub(crate) fn held_root(&self, root: &OwnedFd) -> Result<HeldRoot, HostError> {
        let copy = root.try_clone().map_err(HostError::file("look at", &self.root_path()))?;
        let metadata = File::from(copy).metadata().map_err(HostError::file("look at", &self.root_path()))?;
        let descriptor = self.start.as_ref().map_or(-1, |start| start.descriptor);
        Ok(HeldRoot { descriptor, device: metadata.dev(), inode: metadata.ino() })
    }
}

impl LockedContainer {
    /// Opens the log for appending.
    pub(crate) fn open_log(&self) -> Result<File, HostError> {
        let path = self.log_path();
        log::open(&path).map_err(HostError::file("open log", &path))
    }

    /// Records that the container is about to be started on this root, and returns the file to which the start is
    /// written.
    pub(crate) fn announce_start(&mut self, root: &OwnedFd, slot: Option<&Path>) -> Result<File, HostError> {
        let slot = slot.and_then(|slot| slot.strip_prefix(&self.slots).ok()?.to_str().map(str::to_owned));
        let has_run = self.start.as_ref().is_some_and(StartRecord::has_run);
        let start = StartRecord::announce(root.as_raw_fd(), slot, has_run);
        let (draft, path) = (self.folder.join("process.draft"), self.folder.join("process"));
        // This is a new file, because the end of an earlier start may still be about to be written to the old one. It
        // replaces the old file at once: a container without the file would look as if it had never run.
        let write = || -> io::Result<File> {
            remove::tree(&draft)?;
            let mut file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&draft)?;
            file.write_all(start.announcement().as_bytes())?;
            std::fs::rename(&draft, &path)?;
            Ok(file)
        };
        let file = write().map_err(HostError::file("write", &path))?;
        self.container.start = Some(start);
        Ok(file)
    }

    /// Makes the container disappear at once, and returns the remaining folder, which the caller must remove.
    pub(crate) fn hide(self) -> Result<PathBuf, HostError> {
        let hidden = leftovers::temporary(self.folder.parent().unwrap_or(&self.folder));
        std::fs::rename(&self.folder, &hidden).map_err(HostError::file("remove container", &self.folder))?;
        drop(self.lock);
        Ok(hidden)
    }
}

fn prepare(draft: &Path, record: &ContainerRecord) -> Result<Lockable, CommandError> {
    folder::make_private(draft)?;
    let lock = Lockable::open(draft).map_err(HostError::file("open container", draft))?;
    lock.lock().map_err(HostError::file("lock container", draft))?;
    let path = draft.join("config.json");
    // No other process sees the folder yet, so the file need not appear at once.
    folder::overwrite_private(&path, &serde_json::to_vec(record).map_err(HostError::file("write", &path))?)?;
    Ok(lock)
}

fn read_start(container: &Path) -> Option<StartRecord> {
    StartRecord::parse(&crate::files::read_to_string(&container.join("process")).ok()?)
}

fn has_run(container: &Path) -> bool {
    read_start(container).is_some_and(|start| start.has_run())
}

/// Removes a container whose creator died before the container's process was started for the first time. Returns `true`
/// if the container was removed.
fn sweep_leftover(container: &Path) -> bool {
    if has_run(container) {
        return false;
    }
    let Ok(lock) = Lockable::open(container) else { return false };
    let leftover = lock.try_lock() && folder::leads_to(container, &lock) && !has_run(container);
    leftover && folder::discard(container).is_ok()
}

fn not_found(name: &ContainerName) -> CommandError {
    CommandError::ContainerNotFound { container: name.to_string() }
}
