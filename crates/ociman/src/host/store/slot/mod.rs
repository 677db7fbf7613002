//! Slots: working copies of images' roots, in `slots/<image id>/<slot>/{root/, manifest, state}`. A slot is kept after
//! use and reset to the content of the image, which is far cheaper than a new copy.
//!
//! The user of a slot has its root open with a lock on it that all of the user's processes inherit. So a slot can be
//! taken exactly when the last of these processes has ended. The state then determines how to reset the slot.

mod convert;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::error::HostError;
use crate::files::leftovers;
use crate::host::folder::{self, StateFolder};
use crate::host::lockable::Lockable;
use crate::host::store::container_store::ContainerStore;
use crate::host::store::image::ImageRecord;
use crate::host::store::image_store::{ImageRoot, ImageStore};
use crate::host::store::slot_state::{self, SlotState};
use crate::host::tree::entry::{Entry, by_path, survey, total_size};
use crate::host::tree::reset::{Outcome, Trust, reset};
use crate::host::tree::{copy, manifest};

/// The size in bytes from which on copying a slot takes long enough to avoid it.
const LARGE: u64 = 64 << 20;

/// How many slots are kept, and how large they may be together. By default, 8 for each image, 16 in total, 8 GiB,
/// and 1 GiB for those that no container uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotLimits {
    /// The maximum number of slots of one image.
    pub per_image: usize,
    /// The maximum number of slots of all images.
    pub total: usize,
    /// The maximum total size of the files of all slots, in bytes.
    pub bytes: u64,
    /// The maximum total size of the files of slots that no container uses, in bytes. The slot that was used last is kept
    /// whatever its size.
    pub idle_bytes: u64,
}

impl Default for SlotLimits {
    fn default() -> Self {
        Self { per_image: 8, total: 16, bytes: 8 << 30, idle_bytes: 1 << 30 }
    }
}

/// One slot in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotInfo {
    /// The folder of the slot.
    pub path: PathBuf,
    /// The ID of the image of which the slot is a copy.
    pub image_id: String,
    /// The size of its files in bytes, as in the image.
    pub size: u64,
    /// When the slot was last taken or released.
    pub last_used: SystemTime,
    /// Whether a container has the slot now.
    pub in_use: bool,
    /// Whether the slot has the content of its image.
    pub(crate) is_clean: bool,
}

/// A locked slot: no other process uses it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) folder: PathBuf,
    /// The root of the slot, locked.
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

    /// Returns a slot with the content of the image, for a container, or `None` if the image no longer exists.
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
            // A free slot may be locked for a moment by a process that examines it, or by a forked child that has not
            // executed its program yet.
            if !found.locked || attempt == 3 {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.make(&folder, image, container)
    }

    /// Resets a slot to the content of its image and keeps it. If the image no longer exists or there are enough slots,
    /// removes the slot instead. No process may be using it any more.
    pub(crate) fn release(&self, slot: Slot) -> Result<(), HostError> {
        let image = slot.image_id().to_owned();
        let siblings = folder::visible_entries(&self.slots.join(&image)).len();
        let original = self.images.open_root(&image)?;
        match original {
            Some(original) if siblings <= self.limits.per_image => {
                let state = SlotState::read(&slot.folder);
                self.limit_idle(state.size)?;
                // Copying much takes long, and the slot may next be used for another image.
                if state.size >= LARGE && changed_size(&slot, &state)? >= LARGE {
                    Ok(())
                } else {
                    restore(&slot, &original, &state)
                }
            }
            _ => discard(&slot.folder),
        }
    }

    /// Removes the slots that have been idle for longest, until one more idle slot of this size is within the limit.
    fn limit_idle(&self, size: u64) -> Result<(), HostError> {
        let mut idle: Vec<SlotInfo> = self.list().into_iter().filter(|slot| !slot.in_use).collect();
        idle.sort_by_key(|slot| slot.last_used);
        let mut bytes = idle.iter().map(|slot| slot.size).sum::<u64>().saturating_add(size);
        for slot in idle {
            if bytes <= self.limits.idle_bytes {
                break;
            }
            if self.remove_idle(&slot.path)? {
                bytes = bytes.saturating_sub(slot.size);
            }
        }
        Ok(())
    }

    /// Returns all slots.
    pub(crate) fn list(&self) -> Vec<SlotInfo> {
        let images = folder::visible_entries(&self.slots);
        let folders = images.iter().flat_map(|image| folder::visible_entries(image));
        folders.filter_map(|folder| self.describe(&folder)).collect()
    }

    /// Removes slots that no container has: those of images that no longer exist, and of the others those that `choose`
    /// selects. Returns the removed slots.
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

    /// Removes the slots of an image that no longer exists. Slots in use are removed when they are released.
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
            // Another process may have used the slot before it was locked.
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

    /// Returns `true` if a container that still exists, running or stopped, has the slot.
    fn is_owned(&self, slot: &Path, state: &SlotState) -> bool {
        let owned = state.container().and_then(|container| self.containers.slot_of(container));
        owned.is_some_and(|owned| self.slots.join(owned) == slot)
    }

    fn make(&self, folder: &Path, image: &ImageRecord, container: &str) -> Result<Option<Slot>, HostError> {
        let Some(original) = self.images.open_root(&image.id)? else {
            return Ok(None);
        };
        if image.size >= LARGE
            && let Some(slot) = self.convert(folder, &original)?
        {
            return slot.mark_used(image, container).map(Some);
        }
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

    /// Removes the slots that have been idle for longest, until one more slot of this size is within the limits.
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

    /// Removes a slot unless a container or another process uses it. Returns `true` if it was removed.
    fn remove_idle(&self, path: &Path) -> Result<bool, HostError> {
        let Some(_slot) = Slot::lock(path) else {
            // A slot without a root is what remains of a container that became an image.
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
        let is_clean = state.is_clean();
        Some(SlotInfo { path: path.to_owned(), image_id, size: state.size, last_used, in_use, is_clean })
    }
}

#[derive(Default)]
struct Found {
    clean: Option<Slot>,
    dirty: Option<(Slot, SlotState)>,
    /// Whether some slots are locked although no container has them.
    locked: bool,
}

impl Slot {
    /// Locks a slot that no process uses.
    fn lock(path: &Path) -> Option<Self> {
        let root = Lockable::open_root(&path.join("root")).ok()?;
        // The slot may have been removed, or created again, before it was locked.
        (root.try_lock() && folder::leads_to(&path.join("root"), &root)).then(|| Self { folder: path.to_owned(), root })
    }

    fn mark_used(self, image: &ImageRecord, container: &str) -> Result<Self, HostError> {
        SlotState::used(image.size, container).write(&self.folder)?;
        Ok(self)
    }

    fn image_id(&self) -> &str {
        image_id_of(&self.folder)
    }
}

fn image_id_of(slot: &Path) -> &str {
    slot.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default()
}

/// Removes a slot, and also the folder of its image's slots if it was the last one.
pub(crate) fn discard(slot: &Path) -> Result<(), HostError> {
    folder::discard(slot)?;
    if let Some(image) = slot.parent() {
        // This succeeds only if the folder is empty, and only then should it be removed.
        let _ = std::fs::remove_dir(image);
    }
    Ok(())
}

/// Returns the total size of the files that resetting a slot would copy, in bytes.
fn changed_size(slot: &Slot, state: &SlotState) -> Result<u64, HostError> {
    let (Trust::Stamps { used }, Some(known)) = (state.trust(), manifest::read(&slot.folder.join("manifest"))?) else {
        return Ok(state.size);
    };
    let found = survey(&slot.root).map_err(HostError::file("read slot", &slot.folder))?;
    let found = by_path(&found);
    let is_changed = |entry: &&Entry| {
        let now = found.get(entry.path.as_slice());
        !now.is_some_and(|now| entry.is_unchanged(&now.facts(), used))
    };
    Ok(known.iter().filter(is_changed).map(Entry::size).sum())
}

/// Resets a slot to the content of its image and marks it as clean.
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
    convert::settle(&entries);
    tracing::debug!(files = entries.len(), bytes = total_size(&entries), "made a slot");
    manifest::write(&draft.join("manifest"), &entries)?;
    Ok(Slot { folder: draft.to_owned(), root })
}
