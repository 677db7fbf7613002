//! The engines tier. These tests need tmux, and Podman and Docker running, both with the image
//! `docker.io/library/postgres:15`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cli;
mod cli_sessions;
mod examples;
mod remote;
mod rootless;
mod snapshots;

#[path = "../../../pg-ephemeral-core/tests/registry/mod.rs"]
#[allow(dead_code, reason = "other tests look into it")]
mod registry;
#[path = "../support/mod.rs"]
mod support;
