//! Reading files piece by piece, running local processes, and random numbers.

pub(crate) mod child;
pub(crate) mod content;
pub(crate) mod random;
