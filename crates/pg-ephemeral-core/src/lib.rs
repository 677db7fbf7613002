#![doc = include_str!("../README.md")]

pub mod cache;
pub mod config;
pub mod database;
pub mod doctor;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod io;
pub mod layer;
mod lifecycle;
mod model;
mod postgres;
pub mod seed;
pub mod server;
pub mod session;
mod state;
pub mod tool;

pub use cache::{CacheError, CacheStatus};
pub use database::{Database, DatabaseError};
pub use lifecycle::{FoundSessions, LookError, reap, run, snapshot};
pub use model::image::Image;
pub use model::instance::{InstanceName, SeedName};
pub use model::{image, instance, label, owner, parameter, progress};
pub use postgres::{host_image, locale, tls};
pub use server::choose;
pub use server::{
    ApplyToServerError, AttachError, ConnectError, ConnectionParameters, Definition, DumpError, Endpoint, LoadError,
    Reach, Server, StartError, WithServerError,
};
pub use state::folders::{Folders, FoldersError};
pub use state::lock::LockError;
pub use state::record::RecordError;
pub use state::secret::{MachineSecret, MadeWith, SecretError};
pub use tool::{Tool, ToolError, ToolSpec};
