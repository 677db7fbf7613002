//! The name of a snapshot, and what labels say of snapshots and of the sessions that were put back to one.

mod label;
mod name;

pub(crate) use label::LayerLabel;
pub use label::{Restored, SnapshotLabel, State};
pub use name::{Name, SnapshotTag};
