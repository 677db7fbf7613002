//! Slots: working copies of images' roots that are kept after use and put back to what the image holds, which is far
//! cheaper than a fresh copy. `slots/<image id>/<slot>/{root/, manifest, state}`.
//!
//! Whoever uses a slot has its root open with a lock on it that all its processes inherit, so a slot can be taken
//! exactly when the last of them has gone. The state says what to do with it then.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::container_store::ContainerStore;
use super::image::ImageRecord;
use super::image_store::{ImageRoot, ImageStore};
use super::slot_state::{self, SlotState};
use crate::error::HostError;
use crate::files::leftovers;
use crate::host::folder::{self, StateFolder};
use crate::host::lockable::Lockable;
use crate::host::tree::entry::{survey, total_size};
use crate::host::tree::reset::{Outcome, Trust, reset};
use crate::host::tree::{copy, manifest};

/// How many slots are kept, and how large they may be together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotLimits {
    /// Slots of one image.
    pub per_image: usize,
    /// Slots of all images.
    pub total: usize,
    /// Bytes in the files of all slots.
    pub bytes: u64,
}

impl Default for SlotLimits {
    fn default() -> Self {
        Self { per_image: 8, total: 16, bytes: 8 << 30 }
    }
}

/// One slot of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotInfo {
    /// Where it stands.
    pub path: PathBuf,
    /// The image it is a copy of.
    pub image_id: String,
    /// Bytes in its files, as of its image.
    pub size: u64,
    /// When it was last taken or given back.
    pub last_used: SystemTime,
    /// Whether a container has it now.
    pub in_use: bool,
}

/// A slot that is held: nobody else has a process in it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) folder: PathBuf,
    /// Its root, locked.
    pub(crate) root: Lockable,
}

#[derive(Debug, Clone)]
pub(crate) struct SlotPool {
    state: StateFolder,
    slots: PathBuf,
    containers: ContainerStore,
    images: ImageStore,
    limits: SlotLimits,
}

impl SlotPool {
    pub(crate) fn new(state: &StateFolder, limits: SlotLimits) -> Self {
        Self {
            state: state.clone(),
            slots: state.slots(),
            containers: ContainerStore::new(state),
            images: ImageStore::new(state),
            limits,
        }
    }

    /// A slot that holds what the image holds, for a container; `None` when the image has gone.
    pub(crate) fn take(&self, image: &ImageRecord, container: &str) -> Result<Option<Slot>, HostError> {
        let folder = self.slots.join(&image.id);
        for attempt in 0.. {
            let found = self.find_free(&folder);
            if let Some(slot) = found.clean {
                return slot.mark_used(image, container).map(Some);
            }
            if let Some((slot, state)) = found.dirty {
                let Some(original) = self.images.open_root(&image.id)? else {
                    return Ok(None);
                };
                restore(&slot, &original, &state)?;
                return slot.mark_used(image, container).map(Some);
            }
            // A free one may be locked for a moment, by somebody who looks at it or by a child about to be executed.
            if !found.locked || attempt == 3 {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.make(&folder, image, container)
    }

    /// Puts a slot back to what its image holds and keeps it, or removes it when the image has gone or there are
    /// enough. No process may be using it any more.
    pub(crate) fn release(&self, slot: Slot) -> Result<(), HostError> {
        let image = slot.image_id().to_owned();
        let siblings = folder::visible_entries(&self.slots.join(&image)).len();
        let original = self.images.open_root(&image)?;
        match original {
            Some(original) if siblings <= self.limits.per_image => {
                restore(&slot, &original, &SlotState::read(&slot.folder))
            }
            _ => discard(&slot.folder),
        }
    }

    /// All slots.
    pub(crate) fn list(&self) -> Vec<SlotInfo> {
        let images = folder::visible_entries(&self.slots);
        let folders = images.iter().flat_map(|image| folder::visible_entries(image));
        folders.filter_map(|folder| self.describe(&folder)).collect()
    }

    /// Removes slots that no container has: those of images that are gone, and of the others those that `choose` says.
    pub(crate) fn prune(&self, mut choose: impl FnMut(&SlotInfo) -> bool) -> Result<Vec<SlotInfo>, HostError> {
        let mut removed = Vec::new();
        for slot in self.list() {
            let unwanted = !self.images.exists(&slot.image_id) || choose(&slot);
            if unwanted && !slot.in_use && self.remove_idle(&slot.path)? {
                removed.push(slot);
            }
        }
        Ok(removed)
    }

    /// Removes the slots of an image that has gone; those in use go when they are given back.
    pub(crate) fn forget_image(&self, id: &str) -> Result<(), HostError> {
        let image = self.slots.join(id);
        for slot in folder::visible_entries(&image) {
            self.remove_idle(&slot)?;
        }
        Ok(())
    }

    fn find_free(&self, image: &Path) -> Found {
        let mut found = Found::default();
        for path in folder::visible_entries(image) {
            let state = SlotState::read(&path);
            if self.is_owned(&path, &state) {
                continue;
            }
            let Some(slot) = Slot::lock(&path) else {
                found.locked = true;
                continue;
            };
            // Another may have had it between the look and the lock.
            let state = SlotState::read(&path);
            if self.is_owned(&path, &state) {
                continue;
            }
            if state.is_clean() {
                found.clean = Some(slot);
                return found;
            }
            found.dirty.get_or_insert((slot, state));
        }
        found
    }

    /// Whether a container that is still there, running or stopped, has the slot.
    fn is_owned(&self, slot: &Path, state: &SlotState) -> bool {
        let owned = state.container().and_then(|container| self.containers.slot_of(container));
        owned.is_some_and(|owned| self.slots.join(owned) == slot)
    }

    fn make(&self, folder: &Path, image: &ImageRecord, container: &str) -> Result<Option<Slot>, HostError> {
        let Some(original) = self.images.open_root(&image.id)? else {
            return Ok(None);
        };
        self.state.sweep();
        self.make_room(image.size)?;
        folder::make_private(folder)?;
        let draft = leftovers::temporary(folder);
        let place = folder.join(draft.file_name().unwrap_or_default().to_string_lossy().trim_start_matches('.'));
        let made = copy_into(&draft, &original).and_then(|slot| slot.mark_used(image, container)).and_then(|slot| {
            match folder::rename_new(&draft, &place) {
                Ok(()) => Ok(Slot { folder: place.clone(), ..slot }),
                Err(error) => Err(HostError::file("make slot", &place)(error)),
            }
        });
        if made.is_err() {
            crate::files::remove::tree_best_effort(&draft);
        }
        made.map(Some)
    }

    /// Removes the slots that were idle for longest, until one more of this size keeps to the limits.
    fn make_room(&self, size: u64) -> Result<(), HostError> {
        let mut slots = self.list();
        slots.sort_by_key(|slot| slot.last_used);
        let mut count = slots.len() + 1;
        let mut bytes = slots.iter().map(|slot| slot.size).sum::<u64>().saturating_add(size);
        for slot in slots {
            if count <= self.limits.total && bytes <= self.limits.bytes {
                break;
            }
            if !slot.in_use && self.remove_idle(&slot.path)? {
                count -= 1;
                bytes = bytes.saturating_sub(slot.size);
            }
        }
        Ok(())
    }

    /// Removes a slot unless a container or another process has it.
    fn remove_idle(&self, path: &Path) -> Result<bool, HostError> {
        let Some(_slot) = Slot::lock(path) else {
            // One without a root is half of a container that became an image.
            return if path.join("root").exists() { Ok(false) } else { discard(path).map(|()| true) };
        };
        if self.is_owned(path, &SlotState::read(path)) {
            return Ok(false);
        }
        discard(path).map(|()| true)
    }

    fn describe(&self, path: &Path) -> Option<SlotInfo> {
        let state = SlotState::read(path);
        let last_used = slot_state::written(path)?;
        let image_id = path.parent()?.file_name()?.to_str()?.to_owned();
        let in_use = self.is_owned(path, &state) || Slot::lock(path).is_none();
        Some(SlotInfo { path: path.to_owned(), image_id, size: state.size, last_used, in_use })
    }
}

#[derive(Default)]
struct Found {
    clean: Option<Slot>,
    dirty: Option<(Slot, SlotState)>,
    /// Some are locked, though no container has them.
    locked: bool,
}

impl Slot {
    /// Takes hold of a slot that nobody has a process in.
    fn lock(path: &Path) -> Option<Self> {
        let root = Lockable::open_root(&path.join("root")).ok()?;
        // It may have been removed, or made again, before the lock was there.
        (root.try_lock() && folder::leads_to(&path.join("root"), &root)).then(|| Self { folder: path.to_owned(), root })
    }

    fn mark_used(self, image: &ImageRecord, container: &str) -> Result<Self, HostError> {
        SlotState::used(image.size, container).write(&self.folder)?;
        Ok(self)
    }

    fn image_id(&self) -> &str {
        self.folder.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default()
    }
}

/// Removes a slot, and the folder of its image's slots with the last of them.
pub(crate) fn discard(slot: &Path) -> Result<(), HostError> {
    folder::discard(slot)?;
    if let Some(image) = slot.parent() {
        // Works only when it is empty, which is when it should go.
        let _ = std::fs::remove_dir(image);
    }
    Ok(())
}

/// Makes a slot hold what its image holds and marks it clean.
fn restore(slot: &Slot, original: &ImageRoot, state: &SlotState) -> Result<(), HostError> {
    let path = slot.folder.join("manifest");
    let failed = |source: io::Error| HostError::file("reset slot", &slot.folder)(source);
    let known = match state.trust() {
        Trust::Stamps { .. } => manifest::read(&path)?,
        Trust::Nothing => None,
    };
    let (mut entries, trust) = match known {
        Some(entries) => (entries, state.trust()),
        None => (survey(&original.root).map_err(failed)?, Trust::Nothing),
    };
    if reset(&slot.root, &original.root, &mut entries, trust).map_err(failed)? == Outcome::Restored {
        manifest::write(&path, &entries)?;
    }
    SlotState::clean(total_size(&entries)).write(&slot.folder)
}

fn copy_into(draft: &Path, original: &ImageRoot) -> Result<Slot, HostError> {
    let root = draft.join("root");
    folder::make_private(&root)?;
    let failed = |source: io::Error| HostError::file("copy image to", draft)(source);
    let root = Lockable::open(&root).map_err(failed)?;
    if !root.try_lock() {
        return Err(failed(io::ErrorKind::WouldBlock.into()));
    }
    let entries = copy::tree(&original.root, &root).map_err(failed)?;
    tracing::debug!(files = entries.len(), bytes = total_size(&entries), "made a slot");
    manifest::write(&draft.join("manifest"), &entries)?;
    Ok(Slot { folder: draft.to_owned(), root })
}
