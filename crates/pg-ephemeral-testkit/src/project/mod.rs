//! [`project()`]: a temporary folder with files, and a runner for the `pg-ephemeral` binary in it. Home, state,
//! configuration and temporary files are the project's own, and of the caller's environment only what it takes to find
//! programs and engines is passed on. It knows nothing of what a command prints: that is the test's to say.
//!
//! Everything here ends the test when it is not as it must be, and then shows the command, its folder, what is in
//! there, and both streams.

mod command;
mod folder;
mod leftovers;
mod ran;
mod redact;
mod started;
mod text;

pub use command::ProjectCommand;
pub use folder::{KEEP_VARIABLE, Project, project};
pub use ran::Ran;
pub use started::Started;
