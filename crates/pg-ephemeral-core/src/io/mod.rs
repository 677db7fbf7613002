//! Reading files piece by piece, running processes of this machine, and random numbers.

pub(crate) mod child;
pub(crate) mod content;
pub(crate) mod random;
