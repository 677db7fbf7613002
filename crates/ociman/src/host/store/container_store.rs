//! The containers of a state folder: `containers/<name>/{config.json, process, log}`, with their root in a slot that
//! `process` names or in `root/`. A name is taken by renaming a complete folder to it, and whoever changes a container
//! holds the lock on its folder: one that stands there without lock and without process is a leftover.

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

/// A container, as it was when it was looked at.
#[derive(Debug)]
pub(crate) struct StoredContainer {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) record: ContainerRecord,
    /// Its last start; `None` when it was never about to be.
    pub(crate) start: Option<StartRecord>,
    slots: PathBuf,
}

/// A container that nobody else changes meanwhile.
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

    /// Takes a name for a container that is about to be started.
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

    /// The container of this name, without waiting for whoever may be changing it.
    pub(crate) fn find(&self, name: &ContainerName) -> Result<StoredContainer, CommandError> {
        self.load(&self.containers.join(name.as_str()))?.ok_or_else(|| not_found(name))
    }

    /// The container of this name for changing it, after whoever else does.
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

    /// Gives a container another name, running or not.
    pub(crate) fn rename(&self, name: &ContainerName, to: &ContainerName) -> Result<(), CommandError> {
        let container = self.lock(name)?;
        let place = self.containers.join(to.as_str());
        let taken = || CommandError::NameTaken { name: to.to_string() };
        if place.exists() && !sweep_leftover(&place) {
            return Err(taken());
        }
        // A slot is found to be in use by the name of its container, so it must know the new one first.
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

    /// All containers, in the order of their names.
    pub(crate) fn list(&self) -> Result<Vec<StoredContainer>, HostError> {
        let mut containers = Vec::new();
        for path in folder::visible_entries(&self.containers) {
            if sweep_leftover(&path) {
                continue;
            }
            match self.load(&path) {
                Ok(found) => containers.extend(found),
                // One odd container must not spoil a listing.
                Err(error @ HostError::Malformed { .. }) => tracing::warn!(%error, "a container can't be read"),
                Err(error) => return Err(error),
            }
        }
        Ok(containers)
    }

    /// The slot that a container has, running or not, from the folder of the slots.
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
    /// Where it is in its life.
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

    /// Whether its process has ended, and its starter is there and has yet to write down how.
    pub(crate) fn awaits_status(&self) -> bool {
        let start = self.start.as_ref().filter(|_| self.state() == ContainerState::Exited);
        start.is_some_and(|start| start.exit.is_none() && start.starter.is_alive())
    }

    /// The process of its last start.
    pub(crate) fn leader(&self) -> Option<ProcessIdentity> {
        self.start.as_ref()?.leader
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The folder of its slot, if it has one.
    pub(crate) fn slot(&self) -> Option<PathBuf> {
        Some(self.slots.join(self.start.as_ref()?.slot.as_ref()?))
    }

    /// Where its files are.
    pub(crate) fn root_path(&self) -> PathBuf {
        self.slot().unwrap_or_else(|| self.folder.clone()).join("root")
    }

    /// How the processes of its last start are recognised.
    pub(crate) fn held_root(&self, root: &OwnedFd) -> Result<HeldRoot, HostError> {
        let copy = root.try_clone().map_err(HostError::file("look at", &self.root_path()))?;
        let metadata = File::from(copy).metadata().map_err(HostError::file("look at", &self.root_path()))?;
        let descriptor = self.start.as_ref().map_or(-1, |start| start.descriptor);
        Ok(HeldRoot { descriptor, device: metadata.dev(), inode: metadata.ino() })
    }
}

impl LockedContainer {
    /// The log for writing at its end.
    pub(crate) fn open_log(&self) -> Result<File, HostError> {
        let path = self.log_path();
        log::open(&path).map_err(HostError::file("open log", &path))
    }

    /// Writes down that it is about to be started, on this root, and gives the file that the start is written to.
    pub(crate) fn announce_start(&mut self, root: &OwnedFd, slot: Option<&Path>) -> Result<File, HostError> {
        let slot = slot.and_then(|slot| slot.strip_prefix(&self.slots).ok()?.to_str().map(str::to_owned));
        let has_run = self.start.as_ref().is_some_and(StartRecord::has_run);
        let start = StartRecord::announce(root.as_raw_fd(), slot, has_run);
        let (draft, path) = (self.folder.join("process.draft"), self.folder.join("process"));
        // Another file than that of an earlier start, whose end may still be about to be written there. It takes the other
        // one's place at once: without a file the container would be taken for one that never ran.
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

    /// Makes it disappear at once and gives back what remains of its folder, to be removed.
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
    // Nobody sees the folder yet, so the file need not appear at once.
    folder::overwrite_private(&path, &serde_json::to_vec(record).map_err(HostError::file("write", &path))?)?;
    Ok(lock)
}

fn read_start(container: &Path) -> Option<StartRecord> {
    StartRecord::parse(&crate::files::read_to_string(&container.join("process")).ok()?)
}

fn has_run(container: &Path) -> bool {
    read_start(container).is_some_and(|start| start.has_run())
}

/// Removes a container whose maker died before its process was started for the first time. Whether it did.
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
