//! [`database()`]: a database for each test, from a server that all tests of a run share.

use std::ops::Deref;

use pg_ephemeral_core::config::{self, Config, Overrides};
use pg_ephemeral_core::database::{EnvironmentError, Seeded};
use pg_ephemeral_core::run::{Run, RunError};
use pg_ephemeral_core::session::SESSION_VARIABLE;
use pg_ephemeral_core::{Database, Definition, Folders, Server};
use tokio::sync::OnceCell;

mod watcher;

/// Set to `failed`, databases of tests that fail stay for a look, as long as their server does.
pub const KEEP_DATABASES_VARIABLE: &str = "PG_EPHEMERAL_KEEP";

/// A private copy of the seeded database that the nearest `database.toml` describes, by the instance that
/// `PG_EPHEMERAL_INSTANCE` or `default_instance` names, else `main` or the only one:
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
/// One server serves all tests of a run, in the threads of `cargo test` and in the processes of `cargo nextest run`: the first
/// test starts it, as a [`Run`] does, and it is gone when `cargo` is. `OCIMAN_BACKEND` chooses what runs it.
///
/// Where the environment leads to a server already it is that one's databases: under `pg-ephemeral host run-env -- cargo test`,
/// and with `session host run-env --name NAME -- cargo test`, which spends no time on starting one.
///
/// # Panics
/// When there is no server, or no copy.
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

/// The server of a definition that all processes of a run share, for tests that want more of it than [`database()`] gives. It
/// is gone a moment after the run is, whatever ends that: as [`Run::server_watched`], with this very program once more as the
/// watcher, which sees by its environment that it is to be nothing else.
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
/// [`RunError`].
pub async fn shared_server(run: &Run, definition: &Definition) -> Result<Server, RunError> {
    run.server_watched(definition, watcher::start).await
}

/// What all tests of a process have copies of.
enum Shared {
    /// Somebody else has started it.
    OfEnvironment(Seeded),
    /// The tests have.
    OfRun(Box<Server>),
}

impl Shared {
    async fn find() -> Self {
        match Seeded::of_environment() {
            Ok(seeded) => Self::OfEnvironment(seeded),
            // Those who lead tests to a server set them all.
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

/// What the nearest configuration says. Tests run in the folder of their package.
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

/// A database of a test. It goes with the value, unless [`KEEP_DATABASES_VARIABLE`] says otherwise.
#[derive(Debug)]
pub struct TestDatabase {
    database: Database,
    /// The session whose server it is on.
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
