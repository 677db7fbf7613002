//! The unit tier of the tests. It needs no server and no engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod commands;
