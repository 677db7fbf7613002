//! Fake backends and fixtures for tests of `pg-ephemeral` and of programs that are built on it. The tests need no
//! engine, no network and, unless a test asks for one, no PostgreSQL. A test takes milliseconds.
//!
//! The following is a complete test of a downstream crate. `sweep` is the code under test. The second half checks how
//! it handles an engine that fails:
//!
//! ```
//! use ociman::label::{Filter, Key};
//! use ociman::{Backend, CommandError};
//! use pg_ephemeral_testkit::{Failure, FakeBackend, FakeContainer, FakeLife, Operation};
//!
//! /// Removes the exited containers of a team, and returns their number.
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
//! /// Returns an engine with an exited and a running container of the team, and an exited container of another owner.
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
//! // It removes only the exited container of the team, and lists containers once.
//! let fake = engine();
//! assert_eq!(sweep(&fake.backend()).await?, 1);
//! assert_eq!(fake.containers(), ["at-work", "theirs"]);
//! assert_eq!(fake.journal().count(Operation::List), 1);
//!
//! // It returns an error if the engine becomes unreachable before the removal.
//! let fake = engine().fail(Operation::Remove, Failure::EngineDown);
//! assert!(matches!(sweep(&fake.backend()).await, Err(CommandError::Unreachable { .. })));
//! # Ok(())
//! # }
//! ```
//!
//! The parts of the crate, each with the feature that enables it in brackets. Only `database` is enabled by default:
//! - [`FakeBackend`] (`fakes`): a fake Docker or Podman in memory, behind a real [`ociman::Backend`]. A test plans its
//!   failures in code or in a scenario file. With [`FakeBackend::with_postgres`], its containers run the PostgreSQL of
//!   this machine, so code that starts servers can be tested on both engines without either.
//! - `fake-engine` (`fakes`): the fake engine as a program. [`Project::fake_engine`] puts it on `PATH` as `docker` or
//!   `podman`.
//! - [`project()`] (`project`): a temporary folder with files and its own environment, and commands whose status and
//!   output are checked exactly.
//! - [`database()`] (`database`): a private copy of a seeded database for each test. All tests of a run share one
//!   server. [`shared_server`] returns the server itself.
//! - [`conformance`] (`conformance`): a test suite for backends: the fakes, the real engines, the host and your own.
//! - [`Recorder`] and [`Journal`] (`fakes`): a record of all engine commands, without secrets, for checks and counts.
//!
//! # Differences between fakes and engines
//! The fakes pass the same [`conformance`] suite as the engines, and `tests/engines/fidelity.rs` compares their output
//! with the output of the engines. If a fake accepts something that an engine rejects, that is a bug in the fake.

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

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
