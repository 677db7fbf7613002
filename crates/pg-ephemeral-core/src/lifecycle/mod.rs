//! The life cycle of servers and sessions: starting them, finding them again, saving and restoring them, and removing
//! the containers and files of owners that have died.

mod error;
mod find;
pub mod reap;
mod recover;
pub mod run;
pub mod snapshot;
mod start;

pub use find::{FoundSessions, LookError};
