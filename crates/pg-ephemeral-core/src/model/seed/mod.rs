//! What a seed is, as the user wrote it.

mod kind;
pub mod spec;

pub use kind::{SeedKind, UnknownSeedKind};
