//! The processes of containers: starting them, which ones there are, as whom they run, and what they leave.

pub(super) mod members;
pub(super) mod shared_memory;
pub(super) mod signal;
pub(super) mod spawner;
pub(super) mod start_record;
pub(super) mod user;
