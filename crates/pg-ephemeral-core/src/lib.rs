//! Throw-away PostgreSQL: a [`Definition`] goes in, a running [`Server`] comes out, and nothing stays when it is gone.
//!
//! The crate never prints, never reads the terminal and never ends the process.

pub mod cache;
mod child;
pub mod choose;
pub mod config;
mod content;
pub mod database;
mod definition;
pub mod doctor;
mod folders;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod host_image;
pub mod image;
pub mod instance;
mod keeper;
pub mod label;
pub mod layer;
pub mod locale;
mod lock;
pub mod owner;
pub mod parameter;
mod postgres;
pub mod progress;
pub mod reap;
mod record;
pub mod run;
mod secret;
pub mod seed;
pub mod server;
pub mod session;
pub mod snapshot;
pub mod tls;
pub mod tool;

pub use cache::{CacheError, CacheStatus};
pub use database::{Database, DatabaseError};
pub use definition::{Definition, LoadError, Reach};
pub use folders::{Folders, FoldersError};
pub use image::Image;
pub use instance::{InstanceName, SeedName};
pub use lock::LockError;
pub use record::RecordError;
pub use secret::{MachineSecret, MadeWith, SecretError};
pub use server::{
    ApplyToServerError, AttachError, ConnectError, ConnectionParameters, DumpError, Endpoint, Server, StartError,
    WithServerError,
};
pub use tool::{Tool, ToolError, ToolSpec};
