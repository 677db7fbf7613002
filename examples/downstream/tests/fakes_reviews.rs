//! Tests of reviews on fake engines inside the test process. They need no engine, no image and no network.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::error::Error;

use pg_ephemeral_core::session::{Divergence, FindError, ListError, Name};
use pg_ephemeral_core::{Definition, Folders, session_name};
use pg_ephemeral_testkit::{Failure, FakeBackend, FakeContainer, FakeImage, Journal, Operation};
use review_databases::{Review, ReviewError, Reviews, Verdict};

const IMAGE: &str = "docker.io/library/postgres:17";
const PRICES: Name = session_name!("new-prices");

fn engines() -> [FakeBackend; 2] {
    [FakeBackend::docker(), FakeBackend::podman()]
}

/// Opens the reviews on an engine, with their state in the folder `home`.
async fn reviews(fake: &FakeBackend, home: &tempfile::TempDir) -> Reviews {
    let folders = Folders::at(home.path());
    Reviews::open(Definition::in_folders(folders.clone()).backend(fake.backend()), folders).await.unwrap()
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Returns a container with any name whose label claims that it is a review's database.
fn claiming(container: &str, review: &str) -> FakeContainer {
    FakeContainer::new(container, IMAGE).label("pg-ephemeral.session", review)
}

fn assert_only(journal: &Journal, operation: Operation, count: usize) {
    assert_eq!((journal.total(), journal.count(operation)), (count, count), "{journal}");
}

/// Returns an error's message with its causes.
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[tokio::test]
async fn all_reviews_are_listed_with_what_they_run_by_one_command_however_many_there_are() {
    for count in [0, 1, 50] {
        for fake in engines() {
            let labels = [("pg-ephemeral.instance", "main"), ("pg-ephemeral.image", IMAGE)];
            let fake =
                (0..count).fold(fake, |fake, number| fake.with_session(&format!("b{number:02}"), IMAGE, &labels));
            let all = reviews(&fake, &home()).await.all().await.unwrap();
            let expected: Vec<Review> = (0..count)
                .map(|number| Review {
                    name: format!("b{number:02}").parse().unwrap(),
                    instance: Some("main".to_owned()),
                    image: Some(IMAGE.to_owned()),
                })
                .collect();
            assert_eq!(all, expected);
            assert_only(&fake.journal(), Operation::List, 1);
        }
    }
}

#[tokio::test]
async fn ending_a_review_removes_its_database_and_no_other() {
    for fake in engines() {
        let fake = fake.with_session("new-prices", IMAGE, &[]).with_session("old-prices", IMAGE, &[]);
        let reviews = reviews(&fake, &home()).await;
        reviews.end(&PRICES).await.unwrap();
        let left: Vec<String> =
            reviews.all().await.unwrap().into_iter().map(|review| review.name.to_string()).collect();
        assert_eq!(left, ["old-prices"]);
        assert_eq!(fake.journal().count(Operation::Remove), 1);
        fake.assert_nothing_left();
    }
}

/// Returns the container of a review's database, with the labels that pg-ephemeral sets.
fn labelled(image: &str, version: &str) -> FakeContainer {
    let owner = r#"{"host":"ci","boot":"b","namespace":"n","pid":1,"start":1}"#;
    let labels = [
        ("version", version),
        ("instance", "main"),
        ("image", image),
        ("seeds", "[]"),
        ("superuser.user", "postgres"),
        ("superuser.database", "postgres"),
        ("owner", owner),
        ("nonce", "n"),
    ];
    let container = claiming("pg-ephemeral-session-new-prices", "new-prices");
    labels.iter().fold(container, |container, (key, value)| container.label(&format!("pg-ephemeral.{key}"), value))
}

#[tokio::test]
async fn a_review_is_outdated_when_its_branch_asks_for_another_image() {
    for (image, expected) in [(IMAGE, "current"), ("docker.io/library/postgres:15", "outdated")] {
        for fake in engines() {
            let fake = fake.with_image(FakeImage::postgres("17")).with_container(labelled(image, "0.1.0"));
            let home = home();
            let folders = Folders::at(home.path());
            let definition =
                Definition::in_folders(folders.clone()).backend(fake.backend()).image("17".parse().unwrap());
            let reviews = Reviews::open(definition, folders).await.unwrap();
            let told = match reviews.verdict(&PRICES).await.unwrap() {
                Verdict::Current => "current",
                Verdict::Outdated(Divergence::Image { stored, current }) => {
                    assert_eq!((stored.to_string(), current.to_string()), (image.to_owned(), IMAGE.to_owned()));
                    "outdated"
                }
                Verdict::Outdated(other) => panic!("{other}"),
            };
            assert_eq!(told, expected);
            let journal = fake.journal();
            let counts = [Operation::List, Operation::Inspect, Operation::InspectImages].map(|one| journal.count(one));
            assert_eq!((journal.total(), counts), (3, [1, 1, 1]), "{journal}");
        }
    }
}

#[tokio::test]
async fn a_review_whose_labels_are_of_a_later_version_is_not_judged() {
    for fake in engines() {
        let fake = fake.with_container(labelled(IMAGE, "999.0.0"));
        let error = reviews(&fake, &home()).await.verdict(&PRICES).await.unwrap_err();
        assert!(matches!(error, ReviewError::Read { .. }), "{error:?}");
        assert!(chain(&error).contains("999.0.0, which is newer"), "{}", chain(&error));
    }
}

#[tokio::test]
async fn a_review_without_a_database_is_told_which_have_one() {
    for fake in engines() {
        let fake = fake.with_session("b", IMAGE, &[]).with_session("a", IMAGE, &[]);
        let error = reviews(&fake, &home()).await.end(&PRICES).await.unwrap_err();
        assert_eq!(error.to_string(), "new-prices has no database; there are those of: a, b");
        assert_only(&fake.journal(), Operation::List, 2);
    }
}

#[tokio::test]
async fn an_engine_that_is_down_is_told_as_the_cause() {
    for fake in engines() {
        let fake = fake.fail(Operation::List, Failure::EngineDown).on_every_call();
        let reviews = reviews(&fake, &home()).await;
        let error = reviews.all().await.unwrap_err();
        assert!(
            chain(&error).starts_with("list the databases of reviews: failed to list session containers: "),
            "{}",
            chain(&error)
        );
        let error = reviews.server(&PRICES).await.unwrap_err();
        assert!(chain(&error).contains("does not answer"), "{}", chain(&error));
    }
}

#[tokio::test]
async fn a_removal_that_fails_is_told_and_can_be_tried_again() {
    for fake in engines() {
        let fake = fake.with_session("new-prices", IMAGE, &[]).fail(Operation::Remove, Failure::EngineDown);
        let reviews = reviews(&fake, &home()).await;
        assert!(matches!(reviews.end(&PRICES).await, Err(ReviewError::Stop { .. })));
        reviews.end(&PRICES).await.unwrap();
        assert!(reviews.all().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn somebody_elses_container_with_the_label_is_reported_and_left_alone() {
    for fake in engines() {
        let fake = fake.with_container(claiming("prices", "new-prices"));
        let reviews = reviews(&fake, &home()).await;
        let ReviewError::List(error) = reviews.all().await.unwrap_err() else { panic!() };
        assert!(matches!(error, ListError::MissingOciPrefix { container_name } if container_name.as_str() == "prices"));
        let ReviewError::Find { source, .. } = reviews.end(&PRICES).await.unwrap_err() else { panic!() };
        assert!(matches!(source, FindError::List(ListError::MissingOciPrefix { .. })));
        assert_eq!(fake.containers(), ["prices"]);
    }
}

#[tokio::test]
async fn a_container_whose_name_goes_wrong_behind_the_prefix_is_reported() {
    for fake in engines() {
        let fake = fake.with_container(claiming("pg-ephemeral-session--x", "-x"));
        let ReviewError::List(error) = reviews(&fake, &home()).await.all().await.unwrap_err() else { panic!() };
        assert!(matches!(error, ListError::InvalidSessionName { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn of_two_containers_that_claim_to_be_one_review_none_is_touched() {
    for fake in engines() {
        let fake = fake
            .with_session("new-prices", IMAGE, &[])
            .with_container(claiming("pg-ephemeral-session-impostor", "new-prices"));
        let ReviewError::Find { source, .. } = reviews(&fake, &home()).await.end(&PRICES).await.unwrap_err() else {
            panic!()
        };
        assert!(matches!(source, FindError::MultipleMatches { count: 2, .. }), "{source:?}");
        assert_eq!(fake.containers().len(), 2);
    }
}

#[tokio::test]
async fn a_database_that_can_not_start_leaves_nothing() {
    for fake in engines() {
        let error = reviews(&fake, &home()).await.begin(&PRICES).await.unwrap_err();
        assert!(matches!(error, ReviewError::Start { .. }), "{error:?}");
        fake.assert_nothing_left();
    }
}
