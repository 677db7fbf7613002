//! [`database()`]: a database for each test, on a server that all tests of a run share.

use std::ops::Deref;

use pg_ephemeral_core::config::{self, Config, Overrides};
use pg_ephemeral_core::database::{EnvironmentError, Seeded};
use pg_ephemeral_core::run::{Run, RunError};
use pg_ephemeral_core::session::SESSION_VARIABLE;
use pg_ephemeral_core::{Database, Definition, Folders, Server};
use tokio::sync::OnceCell;

mod watcher;

/// The environment variable that keeps databases. If its value is `failed`, the databases of failed tests are kept as
/// long as their server runs.
pub const KEEP_DATABASES_VARIABLE: &str = "PG_EPHEMERAL_KEEP";

/// Creates a private copy of the seeded database that the nearest `database.toml` describes.
///
/// The instance is the one that `PG_EPHEMERAL_INSTANCE` or `default_instance` names. If neither is set, it is `main` or
/// the only instance.
///
/// ```no_run
/// #[tokio::test]
/// async fn books_can_be_deleted() {
///     let database = pg_ephemeral_testkit::database().await;
///     let client = database.connect().await.unwrap();
///     assert_eq!(client.execute("delete from books", &[]).await.unwrap(), 3);
/// }
/// ```
///
/// All tests of a run share one server, both the threads of `cargo test` and the processes of `cargo nextest run`. The
/// first test starts the server with [`Run`], and the server is removed when `cargo` ends. `OCIMAN_BACKEND` chooses its
/// backend.
///
/// If the environment already names a server, that server is used instead. This is the case under
/// `pg-ephemeral host run-env -- cargo test` and under
/// `pg-ephemeral session host run-env --name NAME -- cargo test`, which spends no time on starting a server.
///
/// # Panics
/// Panics if the server can't be started or reached, or if the copy can't be created.
#[track_caller]
pub fn database() -> impl Future<Output = TestDatabase> {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    async move {
        let shared = SHARED.get_or_init(Shared::find).await;
        let (made, session) = match shared {
            Shared::OfEnvironment(seeded) => (seeded.database().await, std::env::var(SESSION_VARIABLE).ok()),
            Shared::OfRun(server) => (server.database().await, server.session().map(|name| name.to_string())),
        };
        match made {
            Ok(database) => TestDatabase { database, session },
            Err(error) => fail(&error, error.hint()),
        }
    }
}

/// Returns the server of a definition that all processes of a run share, for tests that need more than [`database()`]
/// offers.
///
/// The server is removed shortly after the run ends, even if the run is killed. [`Run::server_watched`] starts it, with
/// a second process of the current program as the watcher. An environment variable tells that process that it is the
/// watcher.
///
/// ```no_run
/// use pg_ephemeral_core::Definition;
/// use pg_ephemeral_core::run::Run;
///
/// #[tokio::test]
/// async fn the_schema_can_be_dumped() {
///     let definition = Definition::new().unwrap();
///     let server = pg_ephemeral_testkit::shared_server(&Run::current(), &definition).await.unwrap();
///     assert!(!server.schema_dump().await.unwrap().is_empty());
/// }
/// ```
///
/// # Errors
/// Returns a [`RunError`] if the server can't be started or attached to.
pub async fn shared_server(run: &Run, definition: &Definition) -> Result<Server, RunError> {
    run.server_watched(definition, watcher::start).await
}

/// The seeded database that the tests of a process copy.
enum Shared {
    /// The environment names its server.
    OfEnvironment(Seeded),
    /// The tests of the run have started its server.
    OfRun(Box<Server>),
}

impl Shared {
    async fn find() -> Self {
        match Seeded::of_environment() {
            Ok(seeded) => Self::OfEnvironment(seeded),
            // Programs that name a server in the environment set all of its variables, so a missing one means no
            // server.
            Err(EnvironmentError::Missing { .. }) => Self::of_run().await,
            Err(error) => fail(&error, error.hint()),
        }
    }

    async fn of_run() -> Self {
        let definition = definition().unwrap_or_else(|error| fail(error.as_ref(), None));
        match shared_server(&Run::current(), &definition).await {
            Ok(server) => Self::OfRun(Box::new(server)),
            Err(error) => fail(&error, error.hint().as_deref()),
        }
    }
}

/// Reads the definition from the nearest configuration file. Tests run in the folder of their package.
fn definition() -> Result<Definition, Box<dyn std::error::Error>> {
    let folder = std::env::current_dir()?;
    let config = match config::find(&folder)? {
        Some(path) => Config::load(path)?,
        None => Config::without_file(folder),
    };
    let name = config.choose_instance(config::instance_of_environment()?.as_ref())?;
    let instance = config.instance(&name, &Overrides::default())?;
    Ok(Definition::of_instance(Folders::of_user()?, &instance))
}

/// The database of a test. Dropping the value removes the database, unless [`KEEP_DATABASES_VARIABLE`] keeps it.
#[derive(Debug)]
pub struct TestDatabase {
    database: Database,
    /// The session of its server, if the server belongs to one.
    session: Option<String>,
}

impl Deref for TestDatabase {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.database
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if std::thread::panicking() && std::env::var(KEEP_DATABASES_VARIABLE).is_ok_and(|value| value == "failed") {
            self.database.keep_when_dropped();
            let name = self.database.name();
            match &self.session {
                Some(session) => eprintln!(
                    "the test's database is kept: psql \"$(pg-ephemeral database url {name} --session {session})\""
                ),
                None => eprintln!("the test's database {name} is kept, as long as its server runs"),
            }
        }
    }
}

#[track_caller]
#[expect(clippy::panic, reason = "a test ends when it has no database")]
fn fail(error: &dyn std::error::Error, hint: Option<&str>) -> ! {
    let mut message = error.to_string();
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    message.extend(causes.map(|cause| format!("\ncaused by: {cause}")));
    match hint {
        Some(hint) => panic!("{message}\nhint: {hint}"),
        None => panic!("{message}"),
    }
}
