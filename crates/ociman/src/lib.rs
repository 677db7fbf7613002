#![doc = include_str!("../README.md")]

pub mod backend;
pub mod blocking;
pub mod command;
mod container;
mod detect;
mod engine;
mod error;
pub mod files;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod host;
pub mod image;
mod info;
mod kind;
pub mod label;
mod name;
mod process;
mod secret;
mod spec;
mod text;

pub use backend::Backend;
pub use command::system::System;
pub use container::Container;
pub use detect::{BACKEND_VARIABLE, UserConfigError, default_backend};
pub use engine::address::Selection;
pub use error::{CommandError, Failure};
pub use host::Host;
pub use image::{Digest, DigestError, PathComponent, PathComponentError, Reference, ReferenceError, Tag, TagError};
pub use info::{
    ContainerInfo, ContainerState, ContainerSummary, EngineInfo, ImageInfo, ImageSummary, PortBinding, Version,
};
pub use kind::{Kind, UnknownKind};
pub use name::{ContainerName, ContainerNameError};
pub use process::{TreeWatcher, kill_tree};
pub use secret::Secret;
pub use spec::{
    Access, CommitSpec, ExecSpec, Lifetime, Mount, Network, PublishedPort, RunSpec, Terminal, UserNamespace, Variable,
    VariableValue,
};
