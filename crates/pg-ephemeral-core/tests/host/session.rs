//! Sessions of the library on the host backend, with a real PostgreSQL.

use std::path::Path;
use std::time::Duration;

use ociman::{Backend, Host, Kind};
use pg_ephemeral_core::config::BackendChoice;
use pg_ephemeral_core::reap::{LateStarts, reap_labelled, reap_recorded};
use pg_ephemeral_core::session::{Name, Session};
use pg_ephemeral_core::{Definition, Folders, Server, StartError, session_name};
use pg_ephemeral_testkit::base_layer::state_with_base_layer;
use pg_ephemeral_testkit::wait_until_async;

fn folders(home: &Path) -> Folders {
    Folders::at(home)
}

fn definition(home: &Path) -> Definition {
    Definition::in_folders(folders(home)).backend_choice(BackendChoice::Only(Kind::Host))
}

fn backend(home: &Path) -> Backend {
    Backend::host(Host::at(folders(home).host()))
}

/// A temporary home folder. Dropping it stops the sessions that a failed test has left.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(state_with_base_layer())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let backend = backend(self.path());
        // A destructor can't wait for the test's own runtime.
        let stopper = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                for session in Session::list(&backend).await.unwrap_or_default() {
                    let _ = session.stop().await;
                }
            });
        });
        let _ = stopper.join();
    }
}

const REVIEW: Name = session_name!("review");

async fn names(home: &Path) -> Vec<String> {
    Session::list(&backend(home)).await.unwrap().iter().map(|session| session.name().to_string()).collect()
}

#[tokio::test]
async fn a_session_outlives_its_start_and_can_be_attached_to_and_stopped() {
    let home = Home::new();
    definition(home.path()).start_session(&REVIEW, None).await.unwrap();
    let session = Session::find(&backend(home.path()), &REVIEW).await.unwrap().unwrap();
    let server = Server::attach(&session, &folders(home.path())).unwrap();
    server.connect().await.unwrap().batch_execute("create table t ()").await.unwrap();
    drop(server);
    let server = Server::attach(&session, &folders(home.path())).unwrap();
    server.connect().await.unwrap().query("select from t", &[]).await.unwrap();
    session.stop().await.unwrap();
    assert!(names(home.path()).await.is_empty());
}

#[tokio::test]
async fn a_definition_with_a_session_s_name_starts_that_session_and_attaches_to_it() {
    let home = Home::new();
    let definition = definition(home.path()).session_name(REVIEW);
    let server = definition.start().await.unwrap();
    server.connect().await.unwrap().batch_execute("create table t ()").await.unwrap();
    server.stop().await.unwrap();
    assert_eq!(names(home.path()).await, ["review"]);
    let error = definition.start().await.unwrap_err();
    assert!(matches!(error, StartError::SessionExists { .. }), "{error}");
}

#[tokio::test]
async fn a_name_that_is_in_use_is_refused_and_the_running_session_left_alone() {
    let home = Home::new();
    let session = definition(home.path()).start_session(&REVIEW, None).await.unwrap();
    let error = definition(home.path()).start_session(&REVIEW, None).await.unwrap_err();
    assert!(matches!(error, StartError::SessionExists { .. }), "{error}");
    let server = Server::attach(&session, &folders(home.path())).unwrap();
    server.connect().await.unwrap();
    session.stop().await.unwrap();
}

#[tokio::test]
async fn exactly_one_of_several_concurrent_starts_of_a_session_succeeds() {
    let home = Home::new();
    definition(home.path()).start().await.unwrap().stop().await.unwrap();
    let definition = definition(home.path());
    let name = REVIEW;
    let starts = (0..4).map(|_| definition.start_session(&name, None));
    let ended = futures_util::future::join_all(starts).await;
    let lost = ended.iter().filter(|ended| matches!(ended, Err(StartError::SessionExists { .. }))).count();
    assert_eq!(lost, 3, "{ended:?}");
    let session = ended.into_iter().find_map(Result::ok).unwrap();
    Server::attach(&session, &folders(home.path())).unwrap().connect().await.unwrap();
    session.stop().await.unwrap();
}

#[tokio::test]
async fn a_failing_seed_leaves_no_session_and_does_not_take_the_name() {
    let home = Home::new();
    let seed = pg_ephemeral_core::seed::spec::SeedSpec::Script {
        script: "exit 3".to_owned(),
        files: Vec::new(),
        cache: pg_ephemeral_core::seed::spec::CacheStrategy::None,
    };
    let failing = definition(home.path()).seed("broken".parse().unwrap(), seed);
    assert!(matches!(failing.start_session(&REVIEW, None).await, Err(StartError::Seed { .. })));
    assert!(names(home.path()).await.is_empty());
    definition(home.path()).start_session(&REVIEW, None).await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn a_server_from_a_layer_that_a_session_built_is_not_a_session() {
    let home = Home::new();
    let session = definition(home.path()).start_session(&REVIEW, None).await.unwrap();
    let server = definition(home.path()).start().await.unwrap();
    assert_eq!(names(home.path()).await, ["review"]);
    server.stop().await.unwrap();
    session.stop().await.unwrap();
}

#[tokio::test]
async fn a_session_is_removed_after_its_expiry_and_not_before() {
    let home = Home::new();
    let hour = Some(Duration::from_secs(3600));
    definition(home.path()).start_session(&REVIEW, hour).await.unwrap();
    definition(home.path()).start_session(&session_name!("short"), Some(Duration::ZERO)).await.unwrap();
    // A session expires at a whole second.
    let mut reaped = Vec::new();
    wait_until_async("the short session's end", Duration::from_secs(10), async || {
        reaped.extend(reap_recorded(&folders(home.path()), &backend(home.path()), LateStarts::Hurry).await);
        !reaped.is_empty()
    })
    .await;
    assert_eq!(reaped.len(), 1);
    assert_eq!(reaped[0].container, "pg-ephemeral-session-short");
    assert!(reap_labelled(&folders(home.path()), &backend(home.path())).await.unwrap().is_empty());
    assert_eq!(names(home.path()).await, ["review"]);
    Session::find(&backend(home.path()), &REVIEW).await.unwrap().unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn a_session_whose_server_was_killed_is_not_listed_and_its_name_is_free() {
    let home = Home::new();
    let session = definition(home.path()).start_session(&REVIEW, None).await.unwrap();
    session.container().stop(Duration::from_secs(10)).await.unwrap();
    assert!(names(home.path()).await.is_empty());
    definition(home.path()).start_session(&REVIEW, None).await.unwrap().stop().await.unwrap();
}
