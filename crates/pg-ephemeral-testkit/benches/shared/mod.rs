//! Helpers of the benches that measure whole commands.

pub(crate) mod backend;
pub(crate) mod command;
pub(crate) mod series;
mod signals;

pub(crate) use signals::until_signal;

pub(crate) type Failure = Box<dyn std::error::Error>;
