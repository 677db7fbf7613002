//! [`project()`]: a temporary folder with files, and a runner for the `pg-ephemeral` binary in it. The project has its
//! own folders for home, state, configuration and temporary files. Commands inherit only those variables of the caller
//! that are needed to find programs and engines. This module knows nothing about the output of commands: tests state
//! what they expect.
//!
//! If a check fails, the test panics. The message shows the command, its folder, the files of the project, and the
//! output.

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
