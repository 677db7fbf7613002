//! The host tier, here with processes of this machine: it needs no engine, and no PostgreSQL either.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod containers;
mod exec;
mod images;
mod lifetime;
mod slots;
mod support;
