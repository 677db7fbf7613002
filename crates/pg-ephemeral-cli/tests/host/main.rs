//! The host tier. These tests need PostgreSQL's programs on this machine, and tmux.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cache_cli;
mod cli;
mod databases;
mod examples;
mod files;
mod integration_server;
mod json;
mod leaks;
mod locales;
mod migrations;
mod pages;
mod sessions;
mod shortage;
mod snapshots;
mod ssl_example;
mod terminal;

#[path = "../support/mod.rs"]
mod support;
