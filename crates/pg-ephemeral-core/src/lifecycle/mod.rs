//! The life of servers and sessions as a whole: starting one, finding it again, saving and restoring it, and removing what
//! is left of those whose owner is gone.

mod error;
mod find;
pub mod reap;
mod recover;
pub mod run;
pub mod snapshot;
mod start;

pub use find::{FoundSessions, LookError};
