//! Copies a tree: by sharing blocks if the file system can, otherwise inside the kernel, otherwise by reading and
//! writing. It uses two threads, because the number of files, and not of bytes, takes most of the time.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;

use super::entry::{Entry, EntryKind, Stamp, mode, permissions, survey};
use super::shared_files::SharedFiles;

const THREADS: usize = 2;
/// The number of entries below which a second thread costs more than it saves.
const FILES_FOR_THREADS: usize = 64;

/// Copies all of `source` into the empty folder `target`, and returns the entries of `target` with the stamps of the
/// copies. Sockets, pipes and devices are left out; times are not kept.
pub(crate) fn tree(source: &OwnedFd, target: &OwnedFd) -> io::Result<Vec<Entry>> {
    let mut all = survey(source)?;
    for (index, stamp) in entries(&all, source, target, None)? {
        all[index].stamp = stamp;
    }
    Ok(all)
}

/// Copies `entries` from `source` into the empty folder `target`, and returns the stamps of the copies by their
/// index in `entries`. A file that `shared` has is linked instead. Times are not kept.
pub(crate) fn entries(
    entries: &[Entry],
    source: &OwnedFd,
    target: &OwnedFd,
    shared: Option<&SharedFiles<'_>>,
) -> io::Result<Vec<(usize, Stamp)>> {
    for folder in entries.iter().filter(|entry| entry.kind == EntryKind::Folder && !entry.path.is_empty()) {
        rustix::fs::mkdirat(target, folder.place(), Mode::RWXU)?;
    }
    let stamps = copy_files(entries, |entry| match shared {
        Some(shared) if shared.link(entry, target) => Ok(Stamp::default()),
        _ => create(entry, source, target),
    })?;
    // Innermost first, so that a folder without write permission is closed only after its content is complete.
    for folder in entries.iter().rev().filter(|entry| entry.kind == EntryKind::Folder) {
        restore_folder(target, folder)?;
    }
    Ok(stamps)
}

fn copy_files(entries: &[Entry], copy: impl Fn(&Entry) -> io::Result<Stamp> + Sync) -> io::Result<Vec<(usize, Stamp)>> {
    // Large files first, so that both threads end at about the same time.
    let mut files: Vec<usize> = (0..entries.len()).filter(|&index| entries[index].kind != EntryKind::Folder).collect();
    files.sort_by_key(|&index| std::cmp::Reverse(entries[index].size()));
    let next = AtomicUsize::new(0);
    let work = || -> io::Result<Vec<(usize, Stamp)>> {
        let mut stamps = Vec::new();
        while let Some(&index) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            stamps.push((index, copy(&entries[index])?));
        }
        Ok(stamps)
    };
    if entries.len() < FILES_FOR_THREADS {
        return work();
    }
    std::thread::scope(|scope| {
        // If the system refuses a thread, there is one helper fewer.
        let help = |_| std::thread::Builder::new().spawn_scoped(scope, work).ok();
        let helpers: Vec<_> = (1..THREADS).filter_map(help).collect();
        let mut stamps = work()?;
        for helper in helpers {
            let theirs = helper.join().map_err(|_| io::Error::other("a copying thread panicked"))?;
            stamps.extend(theirs?);
        }
        Ok(stamps)
    })
}

/// Creates a copy of an entry of `source` in `target`, where its parent folder exists and its name is free. A folder
/// gets its owner and permissions from [`restore_folder`] after its content is complete.
pub(crate) fn create(entry: &Entry, source: &OwnedFd, target: &OwnedFd) -> io::Result<Stamp> {
    match &entry.kind {
        EntryKind::Folder => {
            rustix::fs::mkdirat(target, entry.place(), Mode::RWXU)?;
            Ok(Stamp::default())
        }
        EntryKind::Link { target: text } => {
            rustix::fs::symlinkat(text.as_slice(), target, entry.place())?;
            let stat = rustix::fs::statat(target, entry.place(), AtFlags::SYMLINK_NOFOLLOW)?;
            if (stat.st_uid, stat.st_gid) == (entry.uid, entry.gid) {
                return Ok(Stamp::of(&stat));
            }
            let (uid, gid) = owner(entry);
            rustix::fs::chownat(target, entry.place(), uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
            Ok(Stamp::of(&rustix::fs::statat(target, entry.place(), AtFlags::SYMLINK_NOFOLLOW)?))
        }
        EntryKind::File { .. } => {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = rustix::fs::openat(target, entry.place(), flags, mode(entry.mode & 0o777))?;
            fill(entry, source, &file, 0)
        }
    }
}

/// Gives an open file the content, owner and permissions of its original. `had` is the size of the file so far.
pub(crate) fn fill(entry: &Entry, source: &OwnedFd, file: &OwnedFd, had: u64) -> io::Result<Stamp> {
    let size = entry.size();
    if size > 0 {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let original = rustix::fs::openat(source, entry.place(), flags, Mode::empty())?;
        copy_content(&original, file, size)?;
    }
    if had > size {
        rustix::fs::ftruncate(file, size)?;
    }
    restore_file(file, entry)
}

fn copy_content(source: &OwnedFd, target: &OwnedFd, size: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        if rustix::fs::ioctl_ficlone(target, source).is_ok() {
            return Ok(());
        }
        let (mut from, mut to) = (0, 0);
        while to < size {
            let left = usize::try_from(size - to).unwrap_or(usize::MAX);
            match rustix::fs::copy_file_range(source, Some(&mut from), target, Some(&mut to), left) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) | Err(Errno::INTR) => {}
                // Not supported between these two file systems, or not on this one.
                Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) if to == 0 => {
                    return read_and_write(source, target);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = size;
        read_and_write(source, target)
    }
}

fn read_and_write(source: &OwnedFd, target: &OwnedFd) -> io::Result<()> {
    let mut source = std::fs::File::from(source.try_clone()?);
    let mut target = std::fs::File::from(target.try_clone()?);
    let mut buffer = vec![0_u8; 256 * 1024];
    loop {
        match source.read(&mut buffer)? {
            0 => return Ok(()),
            read => target.write_all(&buffer[..read])?,
        }
    }
}

/// Restores the owner and permissions of an open file, and returns its stamp.
fn restore_file(file: &OwnedFd, entry: &Entry) -> io::Result<Stamp> {
    let stat = rustix::fs::fstat(file)?;
    if !restore(file, &stat, entry)? {
        return Ok(Stamp::of(&stat));
    }
    Ok(Stamp::of(&rustix::fs::fstat(file)?))
}

/// Restores the owner and permissions of a folder of the tree.
pub(crate) fn restore_folder(root: &OwnedFd, entry: &Entry) -> io::Result<()> {
    let folder = crate::files::remove::open_folder(root, entry.place())?;
    let stat = rustix::fs::fstat(&folder)?;
    restore(&folder, &stat, entry)?;
    Ok(())
}

/// Restores the owner and permissions. Returns `true` if anything had to be changed. The owner is changed first,
/// because that clears bits of the mode.
fn restore(file: impl AsFd, stat: &Stat, entry: &Entry) -> io::Result<bool> {
    let file = file.as_fd();
    let owner_differs = (stat.st_uid, stat.st_gid) != (entry.uid, entry.gid);
    if owner_differs {
        let (uid, gid) = owner(entry);
        rustix::fs::fchown(file, uid, gid)?;
    }
    let mode_differs = permissions(stat) != entry.mode || (owner_differs && entry.mode & 0o6000 != 0);
    if mode_differs {
        rustix::fs::fchmod(file, mode(entry.mode))?;
    }
    Ok(owner_differs || mode_differs)
}

fn owner(entry: &Entry) -> (Option<Uid>, Option<Gid>) {
    (Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)))
}
