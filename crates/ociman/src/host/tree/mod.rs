//! Trees of files: listing a tree, copying it, and resetting a copy to its original.

pub(super) mod copy;
pub(super) mod entry;
pub(super) mod manifest;
pub(super) mod reset;
pub(super) mod shared_files;
