//! The manifest of a slot: the entries that its tree must contain, with the stamp that each file had when it was right.
//! The format is a small binary one, because the manifest is read and written between two tests.

use std::io;
use std::path::Path;

use super::entry::{Entry, EntryKind, Stamp};
use crate::error::HostError;
use crate::host::folder;

const MAGIC: &[u8; 8] = b"ociman1\n";
const FOLDER: u8 = 0;
const FILE: u8 = 1;
const LINK: u8 = 2;

/// Reads a manifest. Returns `None` if there is none, or only an incomplete one.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<Entry>>, HostError> {
    match crate::files::read(path) {
        Ok(bytes) => Ok(decode(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(HostError::file("read", path)(error)),
    }
}

/// Overwrites a manifest. If the write is cut short, each stamp is an old one, a new one or none at all. That does no
/// harm: a file with a wrong stamp is only restored once more.
pub(crate) fn write(path: &Path, entries: &[Entry]) -> Result<(), HostError> {
    folder::overwrite_private(path, &encode(entries))
}

/// Encodes entries as the bytes of a manifest.
pub(crate) fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16 + entries.len() * 96);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&(entries.len() as u64).to_le_bytes());
    for entry in entries {
        let (tag, size, target): (u8, u64, &[u8]) = match &entry.kind {
            EntryKind::Folder => (FOLDER, 0, &[]),
            EntryKind::File { size } => (FILE, *size, &[]),
            EntryKind::Link { target } => (LINK, 0, target),
        };
        bytes.push(tag);
        for number in [entry.mode, entry.uid, entry.gid] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&size.to_le_bytes());
        bytes.extend_from_slice(&entry.stamp.inode.to_le_bytes());
        bytes.extend_from_slice(&entry.stamp.modified.to_le_bytes());
        bytes.extend_from_slice(&entry.stamp.changed.to_le_bytes());
        for text in [entry.path.as_slice(), target] {
            bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
            bytes.extend_from_slice(text);
        }
    }
    bytes
}

/// Decodes the bytes of a manifest; `None` if they are not a complete one.
pub(crate) fn decode(bytes: &[u8]) -> Option<Vec<Entry>> {
    let mut reader = Reader { rest: bytes.strip_prefix(MAGIC)? };
    let count = usize::try_from(reader.u64()?).ok()?;
    // No entry takes fewer bytes than this. The limit keeps a wrong count from allocating all memory.
    let mut entries = Vec::with_capacity(count.min(bytes.len() / 61));
    for _ in 0..count {
        entries.push(reader.entry()?);
    }
    reader.rest.is_empty().then_some(entries)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn entry(&mut self) -> Option<Entry> {
        let tag = self.array::<1>()?[0];
        let (mode, uid, gid) = (self.u32()?, self.u32()?, self.u32()?);
        let size = self.u64()?;
        let stamp = Stamp {
            inode: self.u64()?,
            modified: i64::from_le_bytes(self.array()?),
            changed: i64::from_le_bytes(self.array()?),
        };
        let path = self.text()?.to_vec();
        let target = self.text()?.to_vec();
        let kind = match tag {
            FOLDER => EntryKind::Folder,
            FILE => EntryKind::File { size },
            LINK => EntryKind::Link { target },
            _ => return None,
        };
        Some(Entry { path, kind, mode, uid, gid, stamp })
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u64()?).ok()?;
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(text)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<Entry> {
        let stamp = Stamp { inode: 7, modified: -1, changed: i64::MAX };
        let entry = |path: &[u8], kind| Entry { path: path.to_vec(), kind, mode: 0o700, uid: 1, gid: 2, stamp };
        vec![
            entry(b"", EntryKind::Folder),
            entry(b"a", EntryKind::File { size: 5 }),
            entry(b"\xff", EntryKind::Link { target: b"a".to_vec() }),
        ]
    }

    #[test]
    fn a_manifest_reads_back_as_it_was_written() {
        assert_eq!(decode(&encode(&sample())), Some(sample()));
    }

    #[test]
    fn a_cut_or_foreign_manifest_is_none() {
        let bytes = encode(&sample());
        for end in 0..bytes.len() {
            assert_eq!(decode(&bytes[..end]), None, "cut at {end}");
        }
        assert_eq!(decode(b"something else"), None);
        assert_eq!(decode(&[&bytes[..], b"x"].concat()), None);
    }
}
