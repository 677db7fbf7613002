//! Tests that need PostgreSQL's programs on this machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod conformance;
mod database;
mod fake_postgres;
mod runs;
