//! Removes System V shared memory that killed processes left. The system keeps such segments until somebody removes
//! them, and their number is limited for the whole machine. A program that finds its segments by a folder of its own
//! derives their keys from the folder's inode, and writes the folder's device and inode into them.

use std::io;
use std::mem::{MaybeUninit, offset_of};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// How many keys, from the inode on, a segment may have: its maker takes the next one while a key is taken.
const KEYS: i32 = 64;
/// How many bytes at the beginning of a segment may say whose it is.
const HEADER: usize = 256;

/// What a segment says of its folder.
#[repr(C)]
struct Mark {
    device: libc::dev_t,
    inode: libc::ino_t,
}

/// Removes the segments that belong to the folders in `folder` and that no process uses. None of these folders may be in
/// use by a process that is about to make one.
///
/// # Errors
/// When the system has no descriptor or memory left for looking. Then the folders are still needed to find the segments.
pub(crate) fn remove_of_folders_in(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes the segments of System V shared memory that belong to a folder and that no process uses. No process that is
/// about to make one may be using the folder.
///
/// # Errors
/// When the folder is not there, or the system has no memory left for looking into a segment.
pub fn remove(folder: &Path) -> io::Result<()> {
    let metadata = folder.symlink_metadata()?;
    // Some systems have narrower types for the two.
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
        // SAFETY: it only looks a number up, since it is not told to make a segment.
        let id = unsafe { libc::shmget(key, 0, 0) };
        (id >= 0).then_some(Self { id })
    }

    fn status(self) -> Option<libc::shmid_ds> {
        let mut status = MaybeUninit::<libc::shmid_ds>::uninit();
        // SAFETY: the call fills in the structure when it succeeds.
        unsafe { (libc::shmctl(self.id, libc::IPC_STAT, status.as_mut_ptr()) == 0).then(|| status.assume_init()) }
    }

    fn is_unused(self) -> bool {
        self.status().is_some_and(|status| status.shm_nattch == 0)
    }

    /// Whether a device and an inode stand in its header, side by side.
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

    /// Its first bytes; none when it is gone, or not ours to read.
    fn header(self) -> io::Result<Vec<u8>> {
        let Some(status) = self.status() else { return Ok(Vec::new()) };
        let length = HEADER.min(status.shm_segsz);
        // SAFETY: the system chooses a free place for it.
        let start = unsafe { libc::shmat(self.id, std::ptr::null(), libc::SHM_RDONLY) };
        if start.addr() == usize::MAX {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                Some(libc::EACCES | libc::EIDRM | libc::EINVAL) => Ok(Vec::new()),
                _ => Err(error),
            };
        }
        let mut header = vec![0_u8; length];
        // SAFETY: the segment has at least so many bytes, and stays attached until the next line, even when somebody removes it.
        unsafe {
            std::ptr::copy_nonoverlapping(start.cast::<u8>().cast_const(), header.as_mut_ptr(), length);
            libc::shmdt(start);
        }
        Ok(header)
    }

    fn remove(self) {
        // An error means that somebody else has removed it.
        // SAFETY: the call reads and writes no memory of ours.
        unsafe { libc::shmctl(self.id, libc::IPC_RMID, std::ptr::null_mut()) };
    }
}

#[cfg(test)]
#[allow(unsafe_code)]
mod tests {
    use super::*;

    /// Makes a segment as PostgreSQL does: the first free key from the folder's inode on, and a header with a mark.
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
    fn the_segments_of_a_folder_go_and_those_of_another_with_such_a_key_stay() {
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
    fn a_segment_that_a_process_uses_stays() {
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
