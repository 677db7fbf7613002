//! The processes of containers: starting them, finding them, the users that they run as, and removing what they leave
//! behind.

pub(super) mod members;
pub(super) mod shared_memory;
pub(super) mod signal;
pub(super) mod spawner;
pub(super) mod start_record;
pub(super) mod user;
