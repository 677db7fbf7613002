//! What becomes of the name of a session when it is to be started again, and what its labels tell, on fake docker and
//! fake podman.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ociman::label::Key;
use pg_ephemeral_core::label::LabelError;
use pg_ephemeral_core::owner::Owner;
use pg_ephemeral_core::session::{Divergence, MetadataError, Name, SeedStatus, Session, compute_seed_status};
use pg_ephemeral_core::snapshot::{self, SnapshotError};
use pg_ephemeral_core::{Definition, Folders, Image, StartError, label, session_name};
use pg_ephemeral_testkit::{Failure, FakeBackend, FakeContainer, FakeImage, FakeLife, Operation};

const IMAGE: &str = "docker.io/library/postgres:17";
const REVIEW: Name = session_name!("review");

fn engines() -> [FakeBackend; 2] {
    [FakeBackend::docker(), FakeBackend::podman()]
}

/// The labels of a session that runs, with changes; an empty label is none.
fn labelled(owner: &Owner, changes: &[(Key, &str)]) -> FakeContainer {
    let owner = serde_json::to_string(owner).unwrap();
    let all = [
        (label::SESSION, "review"),
        (label::VERSION, "0.1.0"),
        (label::INSTANCE, "main"),
        (label::IMAGE, IMAGE),
        (label::SEEDS, "[]"),
        (label::SUPERUSER_USER, "postgres"),
        (label::SUPERUSER_DATABASE, "postgres"),
        (label::OWNER, &owner),
        (label::NONCE, "n"),
    ];
    let container = FakeContainer::new(REVIEW.container_name().as_str(), IMAGE);
    let labels = all.iter().chain(changes);
    labels.fold(container, |container, (key, text)| container.label(key.as_str(), text))
}

fn dead() -> Owner {
    let owner = Owner::current();
    Owner { start: owner.start - 1, ..owner }
}

fn seconds_from_now(offset: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    now.saturating_add_signed(offset).to_string()
}

async fn find(fake: &FakeBackend) -> Session {
    Session::find(&fake.backend(), &REVIEW).await.unwrap().unwrap()
}

fn definition(fake: &FakeBackend, home: &Path) -> Definition {
    let image: Image = "17".parse().unwrap();
    Definition::in_folders(Folders::at(home)).backend(fake.backend()).image(image)
}

/// Starts the session, in vain: no PostgreSQL answers on a fake without one.
async fn start(fake: &FakeBackend) -> StartError {
    let home = tempfile::tempdir().unwrap();
    let definition = definition(fake, home.path()).wait_available_timeout(Duration::from_millis(1));
    definition.start_session(&REVIEW, None).await.unwrap_err()
}

fn is_there(fake: &FakeBackend) -> bool {
    fake.containers().iter().any(|name| name == REVIEW.container_name().as_str())
}

#[tokio::test]
async fn a_session_tells_its_metadata_as_listed_and_by_one_more_command_anew() {
    for fake in engines() {
        let fake = fake.with_container(labelled(&dead(), &[(label::EXPIRES, "99999999999")]));
        let session = find(&fake).await;
        let metadata = session.metadata().await.unwrap();
        assert_eq!((fake.journal().total(), fake.journal().count(Operation::Inspect)), (2, 1), "{}", fake.journal());
        assert_eq!(metadata, session.listed_metadata().unwrap());
        assert_eq!(metadata.session, Some(REVIEW));
        assert_eq!(metadata.image.to_string(), IMAGE);
        assert_eq!(metadata.expires, Some(UNIX_EPOCH + Duration::from_secs(99_999_999_999)));
        assert!(!session.has_expired());
    }
}

/// What the labels of a session with a change are refused for.
async fn refused(fake: FakeBackend, change: (Key, &str)) -> (String, LabelError) {
    let fake = fake.with_container(labelled(&Owner::current(), &[change]));
    let error = find(&fake).await.metadata().await.unwrap_err();
    let listed = find(&fake).await.listed_metadata().unwrap_err();
    assert_eq!(error.to_string(), "read the labels of the session review");
    let (MetadataError::Decode { session, source }, MetadataError::Decode { source: same, .. }) = (error, listed)
    else {
        panic!("the labels could be read");
    };
    assert_eq!((session, same.to_string()), (REVIEW, source.to_string()));
    (source.to_string(), *source)
}

#[tokio::test]
async fn every_label_that_is_missing_is_named() {
    let needed = [label::INSTANCE, label::IMAGE, label::SEEDS, label::SUPERUSER_USER, label::SUPERUSER_DATABASE];
    for key in needed.into_iter().chain([label::VERSION, label::OWNER, label::NONCE]) {
        for fake in engines() {
            let (message, error) = refused(fake, (key.clone(), "")).await;
            assert_eq!(message, format!("the label {key} is missing"));
            assert!(matches!(error, LabelError::Missing { key: named } if named == key));
        }
    }
}

#[tokio::test]
async fn labels_that_are_malformed_contradictory_or_of_a_newer_version_are_told_apart() {
    for fake in engines() {
        let (message, error) = refused(fake, (label::INSTANCE, "No Instance")).await;
        assert_eq!(message, "read the label pg-ephemeral.instance \"No Instance\"");
        assert!(matches!(error, LabelError::Malformed { .. }), "{error:?}");
    }
    for fake in engines() {
        let (_, error) = refused(fake, (label::SSL_CA_CERT_PEM, "-----BEGIN CERTIFICATE-----")).await;
        assert!(
            matches!(error, LabelError::Inconsistent { ref key, .. } if *key == label::SSL_CA_CERT_PEM),
            "{error:?}"
        );
    }
    for fake in engines() {
        let (_, error) = refused(fake, (label::VERSION, "999.0.0")).await;
        assert!(matches!(error, LabelError::NewerVersion { ref version, .. } if version == "999.0.0"), "{error:?}");
    }
}

#[tokio::test]
async fn an_engine_that_does_not_tell_the_labels_is_the_cause() {
    for fake in engines() {
        let fake =
            fake.with_session("review", IMAGE, &[]).fail(Operation::Inspect, Failure::EngineDown).on_every_call();
        let session = find(&fake).await;
        let error = session.metadata().await.unwrap_err();
        let is_down = matches!(&error, MetadataError::ReadLabels { source: ociman::Error::Unreachable { .. }, .. });
        assert!(is_down, "{error:?}");
        fake.recover();
        session.clone().stop().await.unwrap();
        let error = session.metadata().await.unwrap_err();
        let is_gone =
            matches!(&error, MetadataError::ReadLabels { source: ociman::Error::ContainerNotFound { .. }, .. });
        assert!(is_gone, "{error:?}");
    }
}

#[tokio::test]
async fn fifty_sessions_are_compared_by_two_commands() {
    let home = tempfile::tempdir().unwrap();
    for fake in engines() {
        let fake = fake.with_image(FakeImage::postgres("17"));
        let seeds = [("pg-ephemeral.instance", "main"), ("pg-ephemeral.image", IMAGE)];
        let fake = (0..50).fold(fake, |fake, number| fake.with_session(&format!("s{number}"), IMAGE, &seeds));
        let expected = definition(&fake, home.path()).expected_state().await.unwrap();
        let sessions = Session::list(&fake.backend()).await.unwrap();
        for session in &sessions {
            let image = session.summary().labels.get(&label::IMAGE).unwrap().as_str();
            let status = compute_seed_status(image, &[], &expected.image, &expected.seeds);
            assert_eq!(status, SeedStatus::Sync);
        }
        let journal = fake.journal();
        let counts = (journal.total(), journal.count(Operation::List), journal.count(Operation::InspectImages));
        assert_eq!((sessions.len(), counts), (50, (2, 1, 1)), "{journal}");
    }
}

#[tokio::test]
async fn a_session_of_another_image_has_diverged() {
    let home = tempfile::tempdir().unwrap();
    for fake in engines() {
        let other = (label::IMAGE, "docker.io/library/postgres:15");
        let fake = fake.with_image(FakeImage::postgres("17")).with_container(labelled(&dead(), &[other]));
        let expected = definition(&fake, home.path()).expected_state().await.unwrap();
        let difference = expected.divergence(&find(&fake).await.listed_metadata().unwrap());
        let is_image = matches!(difference, Some(Divergence::Image { ref current, .. }) if current == IMAGE);
        assert!(is_image, "{difference:?}");
    }
}

#[tokio::test]
async fn a_session_that_runs_keeps_its_name_until_its_time_is_over() {
    for fake in engines() {
        let fake = fake.with_container(labelled(&dead(), &[(label::EXPIRES, &seconds_from_now(1000))]));
        assert!(!find(&fake).await.has_expired());
        assert!(matches!(start(&fake).await, StartError::SessionExists { name } if name == REVIEW));
        assert!(is_there(&fake));
    }
    for fake in engines() {
        let fake = fake.with_container(labelled(&dead(), &[(label::EXPIRES, &seconds_from_now(0))]));
        assert!(find(&fake).await.has_expired());
        let error = start(&fake).await;
        assert!(!matches!(error, StartError::SessionExists { .. }), "{error:?}");
        assert!(!is_there(&fake));
    }
}

#[tokio::test]
async fn a_session_whose_server_has_ended_gives_its_name_up() {
    for fake in engines() {
        let fake = fake.with_container(labelled(&dead(), &[]).life(FakeLife::Exited(137)));
        let error = start(&fake).await;
        assert!(!matches!(error, StartError::SessionExists { .. }), "{error:?}");
        assert!(!is_there(&fake));
    }
}

#[tokio::test]
async fn a_container_that_is_about_to_start_keeps_the_name_as_long_as_its_owner_lives() {
    for fake in engines() {
        let fake = fake.with_container(labelled(&Owner::current(), &[]).life(FakeLife::Created));
        assert!(matches!(start(&fake).await, StartError::SessionExists { .. }));
        assert!(is_there(&fake));
    }
    for fake in engines() {
        let fake = fake.with_container(labelled(&dead(), &[]).life(FakeLife::Created));
        let error = start(&fake).await;
        assert!(!matches!(error, StartError::SessionExists { .. }), "{error:?}");
        assert!(!is_there(&fake));
    }
}

#[tokio::test]
async fn somebody_elses_container_of_the_name_is_left_alone_whether_it_runs_or_not() {
    for life in [FakeLife::Created, FakeLife::Running, FakeLife::Exited(0)] {
        for fake in engines() {
            let foreign = FakeContainer::new(REVIEW.container_name().as_str(), IMAGE).life(life);
            let fake = fake.with_container(foreign);
            let error = start(&fake).await;
            let is_taken = matches!(&error, StartError::Run(ociman::Error::NameTaken { .. }));
            assert!(is_taken, "{error:?}");
            assert!(is_there(&fake));
        }
    }
}

#[tokio::test]
async fn a_server_that_a_killed_snapshot_had_stopped_or_was_stopping_and_that_does_not_start_again_is_told_once() {
    let lives = [FakeLife::Exited(0), FakeLife::Running];
    for (fake, life) in lives.iter().flat_map(|life| engines().map(|fake| (fake, *life))) {
        let stopped = labelled(&dead(), &[]).life(life);
        let fake = fake.with_container(stopped).fail(Operation::Start, Failure::EngineDown);
        let (home, backend) = (tempfile::tempdir().unwrap(), fake.backend());
        let folders = Folders::at(home.path());
        let notes = folders.state().join("stopped");
        std::fs::create_dir_all(&notes).unwrap();
        std::fs::write(notes.join(format!("{}:{REVIEW}", backend.kind())), "n").unwrap();
        let error = snapshot::settled(&folders, &backend, &REVIEW).await.unwrap_err();
        assert!(matches!(&error, SnapshotError::PutBack { session, .. } if *session == REVIEW), "{error:?}");
        assert_eq!(std::fs::read_dir(&notes).unwrap().count(), 0);
        snapshot::settled(&folders, &backend, &REVIEW).await.unwrap();
        // One that still ran was perhaps about to stop, which nobody can tell.
        let stops = usize::from(life == FakeLife::Running);
        assert_eq!(fake.journal().count(Operation::Stop), stops, "{}", fake.journal());
        assert_eq!(fake.journal().count(Operation::Start), 1, "{}", fake.journal());
    }
}
