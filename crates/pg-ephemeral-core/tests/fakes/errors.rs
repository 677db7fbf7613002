//! Errors that occur without a server: obstacles in the state folder, and engines that stop answering.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ociman::Backend;
use ociman::command::{CommandLine, Executor, Output, Process, ProcessError, QueryOutput};
use pg_ephemeral_core::cache::{CacheError, InUse, PruneRules, Scope, prune, reset};
use pg_ephemeral_core::seed::ReadError;
use pg_ephemeral_core::seed::spec::SeedSpec;
use pg_ephemeral_core::session::{MetadataError, Name, Session};
use pg_ephemeral_core::{
    AttachError, Definition, Folders, FoldersError, LockError, RecordError, SecretError, Server, StartError,
    WithServerError, session_name,
};
use pg_ephemeral_testkit::{Failure, FakeBackend, FakeImage, Operation};

const IMAGE: &str = "docker.io/library/postgres:17";
const REVIEW: Name = session_name!("review");

fn engines() -> [FakeBackend; 2] {
    [FakeBackend::docker(), FakeBackend::podman()].map(|fake| fake.with_image(FakeImage::postgres("17")))
}

fn definition(fake: &FakeBackend, home: &Path) -> Definition {
    Definition::in_folders(Folders::at(home)).backend(fake.backend()).image("17".parse().unwrap())
}

/// Returns a home folder with an obstacle at a path below the state folder where this crate creates something itself.
fn home_with(path: &str, content: Obstacle) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("pg-ephemeral").join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    match content {
        Obstacle::Folder => fs::create_dir(path).unwrap(),
        Obstacle::File => fs::write(path, "").unwrap(),
        // No user can create files in this folder.
        Obstacle::ReadOnly => symlink("/proc/self/task", path).unwrap(),
    }
    home
}

#[derive(Clone, Copy)]
enum Obstacle {
    Folder,
    File,
    ReadOnly,
}

async fn start_error(path: &str, content: Obstacle) -> StartError {
    let fake = FakeBackend::podman().with_image(FakeImage::postgres("17"));
    let home = home_with(path, content);
    let error = definition(&fake, home.path()).start().await.unwrap_err();
    fake.assert_nothing_left();
    assert_eq!(fake.journal().count(Operation::Run), 0, "nothing was to be started");
    error
}

#[tokio::test]
async fn an_obstacle_in_the_state_folder_is_an_error_before_anything_starts() {
    let error = start_error("secret", Obstacle::Folder).await;
    assert!(matches!(&error, StartError::Secret(SecretError::File { action: "read", .. })), "{error:?}");
    let error = start_error("secret", Obstacle::File).await;
    assert!(matches!(&error, StartError::Secret(SecretError::Length { length: 0, .. })), "{error:?}");
    let error = start_error("locks/podman-main", Obstacle::Folder).await;
    assert!(matches!(&error, StartError::Lock(LockError::File { .. })), "{error:?}");
    let error = start_error("locks", Obstacle::File).await;
    assert!(matches!(&error, StartError::Lock(LockError::Folders(FoldersError::Make { .. }))), "{error:?}");
    let error = start_error("servers", Obstacle::File).await;
    assert!(matches!(&error, StartError::Record(RecordError::Folders(FoldersError::Make { .. }))), "{error:?}");
    let error = start_error("servers", Obstacle::ReadOnly).await;
    assert!(matches!(&error, StartError::Record(RecordError::Write { .. })), "{error:?}");
}

#[tokio::test]
async fn a_state_folder_that_is_a_file_is_an_error() {
    let home = tempfile::NamedTempFile::new().unwrap();
    let fake = FakeBackend::docker().with_image(FakeImage::postgres("17"));
    let error = definition(&fake, home.path()).start().await.unwrap_err();
    assert!(matches!(&error, StartError::Secret(_)), "{error:?}");
}

#[tokio::test]
async fn an_engine_that_stops_answering_is_the_cause_of_the_operation_s_error() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let fake = fake.fail(Operation::InspectImages, Failure::EngineDown);
        let error = definition(&fake, home.path()).start().await.unwrap_err();
        assert!(matches!(&error, StartError::LookUp { image, .. } if image == IMAGE), "{error:?}");

        let fake = fake.fail(Operation::List, Failure::EngineDown);
        let error = definition(&fake, home.path()).start_session(&REVIEW, None).await.unwrap_err();
        assert!(matches!(&error, StartError::FindSession(_)), "{error:?}");

        let fake = fake.fail(Operation::Run, Failure::EngineDown);
        let body = async |_: &Server| Ok::<(), std::io::Error>(());
        let error = definition(&fake, home.path()).with_server(body).await.unwrap_err();
        assert!(matches!(&error, WithServerError::Start(StartError::Run(_))), "{error:?}");
        fake.assert_nothing_left();
    }
}

#[tokio::test]
async fn an_image_that_no_registry_has_is_an_error_that_names_it() {
    for fake in [FakeBackend::docker(), FakeBackend::podman()] {
        let home = tempfile::tempdir().unwrap();
        let error = definition(&fake, home.path()).start().await.unwrap_err();
        assert!(matches!(&error, StartError::Pull { image, .. } if image == IMAGE), "{error:?}");
    }
}

#[tokio::test]
async fn an_empty_folder_path_for_seeds_is_an_error() {
    let fake = FakeBackend::docker();
    let home = tempfile::tempdir().unwrap();
    let path = "schema.sql".into();
    let seed = SeedSpec::SqlFile { path, git_revision: None, files: Vec::new() };
    let definition = definition(&fake, home.path()).seed("schema".parse().unwrap(), seed).folder("");
    let error = definition.start().await.unwrap_err();
    assert!(matches!(&error, StartError::LoadSeeds(ReadError::Folder { .. })), "{error:?}");
    let error = definition.cache_status().await.unwrap_err();
    assert!(matches!(&error, CacheError::Prepare(StartError::LoadSeeds(_))), "{error:?}");
}

#[tokio::test]
async fn session_labels_that_can_not_be_read_or_decoded_are_distinct_errors() {
    for fake in engines() {
        let fake = fake.with_session("review", IMAGE, &[]).fail(Operation::Inspect, Failure::EngineDown);
        let session = Session::find(&fake.backend(), &REVIEW).await.unwrap().unwrap();
        let error = session.metadata().await.unwrap_err();
        assert!(matches!(&error, MetadataError::ReadLabels(_)), "{error:?}");
        let error = session.metadata().await.unwrap_err();
        assert!(matches!(&error, MetadataError::Decode(_)), "{error:?}");
        assert!(matches!(session.listed_metadata(), Err(MetadataError::Decode(_))));
    }
}

#[tokio::test]
async fn attaching_without_a_readable_secret_is_an_error() {
    let home = home_with("secret", Obstacle::Folder);
    let address = "127.0.0.1:1".parse().unwrap();
    let container = pg_ephemeral_testkit::FakeContainer::new("pg-ephemeral-session-review", IMAGE)
        .label("pg-ephemeral.session", "review")
        .label("pg-ephemeral.superuser.user", "postgres")
        .label("pg-ephemeral.superuser.database", "postgres")
        .label("pg-ephemeral.nonce", "n")
        .port(5432, address);
    let fake = FakeBackend::podman().with_container(container);
    let session = Session::find(&fake.backend(), &REVIEW).await.unwrap().unwrap();
    let error = Server::attach(&session, &Folders::at(home.path())).unwrap_err();
    assert!(matches!(&error, AttachError::Secret(SecretError::File { .. })), "{error:?}");
}

/// An image that is a layer of the instance `main`.
fn layer() -> FakeImage {
    let hash = "a".repeat(64);
    FakeImage::new(format!("localhost/pg-ephemeral/main:{hash}"))
        .label("pg-ephemeral.version", "0.1.0")
        .label("pg-ephemeral.instance", "main")
        .label("pg-ephemeral.image", IMAGE)
        .label("pg-ephemeral.seeds", "[]")
        .label("pg-ephemeral.superuser.user", "postgres")
        .label("pg-ephemeral.superuser.database", "postgres")
}

#[tokio::test]
async fn an_engine_that_can_not_list_or_remove_layers_is_an_error() {
    let main = "main".parse().unwrap();
    for fake in [FakeBackend::docker(), FakeBackend::podman()] {
        let image = layer();
        let fake = fake.with_image(image);
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let layers = pg_ephemeral_core::cache::images(&fake.backend(), Scope::All).await.unwrap();
        assert_eq!(layers.len(), 1, "{:?}", fake.images());

        let fake = fake.fail(Operation::Images, Failure::EngineDown).on_every_call();
        let error = prune(&folders, &fake.backend(), PruneRules::default()).await.unwrap_err();
        assert!(matches!(&error, CacheError::List(_)), "{error:?}");
        fake.recover();

        let fake = fake.fail(Operation::RemoveImage, Failure::EngineDown).on_every_call();
        let error = reset(&folders, &fake.backend(), &main, InUse::Keep).await.unwrap_err();
        assert!(matches!(&error, CacheError::Remove { .. }), "{error:?}");
        fake.recover();

        let name = layers.first().unwrap().names.first().unwrap().to_string();
        let container =
            pg_ephemeral_testkit::FakeContainer::new("pg-ephemeral-x", name).label("pg-ephemeral.version", "0.1.0");
        let container = container.label("pg-ephemeral.nonce", "n");
        let fake = fake.with_container(container).fail(Operation::Remove, Failure::EngineDown).on_every_call();
        let error = reset(&folders, &fake.backend(), &main, InUse::RemoveWithServers).await.unwrap_err();
        assert!(matches!(&error, CacheError::RemoveServer { .. }), "{error:?}");
        fake.recover();

        fake.journal().clear();
        let done = reset(&folders, &fake.backend(), &main, InUse::RemoveWithServers).await.unwrap();
        assert_eq!((done.removed.len(), done.servers.len()), (1, 1));
        // The server is removed by ID, because another container may have taken the name since it was found.
        let entries = fake.journal().entries();
        let removal = entries.iter().find(|entry| entry.operation == Operation::Remove).unwrap();
        assert!(!removal.arguments.iter().any(|argument| argument == "pg-ephemeral-x"), "{removal:?}");
        assert!(fake.images().is_empty(), "{:?}", fake.images());
    }
}

#[tokio::test]
async fn an_obstacle_in_place_of_the_build_lock_is_an_error() {
    let fake = FakeBackend::docker().with_image(FakeImage::postgres("17"));
    let home = home_with("locks/docker-main", Obstacle::Folder);
    let folders = Folders::at(home.path());
    let error = reset(&folders, &fake.backend(), &"main".parse().unwrap(), InUse::Keep).await.unwrap_err();
    assert!(matches!(&error, CacheError::Lock(LockError::File { .. })), "{error:?}");
}

/// An executor that panics when an engine is to start a container.
#[derive(Debug)]
struct Panicking(FakeBackend);

#[async_trait::async_trait]
impl Executor for Panicking {
    async fn spawn(&self, line: CommandLine) -> Result<Process, ProcessError> {
        self.0.spawn(line).await
    }

    async fn query(&self, line: CommandLine, limit: Duration) -> Result<QueryOutput, ProcessError> {
        self.0.query(line, limit).await
    }

    async fn capture(&self, line: CommandLine, input: &[u8]) -> Result<Output, ProcessError> {
        assert!(line.arguments.first().is_none_or(|word| word != "run"), "on purpose");
        self.0.capture(line, input).await
    }
}

#[tokio::test]
async fn a_start_whose_thread_panics_is_an_error_and_leaves_nothing() {
    let fake = FakeBackend::docker().with_image(FakeImage::postgres("17"));
    let home = tempfile::tempdir().unwrap();
    let backend = Backend::docker_with(Arc::new(Panicking(fake.clone())));
    let definition = Definition::in_folders(Folders::at(home.path())).backend(backend).image("17".parse().unwrap());
    let error = definition.start().await.unwrap_err();
    assert!(matches!(&error, StartError::Thread(_)), "{error:?}");
    assert_eq!(fs::read_dir(home.path().join("pg-ephemeral/servers")).unwrap().count(), 0);
    fake.assert_nothing_left();
}

#[tokio::test]
async fn a_pulled_image_that_is_not_the_layer_is_refused_and_removed() {
    for fake in [FakeBackend::docker(), FakeBackend::podman()] {
        let home = tempfile::tempdir().unwrap();
        let statement = "create table t ()".to_owned();
        let definition = Definition::in_folders(Folders::at(home.path()))
            .image("17".parse().unwrap())
            .seed("a".parse().unwrap(), SeedSpec::SqlStatement { statement })
            .cache_registry("ghcr.io/acme".parse().unwrap());
        let fake = fake.with_image(FakeImage::postgres("17"));
        let status = definition.clone().backend(fake.backend()).cache_status().await.unwrap();
        let name = status.seeds[0].cache_image.clone().unwrap();
        let forged = FakeImage::new(format!("ghcr.io/acme/{name}"))
            .label("pg-ephemeral.version", "0.1.0")
            .label("pg-ephemeral.key", &"a".repeat(64));
        let fake = fake.with_registry_image(forged);
        let before = fake.images();
        let error = definition.backend(fake.backend()).pull_cache().await.unwrap_err();
        assert!(matches!(&error, CacheError::NotTheLayer { .. }), "{error:?}");
        assert!(error.hint().unwrap().contains("cache push"));
        assert_eq!(fake.images(), before);
    }
}
