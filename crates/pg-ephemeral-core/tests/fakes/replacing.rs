//! The arguments with which restoring, resetting and forking a session start a server, on fake docker and fake podman.
//! The fakes can't start the container; the tests check the engine's command line.

use std::path::{Path, PathBuf};

use ociman::label::Key;
use pg_ephemeral_core::owner::Owner;
use pg_ephemeral_core::session::{Name, Session};
use pg_ephemeral_core::snapshot::{self, AnotherSecret, Existing, ForkOptions, SnapshotError, SnapshotTag};
use pg_ephemeral_core::{Folders, StartError, label, session_name};
use pg_ephemeral_testkit::{Failure, FakeBackend, FakeContainer, FakeImage, Operation};

const IMAGE: &str = "docker.io/library/postgres:17";
const OLDER: &str = "docker.io/library/postgres:16";
const REVIEW: Name = session_name!("review");
const FORK: Name = session_name!("fork");
const SEEDS: &str = r#"[{"name":"schema","type":"sql-statement"}]"#;

fn engines() -> [FakeBackend; 2] {
    [FakeBackend::docker(), FakeBackend::podman()].map(|fake| {
        let fake = fake.with_image(FakeImage::postgres("17")).with_image(FakeImage::postgres("16"));
        fake.fail(Operation::Run, Failure::DiskFull).on_every_call()
    })
}

fn clean() -> snapshot::Name {
    "clean".parse().unwrap()
}

fn snapshot() -> SnapshotTag {
    SnapshotTag::of(&REVIEW, &clean())
}

/// The labels that every snapshot and session has.
fn common() -> [(Key, &'static str); 6] {
    [
        (label::VERSION_KEY, "0.1.0"),
        (label::INSTANCE_KEY, "main"),
        (label::IMAGE_KEY, IMAGE),
        (label::SEEDS_KEY, SEEDS),
        (label::SUPERUSER_USER_KEY, "postgres"),
        (label::SUPERUSER_DATABASE_KEY, "postgres"),
    ]
}

/// Adds a running session and its snapshot, both with changes to their labels. The session publishes no port, so that
/// the attempt to start its server again fails without waiting.
async fn session(
    fake: FakeBackend,
    labels: &[(Key, &str)],
    labels_of_snapshot: &[(Key, &str)],
) -> (FakeBackend, Session) {
    let tag = snapshot().to_string();
    let text = format!(r#"{{"session": "{REVIEW}", "name": "clean", "nonce": "n"}}"#);
    let own = [(label::SNAPSHOT_KEY, text.as_str()), (label::TAG_KEY, tag.as_str())];
    let all = common().into_iter().chain(own).chain(labels_of_snapshot.iter().cloned());
    let image = FakeImage::new(format!("pg-ephemeral/main:{tag}"));
    let fake = fake.with_image(all.fold(image, |image, (key, text)| image.label(key.as_str(), text)));

    let owner = serde_json::to_string(&Owner::current()).unwrap();
    let own = [(label::SESSION_KEY, "review"), (label::OWNER_KEY, &owner), (label::NONCE_KEY, "n")];
    let container = FakeContainer::new(REVIEW.container_name().as_str(), IMAGE);
    let all = common().into_iter().chain(own).chain(labels.iter().cloned());
    let container = all.fold(container, |container, (key, text)| container.label(key.as_str(), text));
    let fake = fake.with_container(container);
    let session = Session::find(&fake.backend(), &REVIEW).await.unwrap().unwrap();
    fake.journal().clear();
    (fake, session)
}

async fn restore(session: &Session, home: &Path) -> SnapshotError {
    session.restore(&Folders::at(home), &clean(), AnotherSecret::Refuse).await.unwrap_err()
}

/// Returns the arguments of the only `run` command. Panics if there was not exactly one.
#[track_caller]
fn run(fake: &FakeBackend) -> Vec<String> {
    let journal = fake.journal();
    assert_eq!(journal.count(Operation::Run), 1, "{journal}");
    journal.entries().into_iter().find(|entry| entry.operation == Operation::Run).unwrap().arguments
}

#[track_caller]
fn assert_has(arguments: &[String], expected: &[&str]) {
    for word in expected {
        assert!(arguments.iter().any(|argument| argument == word), "{word} is not in {arguments:?}");
    }
}

#[tokio::test]
async fn a_restored_session_keeps_its_folder_settings_start_time_and_expiry() {
    let process = serde_json::to_string(&Owner::current()).unwrap();
    let settings = r#"{"durable":false,"open":false,"parameters":["work_mem=5MB"]}"#;
    let labels = [
        (label::FOLDER_KEY, "/some/folder"),
        (label::SETTINGS_KEY, settings),
        (label::STARTED_KEY, "123"),
        (label::EXPIRES_KEY, "99999999999"),
        (label::PROCESS_KEY, process.as_str()),
    ];
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let (fake, session) = session(fake, &labels, &[]).await;
        restore(&session, home.path()).await;
        let arguments = run(&fake);
        let process = format!("pg-ephemeral.process={process}");
        assert_has(&arguments, &["pg-ephemeral.started=123", "pg-ephemeral.expires=99999999999", &process]);
        assert_has(&arguments, &["pg-ephemeral.session=review", "pg-ephemeral.credential=n", "work_mem=5MB"]);
        let mount = "type=bind,source=/some/folder,target=/some/folder";
        assert_has(&arguments, &["pg-ephemeral.folder=/some/folder", mount]);
    }
}

#[tokio::test]
async fn a_session_without_a_folder_is_restored_without_one() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let (fake, session) = session(fake, &[], &[]).await;
        restore(&session, home.path()).await;
        let arguments = run(&fake);
        let told = arguments.iter().find(|word| word.contains("pg-ephemeral.folder") || word.contains("type=bind"));
        assert_eq!(told, None);
    }
}

#[tokio::test]
async fn a_restored_session_has_the_image_and_seeds_of_the_snapshot_in_its_labels() {
    let seeds = r#"[{"name":"earlier","type":"sql-statement"}]"#;
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let (fake, session) = session(fake, &[], &[(label::IMAGE_KEY, OLDER), (label::SEEDS_KEY, seeds)]).await;
        restore(&session, home.path()).await;
        let (image, seeds) = (format!("pg-ephemeral.image={OLDER}"), format!("pg-ephemeral.seeds={seeds}"));
        assert_has(&run(&fake), &[&image, &seeds]);
    }
}

/// The mount that hides the volume of the base image. The volume would hide the data folder of a snapshot.
const OVER_THE_VOLUME: &str = "type=tmpfs,target=/var/lib/postgresql/data";

#[tokio::test]
async fn the_volume_of_the_snapshot_s_base_image_is_hidden_and_found_by_a_single_command() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let (fake, session) = session(fake, &[], &[]).await;
        restore(&session, home.path()).await;
        assert_has(&run(&fake), &[OVER_THE_VOLUME]);
        assert_eq!(fake.journal().count(Operation::InspectImages), 1, "{}", fake.journal());
    }
}

#[tokio::test]
async fn the_volume_of_the_snapshot_s_base_image_is_hidden_even_if_the_session_has_another_image() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        // The session's own image has no volume.
        let fake = fake.with_image(FakeImage::new("docker.io/library/plain:1"));
        let (fake, session) = session(fake, &[(label::IMAGE_KEY, "docker.io/library/plain:1")], &[]).await;
        restore(&session, home.path()).await;
        assert_has(&run(&fake), &[OVER_THE_VOLUME]);
    }
}

#[tokio::test]
async fn a_fork_mounts_the_requested_folder_and_has_the_content_of_the_snapshot() {
    let folder = Some(PathBuf::from("/some/folder"));
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let (fake, session) = session(fake, &[], &[]).await;
        let options = ForkOptions { ttl: None, transparent_workdir: folder.clone() };
        session.fork(&folders, &FORK, Some(&clean()), &options).await.unwrap_err();
        let arguments = run(&fake);
        assert_has(&arguments, &["pg-ephemeral.session=fork", "pg-ephemeral.folder=/some/folder", OVER_THE_VOLUME]);
        assert_has(&arguments, &["type=bind,source=/some/folder,target=/some/folder"]);
        assert_has(&arguments, &[&format!("pg-ephemeral.seeds={SEEDS}")]);
        // The session itself keeps running.
        assert_eq!(fake.containers(), [REVIEW.container_name().as_str()]);
        assert_eq!(fake.journal().count(Operation::Stop), 0, "{}", fake.journal());
    }
}

#[tokio::test]
async fn a_fork_whose_name_is_taken_at_the_last_moment_is_an_error() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        fake.recover();
        let fake = fake.fail(Operation::Run, Failure::NameTaken).on_every_call();
        let (_fake, session) = session(fake, &[], &[]).await;
        let forked = session.fork(&Folders::at(home.path()), &FORK, Some(&clean()), &ForkOptions::default()).await;
        let error = forked.unwrap_err();
        let is_told = matches!(&error, SnapshotError::Start(StartError::SessionExists { name }) if *name == FORK);
        assert!(is_told, "{error:?}");
    }
}

#[tokio::test]
async fn a_session_is_not_restored_from_a_snapshot_with_another_superuser_or_database() {
    let others = [(label::SUPERUSER_USER_KEY, "admin"), (label::SUPERUSER_DATABASE_KEY, "shop")];
    for (fake, other) in others.iter().flat_map(|other| engines().map(|fake| (fake, other.clone()))) {
        let home = tempfile::tempdir().unwrap();
        let (fake, session) = session(fake, &[], &[other]).await;
        let error = restore(&session, home.path()).await;
        assert!(matches!(&error, SnapshotError::OtherServer { .. }), "{error:?}");
        assert_eq!(fake.journal().count(Operation::Stop), 0, "{}", fake.journal());
    }
}

#[tokio::test]
async fn a_session_of_another_secret_is_replaced_only_on_request() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let (fake, session) = session(fake, &[(label::SECRET_KEY, "another")], &[]).await;
        let error = restore(&session, home.path()).await;
        assert!(matches!(&error, SnapshotError::AnotherSecret { .. }), "{error:?}");
        assert_eq!(fake.journal().count(Operation::Stop), 0, "{}", fake.journal());
        let folders = Folders::at(home.path());
        session.restore(&folders, &clean(), AnotherSecret::TakeOver).await.unwrap_err();
        run(&fake);
    }
}

#[tokio::test]
async fn a_snapshot_is_refused_only_if_one_of_that_name_exists_and_must_be_kept() {
    let cases = [("clean", Existing::Refuse), ("clean", Existing::Replace), ("new", Existing::Refuse)];
    for (fake, (name, existing)) in cases.iter().flat_map(|case| engines().map(|fake| (fake, *case))) {
        let home = tempfile::tempdir().unwrap();
        let (_fake, session) = session(fake, &[], &[]).await;
        let error = session.snapshot(&Folders::at(home.path()), &name.parse().unwrap(), existing).await.unwrap_err();
        // If the name is accepted, the next step fails, because the server can't be reached.
        let is_refused = matches!(&error, SnapshotError::Exists { .. });
        assert!(is_refused || matches!(&error, SnapshotError::Attach(_)), "{error:?}");
        assert_eq!(is_refused, (name, existing) == ("clean", Existing::Refuse), "{error:?}");
    }
}
