//! Fake backends and fixtures, for tests of `pg-ephemeral` and of everything that is built on it: no engine, no
//! network and, unless a test asks for it, no PostgreSQL is needed, and a test takes milliseconds.
//!
//! This is a whole test of a downstream crate. `sweep` is the code under test; what an engine does when it goes wrong
//! is the interesting half of it:
//!
//! ```
//! use ociman::label::{Filter, Key};
//! use ociman::{Backend, CommandError};
//! use pg_ephemeral_testkit::{Failure, FakeBackend, FakeContainer, FakeLife, Operation};
//!
//! /// Removes the containers of a team that have ended, and gives how many there were.
//! async fn sweep(backend: &Backend) -> Result<usize, CommandError> {
//!     let ended = backend.list(&[Filter::key_only(&Key::from_static("com.example.team"))], &[]).await?;
//!     let ended: Vec<_> =
//!         ended.into_iter().filter(|container| container.state == ociman::ContainerState::Exited).collect();
//!     for container in &ended {
//!         if let Ok(name) = container.name.parse() {
//!             backend.container(name).remove_force().await?;
//!         }
//!     }
//!     Ok(ended.len())
//! }
//!
//! /// Two containers of the team, of which one has ended, and one of somebody else.
//! fn engine() -> FakeBackend {
//!     let container = |name| FakeContainer::new(name, "docker.io/library/postgres:17");
//!     FakeBackend::podman()
//!         .with_container(container("ours").label("com.example.team", "db").life(FakeLife::Exited(1)))
//!         .with_container(container("at-work").label("com.example.team", "db"))
//!         .with_container(container("theirs").life(FakeLife::Exited(0)))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // It removes what it must, and nothing else, with one listing.
//! let fake = engine();
//! assert_eq!(sweep(&fake.backend()).await?, 1);
//! assert_eq!(fake.containers(), ["at-work", "theirs"]);
//! assert_eq!(fake.journal().count(Operation::List), 1);
//!
//! // It says so when the engine goes away in the middle.
//! let fake = engine().fail(Operation::Remove, Failure::EngineDown);
//! assert!(matches!(sweep(&fake.backend()).await, Err(CommandError::Unreachable { .. })));
//! # Ok(())
//! # }
//! ```
//!
//! What there is, each behind the feature in brackets; `database` is the default, and compiles nothing of the others:
//! - [`FakeBackend`] (`fakes`): Docker or Podman in memory, behind a real [`ociman::Backend`]. What goes wrong, and when, is said
//!   in code or in a scenario file. [`FakeBackend::with_postgres`] puts a real PostgreSQL behind it, the one of this
//!   machine: what starts servers can be tested to its end, on both engines, with neither.
//! - `fake-engine` (`fakes`): the same as a program, to be put on `PATH` as `docker` or `podman` by [`Project::fake_engine`].
//! - [`project()`] (`project`): a folder with files and an environment of its own, and commands that are checked to the last byte.
//! - [`database()`] (`database`): a private copy of a seeded database for each test, from one server for the whole run, which
//!   [`shared_server`] gives itself.
//! - [`conformance`] (`conformance`): what every backend must do, for the fakes, the real engines, the host, and your own.
//! - [`Recorder`] and [`Journal`] (`fakes`): every engine command that was given, to count or to read, without secrets.
//!
//! # When a test fails here and not there
//! The fakes pass the same [`conformance`] suite as the engines do, and `tests/engines/fidelity.rs` compares what they
//! print with what the engines print. A fake that lets pass what an engine does not is a bug in the fake.

#![deny(missing_docs)]

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "database")]
mod database;
#[cfg(feature = "fakes")]
mod fakes;
#[cfg(feature = "project")]
mod project;
#[cfg(any(feature = "fakes", feature = "project"))]
mod support;

#[cfg(feature = "database")]
pub use database::{KEEP_DATABASES_VARIABLE, TestDatabase, database, shared_server};
#[cfg(feature = "fakes")]
pub use fakes::{
    Entry, Failure, FakeBackend, FakeContainer, FakeEngineError, FakeImage, FakeLife, Journal, Operation, Program,
    Recorder, ScenarioError, UnknownOperation, fake_engine,
};
#[cfg(feature = "project")]
pub use project::{KEEP_VARIABLE, Project, ProjectCommand, Ran, Started, project};
#[cfg(any(feature = "fakes", feature = "project"))]
#[doc(hidden)]
pub use support::{base_layer, memory};
#[cfg(any(feature = "fakes", feature = "project"))]
pub use support::{wait_until, wait_until_async};
