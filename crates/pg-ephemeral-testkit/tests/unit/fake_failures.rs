//! Tests of planned failures, as users of a fake backend see them.

use std::time::Duration;

use ociman::label::Key;
use ociman::{CommandError, CommitSpec, Container, ExecSpec, Reference, RunSpec};
use pg_ephemeral_testkit::{Failure, FakeBackend, FakeContainer, FakeImage, FakeLife, Operation, Program};

const IMAGE: &str = "docker.io/library/postgres:17";

fn image() -> Reference {
    Reference::docker_official_image(ociman::PathComponent::from_static("postgres"))
        .with_tag(ociman::Tag::from_static("17"))
}

fn spec() -> RunSpec {
    RunSpec::new(ociman::ContainerName::from_static("a"), image()).entrypoint(["sleep", "60"])
}

fn both() -> [FakeBackend; 2] {
    [FakeBackend::docker().with_image(IMAGE), FakeBackend::podman().with_image(IMAGE)]
}

async fn running(fake: &FakeBackend) -> Container {
    fake.backend().run(&spec()).await.unwrap()
}

#[tokio::test]
async fn a_planned_name_conflict_is_reported() {
    for fake in both() {
        let fake = fake.fail(Operation::Run, Failure::NameTaken);
        let error = fake.backend().run(&spec()).await.unwrap_err();
        assert!(matches!(&error, CommandError::NameTaken { name } if name == "a"), "{error:?}");
        running(&fake).await;
    }
}

#[tokio::test]
async fn every_operation_reports_that_the_engine_is_unreachable() {
    for fake in both() {
        let mut container = running(&fake).await;
        let backend = fake.backend();
        let mut fake = fake;
        for operation in Operation::ALL {
            fake = fake.fail(operation, Failure::EngineDown).on_every_call();
        }
        let limit = Duration::from_secs(1);
        let errors = [
            backend.version().await.unwrap_err(),
            backend.run(&spec()).await.unwrap_err(),
            backend.list(&[], &[]).await.unwrap_err(),
            backend.inspect(&[container.name().clone()]).await.unwrap_err(),
            backend.inspect_images(&[image()]).await.unwrap_err(),
            backend.images("").await.unwrap_err(),
            backend.tag(&image(), &image()).await.unwrap_err(),
            backend.remove_image(&image()).await.unwrap_err(),
            backend.pull(&image()).await.unwrap_err(),
            container.exec(&ExecSpec::new(["true"]), b"").await.unwrap_err(),
            container.commit(&CommitSpec::new(image())).await.unwrap_err(),
            container.start().await.unwrap_err(),
            container.stop(limit).await.unwrap_err(),
            container.wait().await.unwrap_err(),
            container.remove().await.unwrap_err(),
            container.remove_force().await.unwrap_err(),
            container.last_log_lines(1).await.unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, CommandError::Unreachable { .. }), "{error:?}");
        }
        fake.recover();
        container.remove_force().await.unwrap();
        fake.assert_nothing_left();
    }
}

#[tokio::test]
async fn a_failure_happens_only_on_the_named_call() {
    for fake in both() {
        let failure = Failure::Exit { status: 7, stderr: "out of luck".to_owned() };
        let fake = fake.fail(Operation::List, failure).on_call(2);
        let backend = fake.backend();
        backend.list(&[], &[]).await.unwrap();
        let error = backend.list(&[], &[]).await.unwrap_err();
        assert!(matches!(&error, CommandError::Failed { stderr, .. } if stderr == "out of luck"), "{error:?}");
        backend.list(&[], &[]).await.unwrap();
        assert_eq!(fake.journal().count(Operation::List), 3);
    }
}

#[tokio::test]
async fn garbage_and_truncated_output_are_unexpected_output() {
    for failure in [Failure::Garbage, Failure::TruncatedJson] {
        for fake in both() {
            let container = running(&fake).await;
            let fake = fake
                .fail(Operation::List, failure.clone())
                .fail(Operation::Inspect, failure.clone())
                .fail(Operation::InspectImages, failure.clone())
                .fail(Operation::Images, failure.clone());
            let backend = fake.backend();
            let errors = [
                backend.list(&[], &[Key::from_static("a")]).await.unwrap_err(),
                container.inspect().await.unwrap_err(),
                backend.inspect_images(&[image()]).await.unwrap_err(),
                backend.images("").await.unwrap_err(),
            ];
            for error in errors {
                assert!(matches!(error, CommandError::UnexpectedOutput { .. }), "{failure:?}: {error:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_query_that_hangs_ends_at_its_limit() {
    for fake in both() {
        let fake = fake.fail(Operation::Version, Failure::Hang);
        let error = fake.backend().version().await.unwrap_err();
        assert!(matches!(error, CommandError::Unreachable { .. }), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_hangs_never_ends_and_has_done_nothing() {
    for fake in both() {
        let fake = fake.fail(Operation::Run, Failure::Hang);
        let backend = fake.backend();
        let spec = spec();
        let run = backend.run(&spec);
        assert!(tokio::time::timeout(Duration::from_secs(3600), run).await.is_err());
        fake.assert_nothing_left();
    }
}

#[tokio::test]
async fn the_container_of_a_run_that_is_killed_midway_is_removed() {
    for fake in both() {
        let fake = fake.fail(Operation::Run, Failure::KilledMidway);
        fake.backend().run(&spec()).await.unwrap_err();
        assert_eq!(fake.journal().count(Operation::Remove), 1);
        fake.assert_nothing_left();
    }
}

#[tokio::test]
async fn an_image_can_vanish_between_two_calls() {
    for fake in both() {
        let fake = fake.fail(Operation::Run, Failure::ImageVanished);
        let backend = fake.backend();
        assert!(backend.inspect_images(&[image()]).await.unwrap()[0].is_some());
        let error = backend.run(&spec()).await.unwrap_err();
        assert!(matches!(error, CommandError::ImageNotFound { .. }), "{error:?}");
        assert!(fake.images().is_empty());
    }
}

#[tokio::test]
async fn a_full_disk_fails_a_commit_and_leaves_no_image() {
    for fake in both() {
        let container = running(&fake).await;
        let fake = fake.fail(Operation::Commit, Failure::DiskFull);
        let error = container.commit(&CommitSpec::new("localhost/b:1".parse().unwrap())).await.unwrap_err();
        assert!(error.to_string().contains("no space left on device"), "{error}");
        assert_eq!(fake.images(), [IMAGE]);
    }
}

#[tokio::test]
async fn a_listing_is_repeated_only_if_an_image_disappeared_during_it() {
    let failing = |text: &str| Failure::Exit { status: 125, stderr: text.to_owned() };
    let gone = [
        "CommandError: a03d: image not known",
        "CommandError: retrieving label for image \"a03d\": fallback error checking whether image is a manifest list: layer not \
         known: layer not known",
    ];
    for message in gone {
        let fake = FakeBackend::podman().fail(Operation::Images, failing(message));
        fake.backend().images("").await.unwrap();
        assert_eq!(fake.journal().count(Operation::Images), 2, "{message}");
    }
    let fake = FakeBackend::podman().fail(Operation::Images, failing("CommandError: broken"));
    fake.backend().images("").await.unwrap_err();
    assert_eq!(fake.journal().count(Operation::Images), 1);
}

/// runc reports this error occasionally on a busy machine.
#[tokio::test(start_paused = true)]
async fn a_commit_is_repeated_only_if_its_container_could_not_be_paused() {
    let failing = |text: &str| Failure::Exit { status: 125, stderr: text.to_owned() };
    let commit = CommitSpec::new("localhost/b:1".parse().unwrap());
    for fake in both() {
        let container = running(&fake).await;
        let fake = fake.fail(Operation::Commit, failing("CommandError: unable to freeze"));
        container.commit(&commit).await.unwrap();
        assert_eq!(fake.journal().count(Operation::Commit), 2);
    }
    for fake in both() {
        let container = running(&fake).await;
        let fake = fake.fail(Operation::Commit, failing("CommandError: broken"));
        container.commit(&commit).await.unwrap_err();
        assert_eq!(fake.journal().count(Operation::Commit), 1);
    }
}

#[tokio::test]
async fn containers_and_sessions_can_exist_from_the_start() {
    for fake in both() {
        let dead = FakeContainer::new("dead", IMAGE).label("owner", "nobody").life(FakeLife::Exited(137));
        let fake = fake.with_container(dead).with_session("demo", IMAGE, &[("pg-ephemeral.instance", "main")]);
        let session = Key::from_static("pg-ephemeral.session");
        let found = fake.backend().list(&[ociman::label::Filter::key_only(&session)], &[session]).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].name, "pg-ephemeral-session-demo");
        let dead = fake.backend().container("dead".parse().unwrap()).inspect().await.unwrap();
        assert_eq!(dead.exit_code, Some(137));
        fake.assert_nothing_left();
    }
}

#[tokio::test]
async fn a_leftover_container_is_reported_with_all_commands() {
    let fake = FakeBackend::docker().with_image(IMAGE);
    running(&fake).await;
    let check = std::panic::AssertUnwindSafe(|| fake.assert_nothing_left());
    let text = *std::panic::catch_unwind(check).unwrap_err().downcast::<String>().unwrap();
    assert!(text.starts_with("containers are left: a\n") && text.contains("docker run --detach"), "{text}");
}

#[tokio::test]
async fn a_fake_program_of_an_image_returns_its_planned_answer() {
    for fake in [FakeBackend::docker(), FakeBackend::podman()] {
        let answer = Program::Answer { status: 3, stdout: "out".to_owned(), stderr: "err".to_owned() };
        let fake = fake.with_image(FakeImage::postgres("17").program("pg_dump", answer));
        let spec = RunSpec::new("a".parse().unwrap(), image());
        let container = fake.backend().run(&spec).await.unwrap();
        let output = container.exec(&ExecSpec::new(["pg_dump", "--schema-only"]), b"").await.unwrap();
        assert_eq!((output.status.code(), output.stdout, output.stderr), (3, b"out".to_vec(), b"err".to_vec()));
        container.stop(Duration::from_secs(1)).await.unwrap();
        container.remove().await.unwrap();
        fake.assert_nothing_left();
    }
}

#[tokio::test]
async fn a_volume_is_not_part_of_a_commit() {
    for fake in [FakeBackend::docker(), FakeBackend::podman()] {
        let fake = fake.with_image(FakeImage::new(IMAGE).volume("/data").file("data/old", "").file("kept", "kept"));
        let container = running(&fake).await;
        container.exec(&ExecSpec::new(["sh", "-c", "echo new > data/new"]), b"").await.unwrap();
        let copy: Reference = "localhost/b:1".parse().unwrap();
        container.commit(&CommitSpec::new(copy.clone())).await.unwrap();
        let mut spec = spec();
        spec.name = "b".parse().unwrap();
        spec.image = copy;
        let second = fake.backend().run(&spec).await.unwrap();
        let output = second.exec(&ExecSpec::new(["sh", "-c", "cat kept; ls data 2>/dev/null"]), b"").await.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "kept");
    }
}

#[tokio::test]
async fn an_image_of_the_registry_can_be_pulled() {
    for fake in [FakeBackend::docker(), FakeBackend::podman()] {
        let fake = fake.with_registry_image(IMAGE);
        let backend = fake.backend();
        assert_eq!(backend.inspect_images(&[image()]).await.unwrap(), [None]);
        backend.pull(&image()).await.unwrap();
        assert!(backend.inspect_images(&[image()]).await.unwrap()[0].is_some());
        let unknown = image().with_tag(ociman::Tag::from_static("99"));
        let error = backend.pull(&unknown).await.unwrap_err();
        assert!(matches!(error, CommandError::ImageNotFound { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn secret_values_are_not_in_the_journal() {
    for fake in both() {
        let secret = ociman::Variable::secret("PGPASSWORD", ociman::Secret::new("hunter2"));
        let container = fake.backend().run(&spec().variable(secret)).await.unwrap();
        let output = container.exec(&ExecSpec::new(["sh", "-c", "echo $PGPASSWORD"]), b"").await.unwrap();
        assert_eq!(output.stdout, b"hunter2\n");
        assert!(!format!("{} {:?}", fake.journal(), fake.journal().entries()).contains("hunter2"));
    }
}

#[tokio::test]
async fn podmans_shim_answers_to_docker() {
    use std::sync::Arc;
    let podman = FakeBackend::podman();
    let docker = ociman::Backend::docker_with(Arc::new(podman.clone()));
    assert!(matches!(docker.version().await, Err(CommandError::Unreachable { .. })));
    let docker = ociman::Backend::docker_with(Arc::new(podman.with_docker_shim()));
    assert!(docker.version().await.unwrap().server.is_none());
}

#[tokio::test]
async fn dropping_a_fake_removes_its_processes_and_files() {
    let fake = FakeBackend::podman().with_image(IMAGE);
    let container = fake
        .backend()
        .run(&RunSpec::new("a".parse().unwrap(), image()).entrypoint(["sh", "-c", "echo $$; pwd; exec sleep 60"]))
        .await
        .unwrap();
    let mut log = String::new();
    while log.lines().count() < 2 {
        log = container.last_log_lines(2).await.unwrap();
    }
    let (pid, folder) = log.trim().split_once('\n').unwrap();
    assert!(std::path::Path::new(folder).exists());
    drop(container);
    drop(fake);
    assert!(!std::path::Path::new("/proc").join(pid).exists());
    assert!(!std::path::Path::new(folder).exists());
}

/// The environment variable that makes [`a_killed_test_leaves_no_process_and_no_file`] start a container and wait. The
/// test runs this binary with the variable and kills it.
const VICTIM: &str = "FAKE_FAILURES_VICTIM";

#[tokio::test]
async fn a_killed_test_leaves_no_process_and_no_file() {
    if std::env::var_os(VICTIM).is_some() {
        let fake = FakeBackend::podman().with_image(IMAGE);
        let spec = RunSpec::new("a".parse().unwrap(), image()).entrypoint(["sh", "-c", "pwd; echo $$; exec sleep 600"]);
        let container = fake.backend().run(&spec).await.unwrap();
        loop {
            println!("{}", container.last_log_lines(2).await.unwrap().replace('\n', " ready "));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let binary = std::env::current_exe().unwrap();
    let mut victim = std::process::Command::new(binary)
        .args(["--exact", "--nocapture", "fake_failures::a_killed_test_leaves_no_process_and_no_file"])
        .env(VICTIM, "1")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(victim.stdout.take().unwrap()));
    let line = lines.find_map(|line| line.ok().filter(|line| line.matches(" ready ").count() == 2)).unwrap();
    let mut words = line.split(" ready ");
    let folder = words.next().unwrap().trim_start_matches(|letter| letter != '/').to_owned();
    let process = std::path::Path::new("/proc").join(words.next().unwrap());
    assert!(process.exists() && std::path::Path::new(&folder).exists(), "{line}");
    victim.kill().unwrap();
    victim.wait().unwrap();
    pg_ephemeral_testkit::wait_until("process and files are gone", Duration::from_secs(20), || {
        let is_gone = std::fs::read_to_string(process.join("stat")).map_or(true, |stat| stat.contains(") Z "));
        is_gone && !std::path::Path::new(&folder).exists()
    });
}
