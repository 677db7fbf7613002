//! The fakes tier. It needs neither a server nor an engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod boot;
mod errors;
mod forged;
mod reaping;
mod replacing;
mod session_life;
mod sessions;
