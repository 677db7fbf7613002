//! The files of an image that a working copy has not changed, so that an image made of that copy can share them. Only
//! images share files: nothing writes to a file of an image, and no process ever gets one of them into its tree.

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use rustix::fs::AtFlags;

use super::entry::{Entry, EntryKind, by_path};

/// The files of an image, and how those of a working copy looked when they were equal.
#[derive(Debug)]
pub(crate) struct SharedFiles<'a> {
    image: &'a OwnedFd,
    known: HashMap<&'a [u8], &'a Entry>,
    used: i64,
}

impl<'a> SharedFiles<'a> {
    /// `known` are the files of the working copy, with their stamps from when they were equal to those of `image`.
    /// Processes can write to the copy since `used`, in nanoseconds since the epoch.
    pub(crate) fn new(image: &'a OwnedFd, known: &'a [Entry], used: i64) -> Self {
        Self { image, known: by_path(known), used }
    }

    /// Gives the image's file a second name in `target` if the file of the working copy is still equal to it. Returns
    /// `false` if it is not, or if the file system refuses another name for that file.
    pub(crate) fn link(&self, entry: &Entry, target: &OwnedFd) -> bool {
        let is_file = matches!(entry.kind, EntryKind::File { .. });
        let known = self.known.get(entry.path.as_slice());
        is_file
            && known.is_some_and(|known| known.is_unchanged(&entry.facts(), self.used))
            && rustix::fs::linkat(self.image, entry.place(), target, entry.place(), AtFlags::empty()).is_ok()
    }
}
