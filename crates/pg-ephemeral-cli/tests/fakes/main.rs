//! The fakes tier. These tests need tmux, but no server and no engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod completions;
mod missing_program;
mod sessions_cli;
mod terminal;
mod tool;

#[path = "../support/mod.rs"]
mod support;
