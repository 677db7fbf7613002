//! The last image that was committed from a slot, and how the slot's files looked then, in its file `committed`. The
//! next commit shares the files that have not changed since.

use std::path::{Path, PathBuf};

use crate::error::HostError;
use crate::host::folder;
use crate::host::tree::entry::Entry;
use crate::host::tree::manifest;
use crate::process::boot_id;

/// An image whose content a slot had at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LastCommit {
    pub(crate) image_id: String,
    /// The files of the slot at that time.
    pub(crate) entries: Vec<Entry>,
    /// Processes can write to the slot since then, in nanoseconds since the epoch.
    pub(crate) used: i64,
}

impl LastCommit {
    /// Reads the last commit of a slot; `None` if there is none of this boot of the machine.
    pub(crate) fn read(slot: &Path) -> Option<Self> {
        let bytes = crate::files::read(&path(slot)).ok()?;
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let (head, entries) = bytes.split_at_checked(end)?;
        let mut words = std::str::from_utf8(head).ok()?.split(' ');
        let (boot, image_id, used) = (words.next()?, words.next()?, words.next()?.parse().ok()?);
        let entries = manifest::decode(entries.get(1..)?)?;
        (boot == boot_id()).then(|| Self { image_id: image_id.to_owned(), entries, used })
    }

    /// Writes this as the last commit of a slot. If that is cut short, the slot has none.
    pub(crate) fn write(&self, slot: &Path) -> Result<(), HostError> {
        let mut bytes = format!("{} {} {}\n", boot_id(), self.image_id, self.used).into_bytes();
        bytes.extend(manifest::encode(&self.entries));
        folder::overwrite_private(&path(slot), &bytes)
    }
}

fn path(slot: &Path) -> PathBuf {
    slot.join("committed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::folder;
    use crate::host::tree::entry::survey;

    #[test]
    fn a_last_commit_reads_back_and_one_that_was_cut_short_is_none() {
        let slot = tempfile::tempdir().unwrap();
        assert_eq!(LastCommit::read(slot.path()), None);
        std::fs::write(slot.path().join("a file"), "content").unwrap();
        let entries = survey(&folder::open(slot.path()).unwrap()).unwrap();
        let commit = LastCommit { image_id: "1f".to_owned(), entries, used: -7 };
        commit.write(slot.path()).unwrap();
        assert_eq!(LastCommit::read(slot.path()), Some(commit));
        let bytes = std::fs::read(path(slot.path())).unwrap();
        for end in 0..bytes.len() {
            std::fs::write(path(slot.path()), &bytes[..end]).unwrap();
            assert_eq!(LastCommit::read(slot.path()), None, "cut at {end}");
        }
    }
}
