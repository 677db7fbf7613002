//! Databases for single tests on the host backend, with a real PostgreSQL.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use ociman::Kind;
use pg_ephemeral_core::config::BackendChoice;
use pg_ephemeral_core::database::{Database, DatabaseInfo, Name};
use pg_ephemeral_core::owner::Liveness;
use pg_ephemeral_core::session::Session;
use pg_ephemeral_core::{DatabaseError, Definition, Folders, Server, session_name};
use pg_ephemeral_testkit::base_layer::state_with_base_layer;
use pg_ephemeral_testkit::wait_until_async;

const AMPLE: Duration = Duration::from_secs(60);
const BOOKS: &str = "create table books (title text); insert into books values ('Emma'), ('Dune')";

fn definition(home: &Path) -> Definition {
    let definition = Definition::in_folders(Folders::at(home)).backend_choice(BackendChoice::Only(Kind::Host));
    definition.sql_statement("books".parse().unwrap(), BOOKS)
}

async fn books(database: &Database) -> i64 {
    let client = database.connect().await.unwrap();
    client.query_one("select count(*) from books", &[]).await.unwrap().get(0)
}

async fn names(server: &Server) -> Vec<String> {
    server.list_databases().await.unwrap().into_iter().map(|database| database.name).collect()
}

async fn connect_to(server: &Server, name: &str) -> tokio_postgres::Client {
    let url = server.database_url(name).await.unwrap();
    let (client, connection) = tokio_postgres::connect(url.expose(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn each_database_has_the_seeded_data_and_no_change_of_another() {
    let home = state_with_base_layer();
    let server = definition(home.path()).start().await.unwrap();
    assert_eq!(server.list_databases().await.unwrap(), []);
    let first = server.database().await.unwrap();
    first.connect().await.unwrap().batch_execute("delete from books").await.unwrap();
    // A change to the seeded database no longer affects copies.
    server.connect().await.unwrap().batch_execute("drop table books").await.unwrap();
    let second = server.database().await.unwrap();
    assert_eq!((books(&first).await, books(&second).await), (0, 2));
    assert_ne!(first.name(), second.name());
    assert!(second.url().expose().ends_with(&format!("/{}?sslmode=disable", second.name())));
    server.stop().await.unwrap();
}

#[tokio::test]
async fn five_hundred_concurrent_tests_have_a_database_each_and_leave_none() {
    // Use a file system in memory if there is one: a copy is three hundred files, which takes most disks a tenth of a
    // second.
    let memory = Path::new("/dev/shm");
    let home = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let server = definition(home.path()).parameter("max_connections=200".parse().unwrap()).start().await.unwrap();
    let gate = tokio::sync::Semaphore::new(100);
    let test = async |number: i32| {
        let _permit = gate.acquire().await.unwrap();
        let database = server.database().await.unwrap();
        let client = database.connect().await.unwrap();
        client.execute("insert into books values ($1)", &[&number.to_string()]).await.unwrap();
        let rows = client.query("select title from books order by title", &[]).await.unwrap();
        let titles: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(titles, ["Dune", "Emma", &number.to_string()].map(String::from).into());
        let name = database.name().to_owned();
        database.close().await.unwrap();
        name
    };
    let names: BTreeSet<String> = futures_util::future::join_all((0..500).map(test)).await.into_iter().collect();
    assert_eq!(names.len(), 500);
    let left = server.list_databases().await.unwrap();
    assert!(left.len() <= 8 && left.iter().all(|spare| !names.contains(&spare.name)), "{left:?}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn dropping_the_value_drops_the_database_even_if_a_client_is_connected() {
    let home = state_with_base_layer();
    let server = definition(home.path()).start().await.unwrap();
    let database = server.database().await.unwrap();
    let client = database.connect().await.unwrap();
    assert_eq!(names(&server).await, [database.name()]);
    drop(database);
    wait_until_async("the database has gone", AMPLE, async || names(&server).await.is_empty()).await;
    assert!(client.batch_execute("select 1").await.is_err());
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_kept_database_stays_and_can_be_reset_and_dropped_by_name() {
    let home = state_with_base_layer();
    let server = definition(home.path()).start().await.unwrap();
    let database = server.single_database().await.unwrap();
    database.connect().await.unwrap().batch_execute("delete from books").await.unwrap();
    let name = database.name().to_owned();
    let kept = database.keep().await.unwrap();
    assert_eq!(kept.database, name);
    let listed = server.list_databases().await.unwrap();
    assert!(matches!(&listed[..], [DatabaseInfo { owner: None, .. }]), "{listed:?}");
    let mut other = server.single_database().await.unwrap();
    let other_name = other.name().to_owned();
    other.keep_when_dropped();
    drop(other);
    let listed = server.list_databases().await.unwrap();
    assert!(listed.len() == 2 && listed.iter().all(|database| database.owner.is_none()), "{listed:?}");
    server.drop_database(&other_name).await.unwrap();
    let in_it = connect_to(&server, &name).await;
    server.reset_database(&name).await.unwrap();
    assert!(in_it.batch_execute("select 1").await.is_err());
    let listed = server.list_databases().await.unwrap();
    assert!(listed.len() == 1 && listed[0].name == name && listed[0].owner.is_none(), "{listed:?}");
    let in_it = connect_to(&server, &name).await;
    assert_eq!(in_it.query("select from books", &[]).await.unwrap().len(), 2);

    // If a database can't be reset, it is unchanged.
    in_it.batch_execute("delete from books where title = 'Emma'").await.unwrap();
    let client = server.connect().await.unwrap();
    // Mark the template as a database whose removal was interrupted, so that it can't be copied.
    let mark = "update pg_database set datconnlimit = -2 where datname = 'pg_ephemeral_template'";
    client.batch_execute(mark).await.unwrap();
    let is_refused = async || matches!(server.single_database().await, Err(DatabaseError::Create { .. }));
    wait_until_async("the server makes no database", AMPLE, is_refused).await;
    let error = server.reset_database(&name).await.unwrap_err();
    assert!(matches!(&error, DatabaseError::Create { .. }), "{error:?}");
    assert_eq!(in_it.query("select from books", &[]).await.unwrap().len(), 1);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_reset_that_fails_at_its_end_leaves_the_database_unchanged() {
    let home = state_with_base_layer();
    let server = definition(home.path()).start().await.unwrap();
    let name: Name = "review".parse().unwrap();
    server.create_database(&name).await.unwrap();
    connect_to(&server, name.as_str()).await.batch_execute("delete from books where title = 'Emma'").await.unwrap();
    let client = server.connect().await.unwrap();
    client.batch_execute("begin").await.unwrap();
    client.batch_execute("alter database review connection limit 7").await.unwrap();
    // Cancel the reset once it waits for the lock of the other connection's change.
    let canceller = server.connect().await.unwrap();
    let cancel = async {
        let waiting = "select count(pg_cancel_backend(pid)) from pg_stat_activity where wait_event_type = 'Lock'";
        while canceller.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let (reset, ()) = tokio::join!(server.reset_database(name.as_str()), cancel);
    let error = reset.unwrap_err();
    assert!(matches!(&error, DatabaseError::Reset { name, .. } if name == "review"), "{error:?}");
    client.batch_execute("rollback").await.unwrap();
    let in_it = connect_to(&server, name.as_str()).await;
    assert_eq!(in_it.query("select from books", &[]).await.unwrap().len(), 1);
    assert_eq!(names(&server).await, ["review"]);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn operations_that_are_not_possible_are_errors_that_say_why() {
    let home = state_with_base_layer();
    let server = definition(home.path()).start().await.unwrap();
    let held = server.connect().await.unwrap();
    let error = server.database().await.unwrap_err();
    assert!(matches!(&error, DatabaseError::InUse { database } if database == "postgres"), "{error:?}");
    assert!(error.hint().is_some());
    drop(held);

    let review: Name = "review".parse().unwrap();
    server.create_database(&review).await.unwrap();
    let error = server.create_database(&review).await.unwrap_err();
    assert!(matches!(&error, DatabaseError::Exists { name } if name == "review"), "{error:?}");
    let error = server.drop_database("postgres").await.unwrap_err();
    assert!(matches!(&error, DatabaseError::NotOurs { .. }), "{error:?}");
    let error = server.reset_database("nosuch").await.unwrap_err();
    assert!(matches!(&error, DatabaseError::NotFound { .. }), "{error:?}");
    let client = server.connect().await.unwrap();
    client.batch_execute("alter database pg_ephemeral_template is_template false").await.unwrap();
    client.batch_execute("drop database pg_ephemeral_template").await.unwrap();
    // The template is made again, as after a session was restored from a snapshot without one, once no client is
    // connected to the seeded database.
    let error = server.database().await.unwrap_err();
    assert!(matches!(&error, DatabaseError::InUse { .. }), "{error:?}");
    drop(client);
    assert_eq!(books(&server.database().await.unwrap()).await, 2);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn copies_have_the_owner_privileges_and_settings_of_the_seeded_database() {
    let home = state_with_base_layer();
    let settings = "create role app login; create role \"Web Ä\"; alter database postgres owner to app; \
         revoke connect on database postgres from public; grant connect, temporary on database postgres to \"Web Ä\"; \
         alter database postgres set search_path = 'Own', public; alter database postgres set application_name = 'it''s'; \
         alter role app in database postgres set work_mem = '7MB'";
    let definition = definition(home.path()).sql_statement("settings".parse().unwrap(), settings);
    let server = definition.start().await.unwrap();
    let facts = async |database: &str| {
        let client = server.connect().await.unwrap();
        let query = "select pg_get_userbyid(datdba)::text, \
             (select array_agg(distinct privilege_type || ' ' || grantee::regrole::text) from aclexplode(datacl)), \
             (select array_agg(distinct setrole::regrole::text || setconfig::text) from pg_db_role_setting where setdatabase = d.oid) \
             from pg_database d where datname = $1";
        let row = client.query_one(query, &[&database]).await.unwrap();
        (row.get::<_, String>(0), row.get::<_, Vec<String>>(1), row.get::<_, Vec<String>>(2))
    };
    let copy = server.database().await.unwrap();
    let (owner, privileges, settings) = facts("postgres").await;
    assert_eq!((owner.as_str(), privileges.len(), settings.len()), ("app", 6, 2), "{privileges:?} {settings:?}");
    assert_eq!(facts(copy.name()).await, (owner, privileges, settings));
    server.stop().await.unwrap();
}

#[tokio::test]
async fn databases_on_a_session_are_dropped_by_their_process_or_by_the_next_one() {
    let home = state_with_base_layer();
    let folders = Folders::at(home.path());
    let session = definition(home.path()).start_session(&session_name!("databases"), None).await.unwrap();
    let stopped = check_session(&session, &folders).await;
    session.stop().await.unwrap();
    stopped.unwrap();
}

async fn check_session(session: &Session, folders: &Folders) -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::attach(session, folders)?;
    let mut databases = Vec::new();
    for _ in 0..4 {
        databases.push(server.database().await?);
    }
    // A database of a process that was killed.
    let dead = databases.pop().unwrap();
    let mut parts: Vec<&str> = dead.name().split('_').collect();
    parts[4] = "1";
    let left = parts.join("_");
    server.connect().await?.batch_execute(&format!("alter database {} rename to {left}", dead.name())).await?;
    let listed = server.list_databases().await?;
    let owner = |name: &str| listed.iter().find(|database| database.name == name).and_then(|database| database.owner);
    assert_eq!(owner(&left), Some(Liveness::Dead), "{listed:?}");
    drop((databases, dead));
    drop(server);

    let next = Server::attach(session, folders)?;
    assert_eq!(names(&next).await, [left.as_str()], "the last process dropped its own, made in advance or not");
    let only = next.single_database().await?;
    assert_eq!(names(&next).await, [only.name()]);
    only.close().await?;
    assert_eq!(names(&next).await, Vec::<String>::new());
    for _ in 0..3 {
        next.database().await?.close().await?;
    }
    next.stop().await?;
    let last = Server::attach(session, folders)?;
    assert_eq!(names(&last).await, Vec::<String>::new());
    Ok(())
}

/// Dropping thousands of databases one by one would take minutes.
#[tokio::test]
async fn a_server_that_stops_removes_its_databases_without_dropping_each_one() {
    let home = state_with_base_layer();
    let server = definition(home.path()).start().await.unwrap();
    let database = server.database().await.unwrap();
    server.stop().await.unwrap();
    let error = database.close().await.unwrap_err();
    assert!(matches!(error, DatabaseError::System(_)), "it tried to connect: {error:?}");
}

#[test]
fn one_server_serves_tests_that_each_have_their_own_runtime() {
    let home = state_with_base_layer();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime().block_on(definition(home.path()).start()).unwrap();
    for _ in 0..3 {
        let database = runtime().block_on(server.database()).unwrap();
        assert_eq!(runtime().block_on(books(&database)), 2);
    }
    runtime().block_on(server.stop()).unwrap();
}
