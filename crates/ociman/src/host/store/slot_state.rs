//! The state of a slot, in its file `state`. The file is overwritten in place, because on some file systems, creating a
//! file is what costs most between two tests. A state that can't be read is treated as the worst one.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::error::HostError;
use crate::host::folder;
use crate::host::tree::entry::now;
use crate::host::tree::reset::Trust;
use crate::process::boot_id;

/// The length of the file in bytes. All states have the same length, so that no state leaves the end of a longer one in
/// the file.
const LENGTH: usize = 1024;

/// The state of a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SlotState {
    /// The size of its files in bytes, as in the image.
    pub(crate) size: u64,
    /// The boot of the machine in which the state was written. After a crash of the machine, no file can be trusted.
    boot: String,
    usage: Usage,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Usage {
    /// The slot has the content of the image.
    Clean,
    /// A container uses the slot, or used it and never released it.
    Used {
        container: String,
        /// Nanoseconds since the epoch, taken before the container's processes were started.
        since: i64,
    },
    /// The slot may contain anything.
    Unknown,
}

impl SlotState {
    pub(crate) fn clean(size: u64) -> Self {
        Self { size, boot: boot_id().to_owned(), usage: Usage::Clean }
    }

    /// Returns the state of a slot that a container uses from now on.
    pub(crate) fn used(size: u64, container: &str) -> Self {
        let usage = Usage::Used { container: container.to_owned(), since: now() };
        Self { size, boot: boot_id().to_owned(), usage }
    }

    /// Returns the state of a slot that is being changed: nothing is known of its files.
    pub(crate) fn unknown(size: u64) -> Self {
        Self { size, boot: boot_id().to_owned(), usage: Usage::Unknown }
    }

    /// Returns the same state for a container that has been renamed.
    pub(crate) fn of_container(mut self, name: &str) -> Self {
        if let Usage::Used { container, .. } = &mut self.usage {
            name.clone_into(container);
        }
        self
    }

    /// Reads the state of a slot.
    pub(crate) fn read(slot: &Path) -> Self {
        let known = crate::files::read(&path(slot)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        known.unwrap_or(Self { size: 0, boot: String::new(), usage: Usage::Unknown })
    }

    pub(crate) fn write(&self, slot: &Path) -> Result<(), HostError> {
        let path = path(slot);
        let mut json = serde_json::to_vec(self).map_err(HostError::file("write", &path))?;
        json.resize(LENGTH.max(json.len()), b' ');
        folder::overwrite_private(&path, &json)
    }

    /// Returns `true` if the slot can be used as it is.
    pub(crate) fn is_clean(&self) -> bool {
        self.usage == Usage::Clean && self.boot == boot_id()
    }

    /// Returns the container that uses the slot or used it last.
    pub(crate) fn container(&self) -> Option<&str> {
        match &self.usage {
            Usage::Used { container, .. } => Some(container),
            Usage::Clean | Usage::Unknown => None,
        }
    }

    /// Returns how far the slot's manifest can be trusted.
    pub(crate) fn trust(&self) -> Trust {
        match self.usage {
            Usage::Used { since, .. } if self.boot == boot_id() => Trust::Stamps { used: since },
            _ => Trust::Nothing,
        }
    }
}

/// Returns when the state of a slot was last written.
pub(crate) fn written(slot: &Path) -> Option<SystemTime> {
    std::fs::metadata(path(slot)).and_then(|file| file.modified()).ok()
}

fn path(slot: &Path) -> PathBuf {
    slot.join("state")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_reads_back_and_a_shorter_one_replaces_a_longer_one() {
        let slot = tempfile::tempdir().unwrap();
        let used = SlotState::used(7, &"x".repeat(255));
        used.write(slot.path()).unwrap();
        assert_eq!(SlotState::read(slot.path()), used);
        let clean = SlotState::clean(7);
        clean.write(slot.path()).unwrap();
        assert_eq!(SlotState::read(slot.path()), clean);
        assert!(clean.is_clean());
    }

    #[test]
    fn a_slot_without_a_state_or_from_another_boot_is_not_trusted() {
        let slot = tempfile::tempdir().unwrap();
        let unknown = SlotState::read(slot.path());
        assert!(!unknown.is_clean());
        assert_eq!(unknown.trust(), Trust::Nothing);
        let other_boot = SlotState { boot: "another".to_owned(), ..SlotState::clean(1) };
        assert!(!other_boot.is_clean());
        let other_boot = SlotState { boot: "another".to_owned(), ..SlotState::used(1, "x") };
        assert_eq!(other_boot.trust(), Trust::Nothing);
    }
}
