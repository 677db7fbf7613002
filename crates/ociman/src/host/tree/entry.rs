//! The content of a tree of files, as a list of [`Entry`]s in which a folder comes before its content. Files, folders
//! and symbolic links are listed. Sockets, pipes and devices have no content to keep and are left out.

use std::collections::HashMap;
use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;
use std::time::SystemTime;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, RawMode, Stat};

/// One file, folder or symbolic link of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The path relative to the root of the tree. The root itself has the empty path.
    pub(crate) path: Vec<u8>,
    pub(crate) kind: EntryKind,
    /// Permission bits.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) stamp: Stamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EntryKind {
    Folder,
    File { size: u64 },
    Link { target: Vec<u8> },
}

/// Metadata that can't stay the same when a file's content, name or permissions change, because only the system sets
/// the time of change. Meaningless for folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stamp {
    pub(crate) inode: u64,
    /// Nanoseconds since the epoch.
    pub(crate) modified: i64,
    /// Nanoseconds since the epoch.
    pub(crate) changed: i64,
}

impl Stamp {
    #[allow(clippy::unnecessary_cast, reason = "the types differ between systems")]
    pub(crate) fn of(stat: &Stat) -> Self {
        let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            inode: stat.st_ino as u64,
            modified: nanoseconds(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            changed: nanoseconds(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        }
    }
}

/// A clock of the file system may be this much behind, in nanoseconds: two of the longest timer ticks.
pub(crate) const CLOCK_SLACK: i64 = 20_000_000;

/// The metadata by which a change of a file or symbolic link is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    size: u64,
    mode: u32,
    uid: u32,
    gid: u32,
    pub(crate) stamp: Stamp,
}

impl Facts {
    pub(crate) fn of(stat: &Stat) -> Self {
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        let size = if is_file { u64::try_from(stat.st_size).unwrap_or_default() } else { 0 };
        Self { size, mode: permissions(stat), uid: stat.st_uid, gid: stat.st_gid, stamp: Stamp::of(stat) }
    }
}

/// Returns the time now, in nanoseconds since the epoch.
pub(crate) fn now() -> i64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX)
}

impl Entry {
    /// Returns `true` if a file or symbolic link with the metadata `now` has not changed since it was as this entry
    /// describes. Processes can write to it since `used`, in nanoseconds since the epoch. A file that was last changed
    /// just before that counts as changed, because two changes within one tick of the clock look like one.
    pub(crate) fn is_unchanged(&self, now: &Facts, used: i64) -> bool {
        self.facts() == *now && now.stamp.changed < used.saturating_sub(CLOCK_SLACK)
    }

    pub(crate) fn facts(&self) -> Facts {
        Facts { size: self.size(), mode: self.mode, uid: self.uid, gid: self.gid, stamp: self.stamp }
    }

    /// Returns the path for system calls, relative to the open root.
    pub(crate) fn place(&self) -> &[u8] {
        place(&self.path)
    }

    pub(crate) fn size(&self) -> u64 {
        match self.kind {
            EntryKind::File { size } => size,
            EntryKind::Folder | EntryKind::Link { .. } => 0,
        }
    }
}

/// Returns the path for system calls, for a path relative to the open root.
pub(crate) fn place(path: &[u8]) -> &[u8] {
    if path.is_empty() { b"." } else { path }
}

/// Returns the path of an entry of a folder.
pub(crate) fn join(folder: &[u8], name: &CStr) -> Vec<u8> {
    let name = name.to_bytes();
    let mut path = Vec::with_capacity(folder.len() + 1 + name.len());
    if !folder.is_empty() {
        path.extend_from_slice(folder);
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// Returns the permission bits of a file.
#[allow(clippy::useless_conversion, reason = "the type differs between systems")]
pub(crate) fn permissions(stat: &Stat) -> u32 {
    u32::from(stat.st_mode) & 0o7777
}

/// Returns the mode with these permission bits.
#[allow(clippy::unnecessary_cast, reason = "the type differs between systems")]
pub(crate) fn mode(permissions: u32) -> Mode {
    Mode::from_raw_mode(permissions as RawMode)
}

/// Returns all entries of a tree, the root first.
pub(crate) fn survey(root: &OwnedFd) -> io::Result<Vec<Entry>> {
    let stat = rustix::fs::fstat(root)?;
    let mut entries = vec![entry(Vec::new(), EntryKind::Folder, &stat)];
    survey_folder(root, &[], &mut entries)?;
    Ok(entries)
}

fn survey_folder(root: &OwnedFd, path: &[u8], entries: &mut Vec<Entry>) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(root, place(path), flags, Mode::empty())?;
    for item in Dir::read_from(&folder)? {
        let item = item?;
        let name = item.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let stat = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let path = join(path, name);
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                entries.push(entry(path.clone(), EntryKind::Folder, &stat));
                survey_folder(root, &path, entries)?;
            }
            FileType::RegularFile => {
                let size = u64::try_from(stat.st_size).unwrap_or_default();
                entries.push(entry(path, EntryKind::File { size }, &stat));
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(&folder, name, Vec::new())?.into_bytes();
                entries.push(entry(path, EntryKind::Link { target }, &stat));
            }
            _ => {}
        }
    }
    Ok(())
}

fn entry(path: Vec<u8>, kind: EntryKind, stat: &Stat) -> Entry {
    Entry { path, kind, mode: permissions(stat), uid: stat.st_uid, gid: stat.st_gid, stamp: Stamp::of(stat) }
}

/// Returns the entries by their paths.
pub(crate) fn by_path(entries: &[Entry]) -> HashMap<&[u8], &Entry> {
    entries.iter().map(|entry| (entry.path.as_slice(), entry)).collect()
}

/// Returns the total size of all files, in bytes.
pub(crate) fn total_size(entries: &[Entry]) -> u64 {
    entries.iter().map(Entry::size).sum()
}
