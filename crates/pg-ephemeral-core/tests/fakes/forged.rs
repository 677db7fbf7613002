//! Images that have the name of a snapshot or layer but are not that snapshot or layer, on fake docker and fake podman.
//! No session is stopped because of them, and no server boots from them.

use std::path::Path;

use ociman::label::Key;
use pg_ephemeral_core::cache::CacheError;
use pg_ephemeral_core::owner::Owner;
use pg_ephemeral_core::seed::spec::SeedSpec;
use pg_ephemeral_core::session::{Name, Session};
use pg_ephemeral_core::snapshot::{self, AnotherSecret, SnapshotError, SnapshotTag};
use pg_ephemeral_core::{Definition, Folders, label, session_name};
use pg_ephemeral_testkit::{Failure, FakeBackend, FakeContainer, FakeImage, Operation};

const IMAGE: &str = "docker.io/library/postgres:17";
const REVIEW: Name = session_name!("review");
const OTHER: Name = session_name!("other");

fn engines() -> [FakeBackend; 2] {
    [FakeBackend::docker(), FakeBackend::podman()].map(|fake| fake.with_image(FakeImage::postgres("17")))
}

fn clean() -> snapshot::Name {
    "clean".parse().unwrap()
}

/// The labels that every layer, snapshot and session has.
fn common() -> [(Key, &'static str); 6] {
    [
        (label::VERSION_KEY, "0.1.0"),
        (label::INSTANCE_KEY, "main"),
        (label::IMAGE_KEY, IMAGE),
        (label::SEEDS_KEY, "[]"),
        (label::SUPERUSER_USER_KEY, "postgres"),
        (label::SUPERUSER_DATABASE_KEY, "postgres"),
    ]
}

/// Adds a session whose server can't be stopped, so that every restore and reset fails at the stop at the latest.
async fn session(fake: FakeBackend, labels: &[(Key, &str)]) -> (FakeBackend, Session) {
    let owner = serde_json::to_string(&Owner::current()).unwrap();
    let own = [(label::SESSION_KEY, "review"), (label::OWNER_KEY, &owner), (label::NONCE_KEY, "n")];
    let container = FakeContainer::new(REVIEW.container_name().as_str(), IMAGE);
    let all = common().into_iter().chain(own).chain(labels.iter().cloned());
    let container = all.fold(container, |container, (key, text)| container.label(key.as_str(), text));
    let fake = fake.with_container(container).fail(Operation::Stop, Failure::DiskFull).on_every_call();
    let session = Session::find(&fake.backend(), &REVIEW).await.unwrap().unwrap();
    (fake, session)
}

/// An image with the tag of a snapshot, whose label names the session `labelled`.
fn snapshot_image(repository: &str, tag: &SnapshotTag, labelled: &Name) -> FakeImage {
    let text = format!(r#"{{"session": "{labelled}", "name": "clean", "nonce": "n"}}"#);
    let tag = tag.to_string();
    let labels = common().into_iter().chain([(label::SNAPSHOT_KEY, text.as_str()), (label::TAG_KEY, tag.as_str())]);
    let image = FakeImage::new(format!("{repository}:{tag}"));
    labels.fold(image, |image, (key, text)| image.label(key.as_str(), text))
}

fn definition(fake: &FakeBackend, home: &Path) -> Definition {
    Definition::in_folders(Folders::at(home)).backend(fake.backend()).image("17".parse().unwrap())
}

#[tokio::test]
async fn a_pulled_image_that_is_not_the_snapshot_is_refused_and_removed() {
    let tag = SnapshotTag::of(&REVIEW, &clean());
    let repository = "ghcr.io/acme/pg-ephemeral/main";
    let unlabelled = FakeImage::new(format!("{repository}:{tag}")).label(label::VERSION_KEY.as_str(), "0.1.0");
    for forged in [snapshot_image(repository, &tag, &OTHER), unlabelled] {
        for fake in engines() {
            let home = tempfile::tempdir().unwrap();
            let fake = fake.with_registry_image(forged.clone());
            let before = fake.images();
            let definition = definition(&fake, home.path()).cache_registry("ghcr.io/acme".parse().unwrap());
            let error = definition.pull_snapshot(&REVIEW, &clean()).await.unwrap_err();
            assert!(matches!(&error, CacheError::NotTheLayer { .. }), "{error:?}");
            assert_eq!(fake.images(), before);
        }
    }
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let fake = fake.with_registry_image(snapshot_image(repository, &tag, &REVIEW));
        let definition = definition(&fake, home.path()).cache_registry("ghcr.io/acme".parse().unwrap());
        definition.pull_snapshot(&REVIEW, &clean()).await.unwrap();
    }
}

#[tokio::test]
async fn a_session_is_not_restored_from_another_session_s_image_with_the_snapshot_s_name() {
    let tag = SnapshotTag::of(&REVIEW, &clean());
    for (labelled, is_found) in [(OTHER, false), (REVIEW, true)] {
        for fake in engines() {
            let home = tempfile::tempdir().unwrap();
            let fake = fake.with_image(snapshot_image("pg-ephemeral/main", &tag, &labelled));
            let (fake, session) = session(fake, &[]).await;
            let error = session.restore(&Folders::at(home.path()), &clean(), AnotherSecret::Refuse).await.unwrap_err();
            assert_eq!(!matches!(&error, SnapshotError::NotFound { .. }), is_found, "{error:?}");
            assert_eq!(fake.journal().count(Operation::Stop) > 0, is_found, "{}", fake.journal());
        }
    }
}

#[tokio::test]
async fn a_session_is_not_reset_to_an_image_with_the_layer_s_name_but_another_key() {
    let (key, other) = ("a".repeat(64), "b".repeat(64));
    let layer = format!(r#"{{"key": "{key}", "password": "{key}", "complete": true}}"#);
    for (labelled, is_layer) in [(other, false), (key.clone(), true)] {
        for fake in engines() {
            let home = tempfile::tempdir().unwrap();
            let image = FakeImage::new(format!("pg-ephemeral/main:{key}")).label(label::TAG_KEY.as_str(), &labelled);
            let (fake, session) = session(fake.with_image(image), &[(label::LAYER_KEY, &layer)]).await;
            // The layer can't be rebuilt from this definition, because its seeds are different.
            let statement = SeedSpec::SqlStatement { statement: "select 1".to_owned() };
            let definition = definition(&fake, home.path()).seed("a".parse().unwrap(), statement);
            let error = session.reset(&definition, AnotherSecret::Refuse).await.unwrap_err();
            assert_eq!(!matches!(&error, SnapshotError::Diverged { .. }), is_layer, "{error:?}");
            assert_eq!(fake.journal().count(Operation::Stop) > 0, is_layer, "{}", fake.journal());
        }
    }
}
