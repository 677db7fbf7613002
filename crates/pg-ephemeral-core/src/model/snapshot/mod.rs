//! The name of a snapshot, and the labels of snapshots and of restored sessions.

mod label;
mod name;

pub(crate) use label::LayerLabel;
pub use label::{Restored, SnapshotLabel, State};
pub use name::{Name, SnapshotTag};
