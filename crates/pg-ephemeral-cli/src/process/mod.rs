//! Programs that run for the caller, here and in containers, and the signals that reach this process meanwhile.

mod child;
mod container;
mod group;
mod host;
mod signals;

pub(crate) use child::outcome;
pub(crate) use container::{InContainer, Mark, Missing, Undelivered, callers_user, terminal, texts, wait_in_container};
pub(crate) use host::run_here;
pub(crate) use signals::{Signals, end_by, until_signal};
