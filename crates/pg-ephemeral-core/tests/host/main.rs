//! The host tier. It needs PostgreSQL's programs on this machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cache;
mod corpus;
mod databases;
mod errors;
mod guards;
mod layering;
mod seed_apply;
mod server;
mod session;
mod tls;

#[path = "../corpus_cases/mod.rs"]
mod corpus_cases;
#[path = "../layers/mod.rs"]
mod layers;
