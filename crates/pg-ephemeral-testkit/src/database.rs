//! [`database()`]: a database for each test, from a server that all tests of a run share.

use std::ops::Deref;
use std::sync::OnceLock;

use pg_ephemeral_core::Database;
use pg_ephemeral_core::database::Seeded;

/// Set to `failed`, databases of tests that fail stay for a look, as long as their server does.
pub const KEEP_DATABASES_VARIABLE: &str = "PG_EPHEMERAL_KEEP";

/// A private copy of the seeded database of the server that the tests run under, as all of them have it:
///
/// ```sh
/// pg-ephemeral host run-env -- cargo test       # or cargo nextest run
/// ```
///
/// One server serves all of them, in threads or in processes, and is gone when the run is. With `session host run-env
/// --name NAME` it is the session's, and no time is spent on starting one.
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
/// # Panics
/// When the tests do not run so, or there is no copy.
#[track_caller]
pub fn database() -> impl Future<Output = TestDatabase> {
    static SEEDED: OnceLock<Seeded> = OnceLock::new();
    let seeded = SEEDED.get_or_init(|| match Seeded::of_environment() {
        Ok(seeded) => seeded,
        Err(error) => fail(&error, error.hint()),
    });
    async move {
        match seeded.database().await {
            Ok(database) => TestDatabase { database },
            Err(error) => fail(&error, error.hint()),
        }
    }
}

/// A database of a test. It goes with the value, unless [`KEEP_DATABASES_VARIABLE`] says otherwise.
#[derive(Debug)]
pub struct TestDatabase {
    database: Database,
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
            eprintln!("the test's database is kept: psql \"$(pg-ephemeral database url {name} --session SESSION)\"");
        }
    }
}

#[track_caller]
#[expect(clippy::panic, reason = "a test ends when it has no database")]
fn fail(error: &dyn std::fmt::Display, hint: Option<&str>) -> ! {
    match hint {
        Some(hint) => panic!("{error}\nhint: {hint}"),
        None => panic!("{error}"),
    }
}
