//! Knowledge of PostgreSQL itself: its installations and locales, connections with and without TLS, and its client
//! programs.

pub(crate) mod client;
pub(crate) mod connect;
pub(crate) mod endpoint;
pub mod host_image;
pub mod locale;
pub mod tls;
