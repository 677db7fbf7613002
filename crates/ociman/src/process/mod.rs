//! Processes of this machine: their identities, and their descendants.

mod identity;
mod tree;

pub(crate) use identity::Status;
pub use identity::{ProcessIdentity, boot_id};
pub use tree::{TreeWatcher, kill_tree};
