//! Tests with fake engines, which need neither a server nor an engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod conformance;
