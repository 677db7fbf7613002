//! Boots on fake docker and fake podman: images that vanish between two commands, failed runs, and remote engines.

use std::sync::Arc;

use ociman::Kind;
use pg_ephemeral_core::config::BackendChoice;
use pg_ephemeral_core::{Definition, Folders, StartError};
use pg_ephemeral_testkit::{Failure, FakeBackend, FakeImage, Operation};

const IMAGE: &str = "docker.io/library/postgres:17";

fn engines() -> [(Kind, FakeBackend); 2] {
    [(Kind::Docker, FakeBackend::docker()), (Kind::Podman, FakeBackend::podman())]
}

async fn start(kind: Kind, fake: &FakeBackend) -> StartError {
    let home = tempfile::tempdir().unwrap();
    let definition = Definition::in_folders(Folders::at(home.path()))
        .backend_choice(BackendChoice::Only(kind))
        .executor(Arc::new(fake.clone()))
        .image(IMAGE.parse().unwrap());
    definition.start().await.map(drop).unwrap_err()
}

fn refusal() -> Failure {
    Failure::Exit { status: 125, stderr: "Error: no more of it".to_owned() }
}

#[tokio::test]
async fn an_image_that_vanishes_before_its_run_is_looked_up_once_more() {
    for (kind, fake) in engines() {
        let fake = fake
            .with_image(FakeImage::postgres("17"))
            .with_registry_image(FakeImage::postgres("17"))
            .fail(Operation::Run, Failure::ImageVanished)
            .on_call(1)
            .fail(Operation::Run, refusal())
            .on_call(2);
        let error = start(kind, &fake).await;
        let journal = fake.journal();
        assert_eq!((journal.count(Operation::Pull), journal.count(Operation::Run)), (1, 2), "{journal}");
        let StartError::Run(refused) = &error else { panic!("{error:?}") };
        assert!(refused.to_string().contains("no more of it"), "{refused}");
        fake.assert_nothing_left();
    }
}

#[tokio::test]
async fn an_image_that_vanishes_twice_is_an_error_that_names_it() {
    for (kind, fake) in engines() {
        let fake = fake
            .with_image(FakeImage::postgres("17"))
            .with_registry_image(FakeImage::postgres("17"))
            .fail(Operation::Run, Failure::ImageVanished)
            .on_every_call();
        let error = start(kind, &fake).await;
        assert_eq!(fake.journal().count(Operation::Run), 2, "{}", fake.journal());
        assert!(
            matches!(&error, StartError::Run(ociman::CommandError::ImageNotFound { image }) if image == IMAGE),
            "{error:?}"
        );
        fake.assert_nothing_left();
    }
}

#[tokio::test]
async fn any_other_failure_of_a_run_is_not_retried() {
    for (kind, fake) in engines() {
        let fake = fake.with_image(FakeImage::postgres("17")).fail(Operation::Run, refusal()).on_every_call();
        let error = start(kind, &fake).await;
        assert!(matches!(error, StartError::Run(ociman::CommandError::Failed { .. })), "{error:?}");
        assert_eq!(fake.journal().count(Operation::Run), 1, "{}", fake.journal());
        fake.assert_nothing_left();
    }
}

#[tokio::test]
async fn mounting_a_folder_on_a_remote_engine_is_an_error_before_anything_starts() {
    for (kind, fake) in engines() {
        let fake = fake.with_image(FakeImage::postgres("17")).remote("ssh://me@192.0.2.7:2222/run/x.sock");
        let home = tempfile::tempdir().unwrap();
        let definition = Definition::in_folders(Folders::at(home.path()))
            .backend_choice(BackendChoice::Only(kind))
            .executor(Arc::new(fake.clone()))
            .image(IMAGE.parse().unwrap())
            .transparent_workdir("/some/folder");
        let error = definition.start().await.map(drop).unwrap_err();
        let expected = format!("failed to mount /some/folder: the {kind} engine is on another machine, 192.0.2.7");
        assert_eq!(error.to_string(), expected);
        assert!(error.hint().is_some_and(|hint| hint.contains("`host` form")));
        assert_eq!(fake.journal().count(Operation::Run), 0, "{}", fake.journal());
    }
}
