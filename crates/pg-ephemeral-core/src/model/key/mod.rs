//! The key of a layer, and how one is computed.

mod hash;
mod hasher;

pub use hash::{SeedHash, SeedHashError};
pub use hasher::FORMAT;
pub(crate) use hasher::KeyHasher;
