//! Resets a used copy of a tree to its original, in place: unknown entries are removed, changed ones are overwritten,
//! and missing ones are created again. Files that the manifest shows to be untouched are not even opened.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};

use crate::files::remove;
use crate::host::tree::copy;
use crate::host::tree::entry::{Entry, EntryKind, Facts, join, permissions, place};

/// How far the stamps of a manifest are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// A file with an unchanged stamp is untouched if it was last changed well before `used`. Within one tick of the
    /// clock, a change does not show in the stamp.
    Stamps {
        /// When the copy was taken into use, so that processes could first write to it, in nanoseconds since the epoch.
        used: i64,
    },
    /// Every file is written again, as after a crash of the machine.
    Nothing,
}

/// Whether the manifest must be written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything was as the manifest says.
    Untouched,
    /// Stamps in the manifest have changed.
    Restored,
}

/// Makes `tree` equal to `original`, as listed in `entries`, and updates the stamps in `entries`. No process may be
/// using the tree.
pub(crate) fn reset(tree: &OwnedFd, original: &OwnedFd, entries: &mut [Entry], trust: Trust) -> io::Result<Outcome> {
    let index = entries.iter().enumerate().map(|(position, entry)| (entry.path.clone(), position)).collect();
    let mut reset = Reset { tree, original, trust, found: vec![false; entries.len()], entries, index, written: 0 };
    reset.run()?;
    Ok(if reset.written == 0 { Outcome::Untouched } else { Outcome::Restored })
}

struct Reset<'a> {
    tree: &'a OwnedFd,
    original: &'a OwnedFd,
    trust: Trust,
    entries: &'a mut [Entry],
    /// Positions in `entries` by path.
    index: HashMap<Vec<u8>, usize>,
    /// Which of `entries` are in the tree as they should be.
    found: Vec<bool>,
    written: usize,
}

impl Reset<'_> {
    fn run(&mut self) -> io::Result<()> {
        // The root always exists.
        if let Some(found) = self.found.first_mut() {
            *found = true;
        }
        remove::open_up(self.tree)?;
        self.visit(&[])?;
        // Folders come before their content, so the parent of each entry exists.
        for position in 0..self.entries.len() {
            if !self.found[position] {
                self.entries[position].stamp = copy::create(&self.entries[position], self.original, self.tree)?;
                self.written += 1;
            }
        }
        // Last, and innermost first, because the permissions of a folder may prevent changes to its content.
        for position in (0..self.entries.len()).rev() {
            if self.entries[position].kind == EntryKind::Folder {
                self.restore_folder(position)?;
            }
        }
        Ok(())
    }

    fn visit(&mut self, path: &[u8]) -> io::Result<()> {
        let folder = remove::open_folder(self.tree, place(path))?;
        for item in Dir::read_from(&folder)? {
            let item = item?;
            let name = item.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let path = join(path, name);
            let Some(&position) = self.index.get(&path) else {
                remove::entry(&folder, name)?;
                continue;
            };
            let stat = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
            match (&self.entries[position].kind, FileType::from_raw_mode(stat.st_mode)) {
                (EntryKind::Folder, FileType::Directory) => {
                    self.found[position] = true;
                    self.visit(&path)?;
                }
                (EntryKind::File { .. }, FileType::RegularFile) => {
                    self.found[position] = self.is_untouched(position, &stat) || self.overwrite(position, &stat)?;
                }
                (EntryKind::Link { .. }, FileType::Symlink) if self.is_untouched(position, &stat) => {
                    self.found[position] = true;
                }
                _ => {}
            }
            if !self.found[position] {
                remove::entry(&folder, name)?;
            }
        }
        Ok(())
    }

    fn is_untouched(&self, position: usize, stat: &Stat) -> bool {
        match self.trust {
            Trust::Stamps { used } => self.entries[position].is_unchanged(&Facts::of(stat), used),
            Trust::Nothing => false,
        }
    }

    /// Overwrites a file in place. Returns `false` if the file must be created again instead: a file with a second name
    /// may meanwhile belong to another entry.
    fn overwrite(&mut self, position: usize, stat: &Stat) -> io::Result<bool> {
        let entry = &mut self.entries[position];
        if stat.st_nlink != 1 {
            return Ok(false);
        }
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(file) = rustix::fs::openat(self.tree.as_fd(), entry.place(), flags, Mode::empty()) else {
            return Ok(false);
        };
        let had = u64::try_from(stat.st_size).unwrap_or_default();
        entry.stamp = copy::fill(entry, self.original, &file, had)?;
        self.written += 1;
        Ok(true)
    }

    fn restore_folder(&self, position: usize) -> io::Result<()> {
        let entry = &self.entries[position];
        let stat = rustix::fs::statat(self.tree, entry.place(), AtFlags::SYMLINK_NOFOLLOW)?;
        if permissions(&stat) == entry.mode && (stat.st_uid, stat.st_gid) == (entry.uid, entry.gid) {
            return Ok(());
        }
        copy::restore_folder(self.tree, entry)
    }
}

#[cfg(test)]
mod tests;
