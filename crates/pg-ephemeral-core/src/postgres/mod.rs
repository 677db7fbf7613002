//! What is known of PostgreSQL itself: where it is installed, which locales it can have, how one connects to it, with TLS or
//! without, and how its own client programs are run.

pub(crate) mod client;
pub(crate) mod connect;
pub(crate) mod endpoint;
pub mod host_image;
pub mod locale;
pub mod tls;
