//! Tests that need Podman and Docker. Both must be running and have the image `docker.io/library/postgres:15`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod conformance;
mod fidelity;
