//! Sessions whose name is to be used again, sessions that a killed command left in an intermediate state, and labels of
//! sessions, on fake docker and fake podman.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ociman::label::{ContainerError, Key};
use pg_ephemeral_core::label::ReadError;
use pg_ephemeral_core::owner::Owner;
use pg_ephemeral_core::reap::{LateStarts, reap_labelled, reap_recorded};
use pg_ephemeral_core::session::{
    Divergence, MetadataError, Name, SeedStatus, Session, compute_seed_status, divergence,
};
use pg_ephemeral_core::snapshot::{self, SnapshotError};
use pg_ephemeral_core::{Definition, Folders, Image, StartError, label, session_name};
use pg_ephemeral_testkit::{Failure, FakeBackend, FakeContainer, FakeImage, FakeLife, Operation};

const IMAGE: &str = "docker.io/library/postgres:17";
const REVIEW: Name = session_name!("review");

fn engines() -> [FakeBackend; 2] {
    [FakeBackend::docker(), FakeBackend::podman()]
}

/// A container with the labels of a session, with changes. An empty value removes a label.
fn labelled(owner: &Owner, changes: &[(Key, &str)]) -> FakeContainer {
    labelled_as(REVIEW.container_name().as_str(), owner, changes)
}

/// As [`labelled`], for a container with this name.
fn labelled_as(name: &str, owner: &Owner, changes: &[(Key, &str)]) -> FakeContainer {
    let owner = serde_json::to_string(owner).unwrap();
    let all = [
        (label::SESSION_KEY, "review"),
        (label::VERSION_KEY, "0.1.0"),
        (label::INSTANCE_KEY, "main"),
        (label::IMAGE_KEY, IMAGE),
        (label::SEEDS_KEY, "[]"),
        (label::SUPERUSER_USER_KEY, "postgres"),
        (label::SUPERUSER_DATABASE_KEY, "postgres"),
        (label::OWNER_KEY, &owner),
        (label::NONCE_KEY, "n"),
    ];
    let container = FakeContainer::new(name, IMAGE);
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

/// Tries to start the session and returns the error. The start always fails, because the fake runs no PostgreSQL.
async fn start(fake: &FakeBackend) -> StartError {
    let home = tempfile::tempdir().unwrap();
    let definition = definition(fake, home.path()).wait_available_timeout(Duration::from_millis(1));
    definition.start_session(&REVIEW, None).await.unwrap_err()
}

fn is_there(fake: &FakeBackend) -> bool {
    fake.containers().iter().any(|name| name == REVIEW.container_name().as_str())
}

#[tokio::test]
async fn reading_the_metadata_of_a_session_takes_one_command_and_equals_the_listed_metadata() {
    for fake in engines() {
        let fake = fake.with_container(labelled(&dead(), &[(label::EXPIRES_KEY, "99999999999")]));
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

/// Adds what a command leaves that is killed during a takeover: the new container and the note, after the session's old
/// container was removed.
fn cut_off(fake: FakeBackend, home: &Path) -> FakeBackend {
    note_successor(&fake, home);
    fake.with_container(labelled_as("pg-ephemeral-pending-1", &dead(), &[(label::NONCE_KEY, "later")]))
}

fn note_successor(fake: &FakeBackend, home: &Path) {
    let successor = serde_json::json!({"container": "pg-ephemeral-pending-1", "nonce": "later"});
    note(fake, home, ociman::host::boot_id(), Some(&successor));
}

/// Writes the note that a command writes when it stops the session's server temporarily.
fn note(fake: &FakeBackend, home: &Path, boot: &str, successor: Option<&serde_json::Value>) {
    let selection = fake.backend().selection();
    let note = serde_json::json!({ "nonce": "n", "selection": selection, "boot": boot, "successor": successor });
    let folder = home.join("pg-ephemeral/stopped");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{}:{REVIEW}", fake.backend().kind())), note.to_string()).unwrap();
}

fn notes(home: &Path) -> usize {
    std::fs::read_dir(home.join("pg-ephemeral/stopped")).unwrap().count()
}

#[tokio::test]
async fn an_interrupted_takeover_is_completed_and_not_removed_as_a_leftover() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let fake = cut_off(fake, home.path());
        let (folders, backend) = (Folders::at(home.path()), fake.backend());
        assert!(Session::list(&backend).await.unwrap().is_empty());
        reap_recorded(&folders, &backend, LateStarts::Hurry).await;
        assert!(reap_labelled(&folders, &backend).await.unwrap().is_empty());
        assert_eq!(find(&fake).await.summary().labels.get(&label::NONCE_KEY).unwrap().as_str(), "later");
        assert_eq!(fake.containers(), [REVIEW.container_name().as_str()]);
        assert_eq!(notes(home.path()), 0);
    }
}

#[tokio::test]
async fn listing_or_finding_a_session_completes_an_interrupted_takeover() {
    for (fake, is_listed) in [true, false].iter().flat_map(|listed| engines().map(|fake| (fake, *listed))) {
        let home = tempfile::tempdir().unwrap();
        let fake = cut_off(fake, home.path());
        let (folders, backend) = (Folders::at(home.path()), fake.backend());
        let found = match is_listed {
            true => Session::list_in(&folders, &backend).await.unwrap().pop(),
            false => Session::find_in(&folders, &backend, &REVIEW).await.unwrap(),
        };
        assert_eq!(found.unwrap().summary().labels.get(&label::NONCE_KEY).unwrap().as_str(), "later");
        assert_eq!(notes(home.path()), 0);
    }
}

#[tokio::test]
async fn an_interrupted_takeover_is_abandoned_if_its_name_was_taken_meanwhile() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let fake =
            cut_off(fake, home.path()).with_container(labelled(&Owner::current(), &[(label::NONCE_KEY, "other")]));
        reap_recorded(&Folders::at(home.path()), &fake.backend(), LateStarts::Hurry).await;
        assert_eq!(find(&fake).await.summary().labels.get(&label::NONCE_KEY).unwrap().as_str(), "other");
        assert_eq!(fake.containers(), [REVIEW.container_name().as_str()]);
    }
}

#[tokio::test]
async fn an_interrupted_takeover_is_abandoned_if_its_server_has_ended_or_is_incomplete() {
    for (fake, has_ended) in [true, false].iter().flat_map(|ended| engines().map(|fake| (fake, *ended))) {
        let home = tempfile::tempdir().unwrap();
        note_successor(&fake, home.path());
        let pending = labelled_as("pg-ephemeral-pending-1", &dead(), &[(label::NONCE_KEY, "later")]);
        let life = if has_ended { FakeLife::Exited(0) } else { FakeLife::Running };
        let fake = fake.with_container(pending.life(life));
        if !has_ended {
            let servers = home.path().join("pg-ephemeral/servers");
            std::fs::create_dir_all(&servers).unwrap();
            let record = serde_json::json!({
                "backend": fake.backend().kind().to_string(),
                "selection": fake.backend().selection(),
                "container": "pg-ephemeral-pending-1",
                "nonce": "later",
                "owner": dead(),
                "phase": "started",
            });
            std::fs::write(servers.join("later"), record.to_string()).unwrap();
        }
        snapshot::settled(&Folders::at(home.path()), &fake.backend(), &REVIEW).await.unwrap();
        assert!(fake.containers().is_empty(), "{:?}", fake.containers());
        assert_eq!(notes(home.path()), 0);
    }
}

#[tokio::test]
async fn abandoning_a_takeover_removes_its_records_under_both_names() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let fake = cut_off(fake, home.path());
        let servers = home.path().join("pg-ephemeral/servers");
        std::fs::create_dir_all(&servers).unwrap();
        let record = |file: &str, container: &str, nonce: &str| {
            let record = serde_json::json!({
                "backend": fake.backend().kind().to_string(),
                "selection": fake.backend().selection(),
                "container": container,
                "nonce": nonce,
                "owner": Owner::current(),
                "phase": "started",
            });
            std::fs::write(servers.join(file), record.to_string()).unwrap();
        };
        record("as-it-was-called", "pg-ephemeral-pending-1", "later");
        record("as-it-was-to-be-called", REVIEW.container_name().as_str(), "later");
        record("of-the-session", REVIEW.container_name().as_str(), "n");
        record("of-another-start", "pg-ephemeral-pending-1", "another");
        assert!(snapshot::abandon(&Folders::at(home.path()), &fake.backend(), &REVIEW).await.unwrap());
        let left = std::fs::read_dir(&servers).unwrap().map(|entry| entry.unwrap().file_name());
        let mut left: Vec<_> = left.collect();
        left.sort();
        assert_eq!(left, ["of-another-start", "of-the-session"]);
        assert!(fake.containers().is_empty(), "{:?}", fake.containers());
        assert_eq!(notes(home.path()), 0);
    }
}

#[tokio::test]
async fn a_container_that_only_shares_the_name_of_a_successor_is_left_alone() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        note_successor(&fake, home.path());
        let fake =
            fake.with_container(labelled_as("pg-ephemeral-pending-1", &dead(), &[(label::NONCE_KEY, "another")]));
        snapshot::settled(&Folders::at(home.path()), &fake.backend(), &REVIEW).await.unwrap();
        assert_eq!(fake.containers(), ["pg-ephemeral-pending-1"]);
    }
}

#[tokio::test]
async fn a_server_of_a_later_session_or_of_an_earlier_boot_is_not_started_again() {
    let cases = [("another", ociman::host::boot_id()), ("n", "before")];
    for (fake, (nonce, boot)) in cases.iter().flat_map(|case| engines().map(|fake| (fake, *case))) {
        let home = tempfile::tempdir().unwrap();
        note(&fake, home.path(), boot, None);
        let fake = fake.with_container(labelled(&dead(), &[(label::NONCE_KEY, nonce)]).life(FakeLife::Exited(0)));
        assert!(snapshot::settled(&Folders::at(home.path()), &fake.backend(), &REVIEW).await.unwrap());
        assert_eq!(fake.journal().count(Operation::Start), 0, "{}", fake.journal());
        assert_eq!(notes(home.path()), 0);
    }
}

#[tokio::test]
async fn a_session_whose_server_is_stopped_temporarily_keeps_its_name() {
    for (fake, nonce) in ["n", "another"].iter().flat_map(|nonce| engines().map(|fake| (fake, *nonce))) {
        let home = tempfile::tempdir().unwrap();
        note(&fake, home.path(), ociman::host::boot_id(), None);
        let fake = fake.with_container(labelled(&dead(), &[(label::NONCE_KEY, nonce)]).life(FakeLife::Exited(0)));
        let definition = definition(&fake, home.path()).wait_available_timeout(Duration::from_millis(1));
        let error = definition.start_session(&REVIEW, None).await.unwrap_err();
        let keeps = matches!(error, StartError::SessionExists { .. });
        // A note about an earlier session does not apply to this one.
        assert_eq!((keeps, is_there(&fake)), (nonce == "n", nonce == "n"), "{error:?}");
    }
}

/// Returns the error, and its message, of reading the labels of a session with one change.
async fn refused(fake: FakeBackend, change: (Key, &str)) -> (String, ReadError) {
    let fake = fake.with_container(labelled(&Owner::current(), &[change]));
    let error = find(&fake).await.metadata().await.unwrap_err();
    let listed = find(&fake).await.listed_metadata().unwrap_err();
    assert_eq!(error.to_string(), "failed to decode pg-ephemeral metadata from session labels");
    let (MetadataError::Decode(source), MetadataError::Decode(same)) = (error, listed) else {
        panic!("the labels could be read");
    };
    assert_eq!(same.to_string(), source.to_string());
    (source.to_string(), source)
}

#[tokio::test]
async fn a_missing_label_is_an_error_that_names_it() {
    let needed = [
        label::INSTANCE_KEY,
        label::IMAGE_KEY,
        label::SEEDS_KEY,
        label::SUPERUSER_USER_KEY,
        label::SUPERUSER_DATABASE_KEY,
    ];
    for key in needed.into_iter().chain([label::VERSION_KEY, label::OWNER_KEY, label::NONCE_KEY]) {
        for fake in engines() {
            let (message, error) = refused(fake, (key.clone(), "")).await;
            assert_eq!(message, format!("the label {key} is missing"));
            assert!(matches!(error, ReadError::Missing { key: named } if named == key));
        }
    }
}

#[tokio::test]
async fn malformed_contradictory_and_newer_labels_are_distinct_errors() {
    for fake in engines() {
        let (message, error) = refused(fake, (label::INSTANCE_KEY, "No Instance")).await;
        assert_eq!(message, "failed to read the label pg-ephemeral.instance \"No Instance\"");
        assert!(matches!(error, ReadError::Malformed { .. }), "{error:?}");
    }
    for fake in engines() {
        let (_, error) = refused(fake, (label::SSL_CA_CERT_PEM_KEY, "-----BEGIN CERTIFICATE-----")).await;
        assert!(
            matches!(error, ReadError::Inconsistent { ref key, .. } if *key == label::SSL_CA_CERT_PEM_KEY),
            "{error:?}"
        );
    }
    for fake in engines() {
        let (_, error) = refused(fake, (label::VERSION_KEY, "999.0.0")).await;
        assert!(matches!(error, ReadError::NewerVersion { ref version, .. } if version == "999.0.0"), "{error:?}");
    }
}

#[tokio::test]
async fn an_engine_that_can_not_inspect_a_session_is_the_cause_of_the_error() {
    for fake in engines() {
        let fake =
            fake.with_session("review", IMAGE, &[]).fail(Operation::Inspect, Failure::EngineDown).on_every_call();
        let session = find(&fake).await;
        let error = session.metadata().await.unwrap_err();
        assert_eq!(error.to_string(), "failed to read session container labels");
        let MetadataError::ReadLabels(ContainerError::Inspect(error)) = error else { panic!("{error:?}") };
        let is_down = matches!(&error, ociman::CommandError::Unreachable { .. });
        assert!(is_down, "{error:?}");
        fake.recover();
        session.clone().stop().await.unwrap();
        let error = session.metadata().await.unwrap_err();
        let MetadataError::ReadLabels(ContainerError::Inspect(error)) = error else { panic!("{error:?}") };
        let is_gone = matches!(&error, ociman::CommandError::ContainerNotFound { .. });
        assert!(is_gone, "{error:?}");
    }
}

#[tokio::test]
async fn comparing_fifty_sessions_takes_two_commands() {
    let home = tempfile::tempdir().unwrap();
    for fake in engines() {
        let fake = fake.with_image(FakeImage::postgres("17"));
        let seeds = [("pg-ephemeral.instance", "main"), ("pg-ephemeral.image", IMAGE)];
        let fake = (0..50).fold(fake, |fake, number| fake.with_session(&format!("s{number}"), IMAGE, &seeds));
        let definition = definition(&fake, home.path());
        let seeds = definition.load_seeds(&fake.backend()).await.unwrap();
        let sessions = Session::list(&fake.backend()).await.unwrap();
        for session in &sessions {
            let image = session.summary().labels.get(&label::IMAGE_KEY).unwrap().as_str().parse().unwrap();
            let status = compute_seed_status(&image, &[], seeds.image(), &seeds);
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
        let other = (label::IMAGE_KEY, "docker.io/library/postgres:15");
        let fake = fake.with_image(FakeImage::postgres("17")).with_container(labelled(&dead(), &[other]));
        let definition = definition(&fake, home.path());
        let seeds = definition.load_seeds(&fake.backend()).await.unwrap();
        let metadata = find(&fake).await.listed_metadata().unwrap();
        let difference = divergence(&metadata.image, &metadata.seeds, seeds.image(), &seeds);
        let is_image =
            matches!(difference, Some(Divergence::Image { ref current, .. }) if current.to_string() == IMAGE);
        assert!(is_image, "{difference:?}");
    }
}

#[tokio::test]
async fn a_running_session_keeps_its_name_until_it_expires() {
    for fake in engines() {
        let fake = fake.with_container(labelled(&dead(), &[(label::EXPIRES_KEY, &seconds_from_now(1000))]));
        assert!(!find(&fake).await.has_expired());
        assert!(matches!(start(&fake).await, StartError::SessionExists { name } if name == REVIEW));
        assert!(is_there(&fake));
    }
    for fake in engines() {
        let fake = fake.with_container(labelled(&dead(), &[(label::EXPIRES_KEY, &seconds_from_now(0))]));
        assert!(Session::find(&fake.backend(), &REVIEW).await.unwrap().is_none());
        assert!(Session::list(&fake.backend()).await.unwrap().is_empty());
        let error = start(&fake).await;
        assert!(!matches!(error, StartError::SessionExists { .. }), "{error:?}");
        assert!(!is_there(&fake));
    }
}

#[tokio::test]
async fn a_session_whose_server_has_ended_releases_its_name() {
    for fake in engines() {
        let fake = fake.with_container(labelled(&dead(), &[]).life(FakeLife::Exited(137)));
        let error = start(&fake).await;
        assert!(!matches!(error, StartError::SessionExists { .. }), "{error:?}");
        assert!(!is_there(&fake));
    }
}

#[tokio::test]
async fn a_container_that_is_about_to_start_keeps_the_name_while_its_owner_lives() {
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
async fn a_foreign_container_of_the_name_is_left_alone_whether_it_runs_or_not() {
    for life in [FakeLife::Created, FakeLife::Running, FakeLife::Exited(0)] {
        for fake in engines() {
            let foreign = FakeContainer::new(REVIEW.container_name().as_str(), IMAGE).life(life);
            let fake = fake.with_container(foreign);
            let error = start(&fake).await;
            let is_taken = matches!(&error, StartError::Run(ociman::CommandError::NameTaken { .. }));
            assert!(is_taken, "{error:?}");
            assert!(is_there(&fake));
        }
    }
}

#[tokio::test]
async fn a_server_stopped_by_a_killed_snapshot_is_started_again_once_its_engine_answers() {
    let lives = [FakeLife::Exited(0), FakeLife::Running];
    for (fake, life) in lives.iter().flat_map(|life| engines().map(|fake| (fake, *life))) {
        let stopped = labelled(&dead(), &[]).life(life);
        let fake = fake.with_container(stopped).fail(Operation::Start, Failure::EngineDown);
        let (home, backend) = (tempfile::tempdir().unwrap(), fake.backend());
        note(&fake, home.path(), ociman::host::boot_id(), None);
        let error = snapshot::settled(&Folders::at(home.path()), &backend, &REVIEW).await.unwrap_err();
        assert!(matches!(&error, SnapshotError::PutBack { session, .. } if *session == REVIEW), "{error:?}");
        // The next command tries again.
        assert_eq!(notes(home.path()), 1);
        // A server that still runs may be about to stop, so it is stopped first.
        let stops = usize::from(life == FakeLife::Running);
        assert_eq!(fake.journal().count(Operation::Stop), stops, "{}", fake.journal());
        assert_eq!(fake.journal().count(Operation::Start), 1, "{}", fake.journal());
    }
}
