//! Tests of reviews with a real PostgreSQL, as plain processes of this machine and behind fake engines. They need no
//! engine.
#![allow(clippy::unwrap_used)]

use ociman::Kind;
use pg_ephemeral_core::config::BackendChoice;
use pg_ephemeral_core::seed::spec::SeedSpec;
use pg_ephemeral_core::session::Name;
use pg_ephemeral_core::{Definition, Folders, StartError, session_name};
use pg_ephemeral_testkit::{Failure, FakeBackend, Operation};
use review_databases::{ReviewError, Reviews, Verdict};

const PRICES: Name = session_name!("new-prices");

async fn reviews(home: &tempfile::TempDir) -> Reviews {
    seeded(home, &[]).await
}

/// Opens the reviews of a branch that needs these seeds, given as pairs of name and statement.
async fn seeded(home: &tempfile::TempDir, seeds: &[(&str, &str)]) -> Reviews {
    let folders = Folders::at(home.path());
    let plain = Definition::in_folders(folders.clone()).backend_choice(BackendChoice::Only(Kind::Host));
    let definition = seeds.iter().fold(plain, |definition, (name, statement)| {
        definition.seed(name.parse().unwrap(), SeedSpec::SqlStatement { statement: (*statement).to_owned() })
    });
    Reviews::open(definition, folders).await.unwrap()
}

#[tokio::test]
async fn a_review_is_outdated_as_soon_as_its_branch_asks_for_other_seeds() {
    let home = tempfile::tempdir().unwrap();
    let (schema, data) = (("schema", "create table prices (cents int)"), ("data", "insert into prices values (42)"));
    let begun = seeded(&home, &[schema, data]).await;
    begun.begin(&PRICES).await.unwrap();
    let server = begun.server(&PRICES).await.unwrap();
    let row = server.connect().await.unwrap().query_one("select cents from prices", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 42);

    let wanted: [(&[(&str, &str)], &str); 6] = [
        (&[schema, data], "current"),
        (&[schema], "seed data removed at position 2"),
        (&[schema, data, ("more", "select 1")], "seed more added at position 3"),
        (&[schema, ("rows", data.1)], "seed data at position 2 is now rows"),
        (&[data, schema], "seed schema at position 1 is now data"),
        (&[schema, ("data", "insert into prices values (43)")], "seed data at position 2 changed"),
    ];
    for (seeds, expected) in wanted {
        let told = match seeded(&home, seeds).await.verdict(&PRICES).await.unwrap() {
            Verdict::Current => "current".to_owned(),
            Verdict::Outdated(divergence) => divergence.to_string(),
        };
        assert_eq!(told, expected);
    }
    begun.end(&PRICES).await.unwrap();
    assert!(matches!(begun.verdict(&PRICES).await, Err(ReviewError::Unknown { .. })));
}

#[tokio::test]
async fn a_review_s_database_keeps_what_is_put_into_it_until_the_review_ends() {
    let home = tempfile::tempdir().unwrap();
    let reviews = reviews(&home).await;
    let review = reviews.begin(&PRICES).await.unwrap();
    assert_eq!((review.name.as_str(), review.instance.as_deref()), ("new-prices", Some("main")));
    assert_eq!(reviews.all().await.unwrap(), [review]);

    let first = reviews.server(&PRICES).await.unwrap();
    let client = first.connect().await.unwrap();
    client.batch_execute("create table prices (cents int); insert into prices values (42)").await.unwrap();
    drop((client, first));

    let again = reviews.server(&PRICES).await.unwrap();
    let row = again.connect().await.unwrap().query_one("select cents from prices", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 42);
    again.stop().await.unwrap();

    reviews.end(&PRICES).await.unwrap();
    assert!(reviews.all().await.unwrap().is_empty());
    assert!(matches!(reviews.server(&PRICES).await, Err(ReviewError::Unknown { known, .. }) if known.is_empty()));
}

#[tokio::test]
async fn a_review_that_has_a_database_gets_no_second_one_and_tests_run_beside_it() {
    let home = tempfile::tempdir().unwrap();
    let reviews = reviews(&home).await;
    reviews.begin(&PRICES).await.unwrap();
    let Err(ReviewError::Start { source, .. }) = reviews.begin(&PRICES).await else { unreachable!("it has one") };
    assert!(matches!(*source, StartError::SessionExists { .. }), "{source:?}");

    let server = reviews.server_for_tests().await.unwrap();
    server.connect().await.unwrap().batch_execute("create table only_here ()").await.unwrap();
    assert_eq!(reviews.all().await.unwrap().len(), 1);
    server.stop().await.unwrap();

    reviews.server(&PRICES).await.unwrap().connect().await.unwrap().query("select 1", &[]).await.unwrap();
    reviews.end(&PRICES).await.unwrap();
}

#[tokio::test]
async fn on_a_docker_and_a_podman_a_review_s_database_answers_and_its_tests_leave_nothing() {
    for fake in [FakeBackend::docker().with_postgres(), FakeBackend::podman().with_postgres()] {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let definition = Definition::in_folders(folders.clone()).backend(fake.backend());
        let reviews = Reviews::open(definition, folders).await.unwrap();
        reviews.begin(&PRICES).await.unwrap();
        let server = reviews.server(&PRICES).await.unwrap();
        let row = server.connect().await.unwrap().query_one("select 42", &[]).await.unwrap();
        assert_eq!(row.get::<_, i32>(0), 42);

        let beside = reviews.server_for_tests().await.unwrap();
        beside.connect().await.unwrap().batch_execute("create table only_here ()").await.unwrap();
        beside.stop().await.unwrap();

        reviews.end(&PRICES).await.unwrap();
        fake.assert_nothing_left();
    }
}

#[tokio::test]
async fn an_engine_that_stops_in_the_middle_of_a_start_is_told_and_leaves_nothing_when_it_is_back() {
    for fake in [FakeBackend::docker().with_postgres(), FakeBackend::podman().with_postgres()] {
        let fake = fake.fail(Operation::Commit, Failure::EngineDown);
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let definition = Definition::in_folders(folders.clone()).backend(fake.backend());
        let reviews = Reviews::open(definition, folders).await.unwrap();
        assert!(matches!(reviews.begin(&PRICES).await, Err(ReviewError::Start { .. })));
        fake.assert_nothing_left();
        reviews.begin(&PRICES).await.unwrap();
        reviews.end(&PRICES).await.unwrap();
    }
}
