//! Removes System V shared memory that killed processes left behind. The system keeps such segments until some process
//! removes them, and limits their number for the whole machine. A program that identifies its segments by a folder of
//! its own derives their keys from the folder's inode, and writes the folder's device and inode into them.

use std::io;
use std::mem::{MaybeUninit, offset_of};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// How many consecutive keys, starting with the inode, a segment may have. The creator of a segment tries the next key
/// while a key is taken.
const KEYS: i32 = 64;
/// The number of bytes at the start of a segment in which the mark of its folder is looked for.
const HEADER: usize = 256;

/// The identity of a folder, as a segment contains it.
#[repr(C)]
struct Mark {
    device: libc::dev_t,
    inode: libc::ino_t,
}

/// Removes the segments that belong to the folders in `folder` and that no process uses. No process that is about to
/// create a segment may be using one of these folders.
///
/// # Errors
/// Returns an error if the system has no descriptor or no memory left to look for segments. Then the folders must be
/// kept, because they are still needed to find the segments.
pub(crate) fn remove_of_folders_in(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes the System V shared memory segments that belong to a folder and that no process uses. No process that is
/// about to create a segment may be using the folder.
///
/// # Errors
/// Returns an error if the folder does not exist, or if the system has no memory left to look into a segment.
pub fn remove(folder: &Path) -> io::Result<()> {
    let metadata = folder.symlink_metadata()?;
    // Some systems have narrower types for device and inode.
    #[allow(clippy::cast_possible_truncation, clippy::unnecessary_cast)]
    let mark = Mark { device: metadata.dev() as libc::dev_t, inode: metadata.ino() as libc::ino_t };
    #[allow(clippy::cast_possible_truncation)]
    let first = metadata.ino() as libc::key_t;
    for key in (0..KEYS).map(|offset| first.wrapping_add(offset)).filter(|key| *key != libc::IPC_PRIVATE) {
        if let Some(segment) = Segment::find(key)
            && segment.is_unused()
            && segment.carries(&mark)?
        {
            tracing::debug!(folder = %folder.display(), key, "remove a segment of shared memory");
            segment.remove();
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    id: libc::c_int,
}

#[allow(unsafe_code)]
impl Segment {
    fn find(key: libc::key_t) -> Option<Self> {
        // SAFETY: the call only looks up an ID, since it is not told to create a segment.
        let id = unsafe { libc::shmget(key, 0, 0) };
        (id >= 0).then_some(Self { id })
    }

    fn status(self) -> Option<libc::shmid_ds> {
        let mut status = MaybeUninit::<libc::shmid_ds>::uninit();
        // SAFETY: the call fills in the structure if it succeeds.
        unsafe { (libc::shmctl(self.id, libc::IPC_STAT, status.as_mut_ptr()) == 0).then(|| status.assume_init()) }
    }

    fn is_unused(self) -> bool {
        self.status().is_some_and(|status| status.shm_nattch == 0)
    }

    /// Returns `true` if the segment's header contains this device and this inode side by side.
    fn carries(self, mark: &Mark) -> io::Result<bool> {
        let header = self.header()?;
        let (device, inode) = (mark.device.to_ne_bytes(), mark.inode.to_ne_bytes());
        let mut starts = (0..header.len()).step_by(align_of::<u32>());
        Ok(starts.any(|start| {
            let rest = &header[start..];
            let at_inode = rest.get(offset_of!(Mark, inode)..).unwrap_or_default();
            rest.starts_with(&device) && at_inode.starts_with(&inode)
        }))
    }

    /// Returns the first bytes of the segment, or none if the segment is gone or this user can't read it.
    fn header(self) -> io::Result<Vec<u8>> {
        let Some(status) = self.status() else { return Ok(Vec::new()) };
        let length = HEADER.min(status.shm_segsz);
        // SAFETY: the system chooses a free address for the segment.
        let start = unsafe { libc::shmat(self.id, std::ptr::null(), libc::SHM_RDONLY) };
        if start.addr() == usize::MAX {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                Some(libc::EACCES | libc::EIDRM | libc::EINVAL) => Ok(Vec::new()),
                _ => Err(error),
            };
        }
        let mut header = vec![0_u8; length];
        // SAFETY: the segment has at least `length` bytes, and stays attached until the next line even if another
        // process removes it.
        unsafe {
            std::ptr::copy_nonoverlapping(start.cast::<u8>().cast_const(), header.as_mut_ptr(), length);
            libc::shmdt(start);
        }
        Ok(header)
    }

    fn remove(self) {
        // An error means that another process has removed the segment.
        // SAFETY: the call reads and writes no memory of this process.
        unsafe { libc::shmctl(self.id, libc::IPC_RMID, std::ptr::null_mut()) };
    }
}

#[cfg(test)]
#[allow(unsafe_code)]
mod tests {
    use super::*;

    /// Creates a segment as PostgreSQL does: with the first free key, starting with the folder's inode, and a header
    /// with a mark.
    fn make(folder: &Path, marked: &Path) -> (libc::key_t, Segment) {
        let named = marked.metadata().unwrap();
        let mark = [named.dev(), named.ino()];
        let key_of = |offset| (folder.metadata().unwrap().ino() as libc::key_t).wrapping_add(offset);
        let make = |key| unsafe { libc::shmget(key, 56, libc::IPC_CREAT | libc::IPC_EXCL | 0o600) };
        let (key, id) = (0..KEYS).map(key_of).map(|key| (key, make(key))).find(|(_, id)| *id >= 0).unwrap();
        unsafe {
            let start = libc::shmat(id, std::ptr::null(), 0).cast::<u64>();
            start.add(5).cast::<[u64; 2]>().write(mark);
            libc::shmdt(start.cast());
        }
        (key, Segment { id })
    }

    #[test]
    fn only_segments_with_the_mark_of_the_folder_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (data, other) = (folder.path().join("data"), folder.path().join("other"));
        std::fs::create_dir(&data).unwrap();
        std::fs::create_dir(&other).unwrap();
        let (foreign_key, foreign) = make(&data, &other);
        let (first, _) = make(&data, &data);
        let (second, _) = make(&data, &data);
        remove_of_folders_in(folder.path()).unwrap();
        let found = [first, second, foreign_key].map(|key| Segment::find(key).is_some());
        foreign.remove();
        assert_eq!(found, [false, false, true]);
    }

    #[test]
    fn a_segment_that_a_process_uses_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (key, segment) = make(folder.path(), folder.path());
        let start = unsafe { libc::shmat(segment.id, std::ptr::null(), 0) };
        remove(folder.path()).unwrap();
        assert!(Segment::find(key).is_some());
        unsafe { libc::shmdt(start) };
        remove(folder.path()).unwrap();
        assert!(Segment::find(key).is_none());
    }
}
