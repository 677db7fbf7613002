//! The engines tier. It needs podman and docker, both running and with the image `docker.io/library/postgres:15`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cache;
mod corpus;
mod layering;
mod tls;

#[path = "../corpus_cases/mod.rs"]
mod corpus_cases;
#[path = "../layers/mod.rs"]
mod layers;
#[path = "../registry/mod.rs"]
mod registry;
