//! Reading files piece by piece, remembering their hashes, running local processes, and random numbers.

pub(crate) mod child;
pub(crate) mod content;
pub(crate) mod known_hashes;
pub(crate) mod random;
