//! The unit tier. These tests need no server and no engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod config;
mod doctor;
mod documents;
mod links;
mod pages;
mod usage;

#[path = "../support/mod.rs"]
mod support;
