//! The engines tier: it needs podman and docker, running, with `docker.io/library/postgres:15` in both.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod conformance;
mod fidelity;
