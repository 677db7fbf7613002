//! The key of a layer, and its computation.

mod hash;
mod hasher;

pub use hash::{SeedHash, SeedHashError};
pub use hasher::FORMAT;
pub(crate) use hasher::KeyHasher;
