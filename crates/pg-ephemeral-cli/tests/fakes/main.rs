//! The fakes tier: it needs no server and no engine, but tmux.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod completions;
mod missing_program;
mod sessions_cli;
mod terminal;
mod tool;

#[path = "../support/mod.rs"]
mod support;
