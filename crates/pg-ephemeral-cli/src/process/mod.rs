//! Runs programs for the caller, on this machine and in containers, and handles the signals that arrive meanwhile.

mod child;
mod container;
mod group;
mod host;
mod signals;

pub(crate) use child::outcome;
pub(crate) use container::{InContainer, Mark, Missing, Undelivered, callers_user, terminal, texts, wait_in_container};
pub(crate) use host::run_here;
pub(crate) use signals::{Signals, end_by, until_signal};
