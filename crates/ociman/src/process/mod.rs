//! Processes of this machine: who they are, and which ones descend from which.

mod identity;
mod tree;

pub(crate) use identity::Status;
pub use identity::{ProcessIdentity, boot_id};
pub use tree::{TreeWatcher, kill_tree};
