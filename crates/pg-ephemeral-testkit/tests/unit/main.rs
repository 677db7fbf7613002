//! Unit tests, which need neither a server nor an engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod conformance_breaks;
mod fake_engine;
mod fake_failures;
mod floors;
mod project;
