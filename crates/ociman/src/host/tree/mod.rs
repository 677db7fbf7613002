//! Trees of files: what is in one, copying it, and putting a copy back to what its original holds.

pub(super) mod copy;
pub(super) mod entry;
pub(super) mod manifest;
pub(super) mod reset;
