//! [`FakeBackend`]: a fake Docker or Podman. It implements `ociman`'s [`Executor`](ociman::command::Executor), so all
//! code above that, including the parsing of the engine's output, is real in a test.

mod answer;
mod change;
mod containers;
mod dispatch;
mod executor;
mod fault;
mod files;
mod flags;
mod image;
mod images;
#[cfg(feature = "project")]
mod in_project;
mod journal;
mod machine;
mod names;
mod not_started;
mod operation;
mod postgres;
mod process;
mod program;
mod program_line;
mod reply;
mod run;
mod scenario;
mod setup;
mod shapes;
mod speech;
mod state;
mod store;
mod template;
mod watcher;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use ociman::Backend;
use ociman::command::{CommandLine, ProcessError};
use tempfile::TempDir;

use crate::support::must;
use crate::support::short_folder::create_short_folder;

pub use fault::Failure;
pub use image::{FakeContainer, FakeImage, FakeLife, Program};
pub use journal::{Entry, Journal, Recorder};
pub use operation::{Operation, UnknownOperation};
pub use program::{FakeEngineError, fake_engine};
pub use scenario::ScenarioError;

use answer::Answer;
use fault::{Calls, Fault};
use machine::{Call, Machine};
use process::Supervisor;

use scenario::Scenario;
use speech::Speech;
use store::Store;
use watcher::Watcher;

/// The prefix of the name of a session's container.
const SESSION_PREFIX: &str = "pg-ephemeral-session-";

/// A fake Docker or Podman in memory. It accepts the command lines of the real program, keeps containers, images,
/// labels, ports and logs, and answers with the JSON, messages and exit statuses of that engine.
///
/// The `with_…` methods set it up, and [`FakeBackend::backend`] returns the [`Backend`] for the code under test. A
/// clone is the same engine. When the last clone is dropped, its processes and files are removed. This also happens if
/// the test is killed.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use ociman::{CommandError, RunSpec};
/// use pg_ephemeral_testkit::{Failure, FakeBackend, Operation};
///
/// let fake = FakeBackend::podman().with_image("docker.io/library/postgres:17");
/// let backend = fake.backend();
/// let spec = RunSpec::new("a".parse()?, "docker.io/library/postgres:17".parse()?).entrypoint(["sleep", "60"]);
/// let mut container = backend.run(&spec).await?;
/// assert!(matches!(backend.run(&spec).await, Err(CommandError::NameTaken { .. })));
/// container.remove_force().await?;
///
/// assert_eq!(fake.journal().count(Operation::Run), 2);
/// fake.assert_nothing_left();
/// # Ok(())
/// # }
/// ```
///
/// # What is real in a fake container
/// The files of a container are in a temporary folder, and its processes are processes of this machine that start in
/// that folder. `sh` is this machine's `sh`. Nothing isolates the processes from the rest of the machine: an absolute
/// path in a script is a path of this machine, and a script that deletes `/` would try to delete everything here. For a
/// program that this machine does not have, or must not run, [`FakeImage::program`] adds a replacement to the image. As
/// in a container, the first process receives only signals that it handles, and when it ends, all other processes are
/// killed.
///
/// # What differs from an engine
/// A mount is a symbolic link, so a read-only mount can be written. Published ports are checked for conflicts and
/// reported, but nothing listens on them unless the process does. There is no pause, no network except this machine's,
/// and no memory limit. Only root can start processes as another user.
#[derive(Clone)]
pub struct FakeBackend {
    inner: Arc<Inner>,
}

struct Inner {
    machine: Machine,
    journal: Journal,
    /// The names of the containers that the test has set up.
    given: std::sync::Mutex<BTreeSet<String>>,
    /// `true` if the engine is Podman and also answers to `docker`.
    has_shim: std::sync::atomic::AtomicBool,
    /// The URL of [`FakeBackend::remote`].
    remote: std::sync::OnceLock<String>,
    /// Declared before `folder`, so that it is dropped first.
    _watcher: Watcher,
    folder: TempDir,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.machine.end_all();
    }
}

impl fmt::Debug for FakeBackend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FakeBackend").field("speech", &self.inner.machine.speech).finish_non_exhaustive()
    }
}

impl FakeBackend {
    /// Creates a fake Docker without images and containers.
    ///
    /// # Panics
    /// Panics if the temporary folder can't be created.
    #[track_caller]
    pub fn docker() -> Self {
        Self::new(Speech::Docker)
    }

    /// Creates a fake Podman without images and containers.
    ///
    /// # Panics
    /// Panics if the temporary folder can't be created.
    #[track_caller]
    pub fn podman() -> Self {
        Self::new(Speech::Podman)
    }

    #[track_caller]
    fn new(speech: Speech) -> Self {
        let folder = must(create_short_folder("fake-engine-"), "make a folder for a fake engine");
        // Processes of other users need access to their files.
        must(files::create_open_folder(folder.path()), "open the folder of a fake engine");
        let watcher = must(Watcher::start(folder.path()), "watch over a fake engine");
        let machine = Machine::new(speech, Store::memory(), folder.path().to_owned(), Supervisor::Thread);
        let inner = Inner {
            machine,
            journal: Journal::default(),
            given: std::sync::Mutex::default(),
            has_shim: std::sync::atomic::AtomicBool::new(false),
            remote: std::sync::OnceLock::new(),
            _watcher: watcher,
            folder,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Creates a fake engine from a scenario file in TOML.
    ///
    /// ```toml
    /// engine = "podman"
    ///
    /// [[images]]
    /// name = "docker.io/library/postgres:17"
    /// variables = { PG_MAJOR = "17" }
    /// programs = { psql = { answer = { stdout = "1\n" } }, postgres = "idle" }
    ///
    /// [[containers]]
    /// name = "left-over"
    /// image = "docker.io/library/postgres:17"
    /// life = { exited = 137 }
    ///
    /// [[failures]]
    /// operation = "run"
    /// failure = { exit = { status = 125, stderr = "CommandError: out of luck" } }
    /// on-call = 2
    /// ```
    ///
    /// The default of `engine` is Docker. Without `on-call`, every call fails.
    ///
    /// # Errors
    /// Returns a [`ScenarioError`] if the file can't be read or parsed, or its images and containers can't be created.
    pub fn from_scenario(path: impl AsRef<Path>) -> Result<Self, ScenarioError> {
        let path = path.as_ref();
        let scenario = Scenario::read(path)?;
        let fake = Self::new(scenario.engine.unwrap_or(Speech::Docker));
        let set_up = fake.inner.machine.set_up(&scenario);
        set_up.map_err(|source| ScenarioError::SetUp { path: path.to_owned(), source })?;
        for container in &scenario.containers {
            fake.note(&container.name);
        }
        Ok(fake)
    }

    /// Adds an image, given by its name or as a [`FakeImage`].
    ///
    /// # Panics
    /// Panics if the name is not a valid image name.
    #[must_use]
    #[track_caller]
    pub fn with_image(self, image: impl Into<FakeImage>) -> Self {
        must(self.inner.machine.add_image(&image.into()), "add an image to a fake engine");
        self
    }

    /// Adds an image `docker.io/library/postgres` whose containers run real PostgreSQL servers.
    ///
    /// The tag is the major version of the newest PostgreSQL that is installed on this machine. Servers of
    /// `pg-ephemeral-core` can be started, seeded, committed and queried on the fake engine.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use pg_ephemeral_core::{Definition, Folders};
    /// use pg_ephemeral_testkit::FakeBackend;
    ///
    /// let fake = FakeBackend::podman().with_postgres();
    /// let home = tempfile::tempdir()?;
    /// let definition = Definition::in_folders(Folders::at(home.path())).backend(fake.backend());
    /// let server = definition.start().await?;
    /// let row = server.connect().await?.query_one("SELECT 42", &[]).await?;
    /// assert_eq!(row.get::<_, i32>(0), 42);
    /// server.stop().await?;
    /// fake.assert_nothing_left();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The server's data and sockets are among the files of its container. The server listens itself on the published
    /// port of this machine and on no other port, so inside the container it can be reached only through its socket. If
    /// the test runs as root, the server runs as the user `postgres`, with that user's permissions in mounted folders.
    /// A socket in a mounted folder is a symbolic link to the socket in the container.
    ///
    /// # Panics
    /// Panics if no PostgreSQL is installed.
    #[must_use]
    #[track_caller]
    pub fn with_postgres(self) -> Self {
        let image = must(postgres::image(self.inner.folder.path()), "put PostgreSQL behind a fake engine");
        self.with_image(image)
    }

    /// Adds an image that is not present but can be pulled.
    ///
    /// # Panics
    /// Panics if the name is not a valid image name.
    #[must_use]
    #[track_caller]
    pub fn with_registry_image(self, image: impl Into<FakeImage>) -> Self {
        must(self.inner.machine.add_to_registry(&image.into()), "add an image to a fake registry");
        self
    }

    /// Adds a container. [`FakeBackend::assert_nothing_left`] ignores it.
    ///
    /// # Panics
    /// Panics if the name of its image is not a valid image name.
    #[must_use]
    #[track_caller]
    pub fn with_container(self, container: FakeContainer) -> Self {
        must(self.inner.machine.add_container(&container), "add a container to a fake engine");
        self.note(&container.name);
        self
    }

    /// Adds a running session of pg-ephemeral: a container with the name and the label of the session, and with the
    /// given further labels.
    ///
    /// # Panics
    /// Panics if `image` is not a valid image name.
    #[must_use]
    #[track_caller]
    pub fn with_session(self, name: &str, image: &str, labels: &[(&str, &str)]) -> Self {
        let container =
            FakeContainer::new(format!("{SESSION_PREFIX}{name}"), image).label("pg-ephemeral.session", name);
        let container = labels.iter().fold(container, |container, (key, value)| container.label(key, value));
        self.with_container(container)
    }

    /// Makes Podman answer to the program name `docker` too, like Debian's package `podman-docker`.
    #[must_use]
    pub fn with_docker_shim(self) -> Self {
        self.inner.has_shim.store(true, std::sync::atomic::Ordering::Relaxed);
        self
    }

    /// Makes the engine a remote one, as `DOCKER_HOST` or `CONTAINER_HOST` with this URL would. Files of this machine
    /// can't be mounted, and servers are reached at the URL's host. Only the first call has an effect.
    ///
    /// ```
    /// use pg_ephemeral_testkit::FakeBackend;
    ///
    /// let fake = FakeBackend::docker().remote("tcp://192.0.2.7:2375");
    /// assert_eq!(fake.backend().remote_host(), Some("192.0.2.7"));
    /// ```
    #[must_use]
    pub fn remote(self, url: &str) -> Self {
        self.inner.remote.get_or_init(|| url.to_owned());
        self
    }

    /// Plans a failure of the first call of an operation. [`FakeBackend::on_call`] and [`FakeBackend::on_every_call`]
    /// choose other calls.
    ///
    /// ```
    /// use pg_ephemeral_testkit::{Failure, FakeBackend, Operation};
    ///
    /// let fake = FakeBackend::docker().fail(Operation::Commit, Failure::DiskFull).on_call(2);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn fail(self, operation: Operation, failure: Failure) -> Self {
        let fault = Fault { operation: operation.as_str().to_owned(), failure, calls: Calls::Nth(1) };
        must(self.inner.machine.store.update(|state| state.faults.push(fault)), "plan a failure of a fake engine");
        self
    }

    /// Moves the failure that was planned last to the nth call, counted from 1.
    #[must_use]
    pub fn on_call(self, nth: usize) -> Self {
        self.last_failure_on(Calls::Nth(nth))
    }

    /// Makes every call fail with the failure that was planned last.
    #[must_use]
    pub fn on_every_call(self) -> Self {
        self.last_failure_on(Calls::Every)
    }

    #[track_caller]
    fn last_failure_on(self, calls: Calls) -> Self {
        let moved = self.inner.machine.store.update(|state| {
            if let Some(fault) = state.faults.last_mut() {
                fault.calls = calls;
            }
        });
        must(moved, "plan a failure of a fake engine");
        self
    }

    /// Removes all planned failures.
    #[track_caller]
    pub fn recover(&self) {
        must(self.inner.machine.store.update(|state| state.faults.clear()), "recover a fake engine");
    }

    /// Returns a backend that uses this engine.
    pub fn backend(&self) -> Backend {
        match self.inner.machine.speech {
            Speech::Docker => Backend::docker_with(Arc::new(self.clone())),
            Speech::Podman => Backend::podman_with(Arc::new(self.clone())),
        }
    }

    /// Returns the journal of all commands that the engine has received.
    pub fn journal(&self) -> Journal {
        self.inner.journal.clone()
    }

    /// Returns the names of all containers, running or not, in the order of their creation.
    #[track_caller]
    pub fn containers(&self) -> Vec<String> {
        let names = self
            .inner
            .machine
            .store
            .update(|state| state.containers.iter().map(|container| container.name.clone()).collect());
        must(names, "read the state of a fake engine")
    }

    /// Returns the number of images without a name. An image loses its name if another image gets it.
    #[track_caller]
    pub fn nameless_images(&self) -> usize {
        let state = &self.inner.machine.store;
        let count = state.update(|state| state.images.iter().filter(|image| image.names.is_empty()).count());
        must(count, "read the state of a fake engine")
    }

    /// Returns the full names of all images, sorted.
    #[track_caller]
    pub fn images(&self) -> Vec<String> {
        let state = &self.inner.machine.store;
        let names = state.update(|state| state.images.iter().flat_map(|image| image.names.clone()).collect());
        let names: BTreeSet<String> = must(names, "read the state of a fake engine");
        names.into_iter().collect()
    }

    /// Checks that only the containers that the test has set up are left.
    ///
    /// # Panics
    /// Panics if another container is left. The message has its name and all commands.
    #[track_caller]
    #[expect(clippy::panic, reason = "a test fails by a panic")]
    pub fn assert_nothing_left(&self) {
        let given = self.lock_given().clone();
        let left: Vec<String> = self.containers().into_iter().filter(|name| !given.contains(name)).collect();
        if !left.is_empty() {
            panic!("containers are left: {}\nafter these commands:\n{}", left.join(", "), self.inner.journal);
        }
    }

    fn note(&self, name: &str) {
        self.lock_given().insert(name.to_owned());
    }

    fn lock_given(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.inner.given.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Answers a command of this engine's program. Any other program counts as not installed.
    async fn answer(&self, line: &CommandLine) -> Result<Answer, ProcessError> {
        let program = line.program.to_string_lossy();
        let is_shim = program == "docker" && self.inner.has_shim.load(std::sync::atomic::Ordering::Relaxed);
        if program != self.inner.machine.speech.program() && !is_shim {
            return Err(ProcessError::ProgramNotFound { program: line.program.clone() });
        }
        self.inner.journal.record(line);
        let arguments = line.arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let open = line.environment.iter().cloned();
        let secret = line.secrets.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
        let own =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        // The first variable of a name counts, so those of the test's own environment come last.
        let variables = secret.chain(open).chain(own).collect();
        let answer = self.inner.machine.answer(Call { arguments, variables }).await;
        answer.map_err(|source| ProcessError::Spawn { program: line.program.clone(), source })
    }
}
