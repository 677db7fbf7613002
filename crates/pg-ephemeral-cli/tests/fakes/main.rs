//! The fakes tier: it needs no server and no engine, but tmux.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod completions;
mod sessions_cli;
mod tool;

#[path = "../support/mod.rs"]
mod support;
