//! Seeds as the user wrote them.

mod kind;
pub mod spec;

pub use kind::{SeedKind, UnknownSeedKind};
