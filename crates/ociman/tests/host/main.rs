//! The host tier of the tests. It runs processes of this machine, and needs neither an engine nor PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod containers;
mod exec;
mod images;
mod lifetime;
mod sharing;
mod slots;
mod support;
