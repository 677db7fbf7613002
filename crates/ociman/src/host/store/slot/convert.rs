//! Slots and other images than their own: finds the image with which a commit can share files, and turns an idle slot of
//! one image into a slot of another image.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{LARGE, Slot, SlotPool, image_id_of};
use crate::error::HostError;
use crate::host::folder;
use crate::host::store::image_store::ImageRoot;
use crate::host::store::last_commit::LastCommit;
use crate::host::store::slot_state::SlotState;
use crate::host::tree::entry::{CLOCK_SLACK, Entry, EntryKind, by_path, now, survey, total_size};
use crate::host::tree::manifest;
use crate::host::tree::reset::{Trust, reset};

impl SlotPool {
    /// Turns an idle slot of another image into one of this image, whose files the other image shares. Only the files
    /// that differ are copied.
    pub(super) fn convert(&self, folder: &Path, original: &ImageRoot) -> Result<Option<Slot>, HostError> {
        let failed = |source: io::Error| HostError::file("read images for", folder)(source);
        let mut entries = survey(&original.root).map_err(failed)?;
        let idle = self.list().into_iter().filter(|slot| !slot.in_use && self.slots.join(&slot.image_id) != *folder);
        let mut best: Option<(u64, PathBuf)> = None;
        for slot in idle {
            let Some(other) = self.images.open_root(&slot.image_id)? else { continue };
            let shared = shared_size(&entries, &survey(&other.root).map_err(failed)?);
            // A clean slot is ready for the next start from its own image, so it is only taken if that saves much.
            let is_worth_it = shared > 0 && (!slot.is_clean || shared >= total_size(&entries) / 2);
            if is_worth_it && best.as_ref().is_none_or(|(most, _)| shared > *most) {
                best = Some((shared, slot.path));
            }
        }
        let Some((_, path)) = best else { return Ok(None) };
        let Some(slot) = Slot::lock(&path) else { return Ok(None) };
        let state = SlotState::read(&path);
        let used = match state.trust() {
            Trust::Stamps { used } => used,
            Trust::Nothing if state.is_clean() => now(),
            Trust::Nothing => return Ok(None),
        };
        if self.is_owned(&path, &state) {
            return Ok(None);
        }
        let Some(other) = self.images.open_root(slot.image_id())? else { return Ok(None) };
        let Some(known) = manifest::read(&path.join("manifest"))? else { return Ok(None) };
        take_stamps(&mut entries, &survey(&other.root).map_err(failed)?, &known);
        tracing::debug!(slot = %path.display(), "turns a slot into one of another image");
        SlotState::unknown(state.size).write(&path)?;
        let reset = reset(&slot.root, &original.root, &mut entries, Trust::Stamps { used });
        reset.map_err(|source| HostError::file("reset slot", &path)(source))?;
        manifest::write(&path.join("manifest"), &entries)?;
        folder::make_private(folder)?;
        let place = folder.join(path.file_name().unwrap_or_default());
        folder::rename_new(&path, &place).map_err(HostError::file("make slot", &place))?;
        if let Some(emptied) = path.parent() {
            // This succeeds only if the folder is empty, and only then should it be removed.
            let _ = std::fs::remove_dir(emptied);
        }
        settle(&entries);
        Ok(Some(Slot { folder: place, ..slot }))
    }

    /// Returns an image that a slot was equal to, and how the slot's files looked then: the last one that was committed
    /// from it, or else the one of which it is a copy.
    pub(crate) fn equal_image(&self, slot: &Path) -> Result<Option<EqualImage>, HostError> {
        if let Some(LastCommit { image_id, entries, used }) = LastCommit::read(slot)
            && let Some(image) = self.images.open_root(&image_id)?
        {
            return Ok(Some(EqualImage { image, entries, used }));
        }
        let Trust::Stamps { used } = SlotState::read(slot).trust() else { return Ok(None) };
        let Some(entries) = manifest::read(&slot.join("manifest"))? else { return Ok(None) };
        let image = self.images.open_root(image_id_of(slot))?;
        Ok(image.map(|image| EqualImage { image, entries, used }))
    }
}

/// An image that a slot was equal to at some time.
#[derive(Debug)]
pub(crate) struct EqualImage {
    pub(crate) image: ImageRoot,
    /// The files of the slot at that time.
    pub(crate) entries: Vec<Entry>,
    /// Processes can write to the slot since then, in nanoseconds since the epoch.
    pub(crate) used: i64,
}

/// Returns the total size of the files that two images share, in bytes.
fn shared_size(entries: &[Entry], others: &[Entry]) -> u64 {
    let others = by_path(others);
    entries.iter().filter(|entry| is_shared(entry, &others)).map(Entry::size).sum()
}

/// Returns `true` if another image has the same file, not an equal copy of it, at the same path.
fn is_shared(entry: &Entry, others: &HashMap<&[u8], &Entry>) -> bool {
    let other = others.get(entry.path.as_slice());
    matches!(entry.kind, EntryKind::File { .. }) && other.is_some_and(|other| other.stamp.inode == entry.stamp.inode)
}

/// Gives the entries of an image the stamps of a slot's files, for files that the slot has from another image and that
/// both images share. The other entries get no stamp, so that the slot's files are written again.
fn take_stamps(entries: &mut [Entry], others: &[Entry], known: &[Entry]) {
    let (others, known) = (by_path(others), by_path(known));
    for entry in entries {
        let known = known.get(entry.path.as_slice()).filter(|_| is_shared(entry, &others));
        entry.stamp = known.map(|known| known.stamp).unwrap_or_default();
    }
}

/// Waits until changes of these files, which have just been written, can be told from those that processes make from
/// now on. For a small slot, writing its files again is faster.
pub(super) fn settle(entries: &[Entry]) {
    let newest = entries.iter().filter(|entry| entry.size() >= LARGE / 8).map(|entry| entry.stamp.changed).max();
    let left = newest.map_or(0, |newest| newest.saturating_add(CLOCK_SLACK + 1).saturating_sub(now()));
    if let Ok(left) = u64::try_from(left) {
        std::thread::sleep(Duration::from_nanos(left.min(CLOCK_SLACK.unsigned_abs())));
    }
}
