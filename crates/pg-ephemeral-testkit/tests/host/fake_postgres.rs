//! Tests of fake engines whose containers run a real PostgreSQL: servers are started, seeded and queried on them.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ociman::{Container, ExecSpec, PublishedPort, RunSpec, Variable};
use pg_ephemeral_core::cache::{self, InUse, LayerState, Scope};
use pg_ephemeral_core::parameter::Parameters;
use pg_ephemeral_core::seed::spec::SeedSpec;
use pg_ephemeral_core::session::Session;
use pg_ephemeral_core::{ConnectError, Definition, Folders, Reach, Server, StartError, locale, reap, session_name};
use pg_ephemeral_testkit::{Failure, FakeBackend, Operation, memory, wait_until, wait_until_async};

const AMPLE: Duration = Duration::from_secs(20);

fn engines() -> [FakeBackend; 2] {
    [FakeBackend::docker().with_postgres(), FakeBackend::podman().with_postgres()]
}

/// Returns a definition with a table that contains 42.
fn definition(fake: &FakeBackend, home: &Path) -> Definition {
    let definition = Definition::in_folders(Folders::at(home)).backend(fake.backend());
    let statement = "CREATE TABLE answers AS SELECT 42 AS answer".to_owned();
    definition.seed("schema".parse().unwrap(), SeedSpec::SqlStatement { statement })
}

async fn number(server: &Server, query: &str) -> i32 {
    server.connect().await.unwrap().query_one(query, &[]).await.unwrap().get(0)
}

async fn run(fake: &FakeBackend, variables: &[(&str, &str)]) -> Container {
    let image = fake.images().first().unwrap().parse().unwrap();
    let spec = RunSpec::new("db".parse().unwrap(), image);
    let spec = spec.port(PublishedPort { container: 5432, address: [127, 0, 0, 1].into(), port: None });
    let variables = variables.iter().map(|(name, value)| Variable::plain(*name, *value));
    fake.backend().run(&variables.fold(spec, RunSpec::variable)).await.unwrap()
}

async fn psql(container: &Container, query: &str) -> Option<String> {
    let spec = ExecSpec::new(["psql", "--host=/var/run/postgresql", "--username=postgres", "-AXtc", query]);
    let output = container.exec(&spec, b"").await.unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

#[tokio::test]
async fn a_server_can_be_started_seeded_queried_from_outside_and_inside_and_removed() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let server = definition(&fake, home.path()).start().await.unwrap();
        assert_eq!(number(&server, "SELECT answer FROM answers").await, 42);
        let output = server.exec(ExecSpec::new(["psql", "-AXtc", "SELECT answer FROM answers"]), b"").await.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "42\n", "{}", String::from_utf8_lossy(&output.stderr));
        let dump = String::from_utf8(server.schema_dump().await.unwrap()).unwrap();
        assert!(dump.contains("CREATE TABLE public.answers"), "{dump}");
        let password = server.connection().password.expose().to_owned();
        server.stop().await.unwrap();
        fake.assert_nothing_left();
        assert_eq!(std::fs::read_dir(home.path().join("pg-ephemeral/servers")).unwrap().count(), 0);
        let journal = format!("{:?}", fake.journal().entries());
        assert!(!journal.contains(&password) && !journal.contains("POSTGRES_PASSWORD="), "{journal}");
        assert_eq!(fake.images().len(), 3, "{:?}", fake.images());
    }
}

#[tokio::test]
async fn the_default_locale_is_that_of_the_host_and_can_be_changed() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let query = "SELECT datcollate FROM pg_database WHERE datname = current_database()";
        let collation = async |definition: Definition| {
            let server = definition.start().await.unwrap();
            let row = server.connect().await.unwrap().query_one(query, &[]).await.unwrap();
            server.stop().await.unwrap();
            row.get::<_, String>(0)
        };
        let expected = locale::default_of_host(&Folders::at(home.path()));
        assert_eq!(collation(definition(&fake, home.path())).await, expected);
        assert_eq!(collation(definition(&fake, home.path()).locale("C".parse().unwrap())).await, "C");
        fake.assert_nothing_left();
    }
}

#[tokio::test]
async fn tcp_connections_need_a_password() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let server = definition(&fake, home.path()).start().await.unwrap();
        let trusting = "SELECT count(*)::int FROM pg_hba_file_rules WHERE type <> 'local' AND auth_method = 'trust'";
        assert_eq!(number(&server, trusting).await, 0);
        server.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_without_a_port_is_reached_through_the_folder_of_its_socket() {
    for reach in [Reach::Inside, Reach::InsideWithoutNetwork] {
        for fake in engines() {
            let home = tempfile::tempdir().unwrap();
            // The first start, the server of the build, and, if that one had more network access than requested,
            // another.
            let cold = if reach == Reach::Inside { 2 } else { 3 };
            for runs in [cold, 1] {
                fake.journal().clear();
                let server = definition(&fake, home.path()).reach(reach).start().await.unwrap();
                assert_eq!(number(&server, "SELECT answer FROM answers").await, 42);
                server.stop().await.unwrap();
                assert_eq!(fake.journal().count(Operation::Run), runs, "{reach:?}: {}", fake.journal());
                fake.assert_nothing_left();
            }
        }
    }
}

#[tokio::test]
async fn a_container_removed_during_its_first_start_leaves_no_shared_memory() {
    let fake = FakeBackend::podman().with_postgres();
    for delay in [0, 150, 300, 450, 600].map(Duration::from_millis) {
        let mark = format!("{}-{delay:?}", std::process::id());
        // With a unique user, so that no kept cluster fits and a new one is created.
        let variables = [("POSTGRES_PASSWORD", "secret"), ("POSTGRES_USER", &mark), ("MARK_OF_TEST", &mark)];
        let mut container = run(&fake, &variables).await;
        let mut files = BTreeSet::new();
        let mut any = || {
            files.extend(shared_memory(&mark));
            !files.is_empty()
        };
        wait_until("there is shared memory", AMPLE, &mut any);
        let begin = Instant::now();
        wait_until("the moment has come", AMPLE, || any() && begin.elapsed() >= delay);
        container.remove_force().await.unwrap();
        any();
        let left: Vec<_> = files.iter().filter(|file| file.exists()).collect();
        assert!(left.is_empty(), "after {delay:?}: {left:?}");
    }
}

/// Returns the shared memory files of all processes that have this mark in their environment.
fn shared_memory(mark: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
        if String::from_utf8_lossy(&environment).split('\0').any(|one| one == format!("MARK_OF_TEST={mark}")) {
            files.extend(memory::shared_memory(pid));
        }
    }
    files
}

#[tokio::test]
async fn a_second_start_uses_the_last_layer_and_needs_three_commands() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let image = fake.images().first().unwrap().rsplit(':').next().unwrap().parse().unwrap();
        let more = |definition: Definition, number: u32| {
            let statement = format!("CREATE TABLE more_{number} ()");
            definition.seed(format!("more-{number}").parse().unwrap(), SeedSpec::SqlStatement { statement })
        };
        let definition = (0..3).fold(definition(&fake, home.path()).image(image), more);
        definition.populate_cache().await.unwrap();
        fake.assert_nothing_left();
        fake.journal().clear();
        let server = definition.start().await.unwrap();
        assert_eq!(number(&server, "SELECT answer FROM answers").await, 42);
        server.stop().await.unwrap();
        let operations: Vec<Operation> = fake.journal().entries().iter().map(|entry| entry.operation).collect();
        assert_eq!(operations, [Operation::InspectImages, Operation::Run, Operation::Remove]);
        let entries = fake.journal().entries();
        let asked = entries[0].arguments.iter().filter(|word| word.contains("pg-ephemeral/")).count();
        assert_eq!(asked, 1, "of five layers only the last: {}", fake.journal());
    }
}

#[tokio::test]
async fn a_commit_of_a_running_server_has_its_data_and_the_server_keeps_running() {
    for fake in engines() {
        let container = run(&fake, &[("POSTGRES_PASSWORD", "p"), ("PGDATA", "/var/lib/own/data")]).await;
        wait_until_async("the server answers", AMPLE, async || psql(&container, "SELECT 1").await.is_some()).await;
        psql(&container, "CREATE TABLE kept (); CHECKPOINT").await.unwrap();
        let image: ociman::Reference = "localhost/copy:1".parse().unwrap();
        container.commit(&ociman::CommitSpec { image: image.clone(), labels: Default::default() }).await.unwrap();
        assert_eq!(psql(&container, "SELECT count(*) FROM kept").await.unwrap(), "0\n");

        let copy = fake.backend().run(&RunSpec::new("copy".parse().unwrap(), image)).await.unwrap();
        wait_until_async("the copy answers", AMPLE, async || psql(&copy, "SELECT 1").await.is_some()).await;
        assert_eq!(psql(&copy, "SELECT count(*) FROM kept").await.unwrap(), "0\n");
        for mut container in [container, copy] {
            container.remove_force().await.unwrap();
        }
        fake.assert_nothing_left();
    }
}

#[tokio::test]
async fn a_manually_started_container_requires_the_given_password() {
    for fake in engines() {
        let variables = [
            ("POSTGRES_PASSWORD", "right"),
            ("POSTGRES_DB", "own \"db\""),
            ("POSTGRES_INITDB_ARGS", "--auth-host=scram-sha-256"),
        ];
        let mut container = run(&fake, &variables).await;
        wait_until_async("the server answers", AMPLE, async || psql(&container, "SELECT 1").await.is_some()).await;
        let address = container.published_port(5432).await.unwrap().unwrap();
        let connect = async |password: &str| {
            let mut config = tokio_postgres::Config::new();
            config.host(address.ip().to_string()).port(address.port()).user("postgres").dbname("own \"db\"");
            config.password(password).connect(tokio_postgres::NoTls).await.map(drop)
        };
        connect("right").await.unwrap();
        let refused = connect("wrong").await.unwrap_err();
        assert_eq!(refused.code(), Some(&tokio_postgres::error::SqlState::INVALID_PASSWORD));
        container.stop(AMPLE).await.unwrap();
        assert!(matches!(
            container.exec(&ExecSpec::new(["true"]), b"").await,
            Err(ociman::CommandError::ContainerNotRunning { .. })
        ));
        container.start().await.unwrap();
        wait_until_async("it answers again", AMPLE, async || connect("right").await.is_ok()).await;
        container.remove_force().await.unwrap();
        fake.assert_nothing_left();
    }
}

#[tokio::test]
async fn a_first_start_without_a_password_fails_with_the_message_of_the_image() {
    for fake in engines() {
        let container = run(&fake, &[]).await;
        assert_eq!(container.wait().await.unwrap().code(), 1);
        let log = container.last_log_lines(1).await.unwrap();
        assert_eq!(log, "Error: Database is uninitialized and superuser password is not specified.\n");
        container.remove().await.unwrap();
    }
}

#[tokio::test]
async fn a_session_keeps_its_data_until_it_is_stopped() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let definition = definition(&fake, home.path());
        let session = definition.start_session(&session_name!("review"), None).await.unwrap();
        let attached = Server::attach(&session, &Folders::at(home.path())).unwrap();
        attached.connect().await.unwrap().batch_execute("UPDATE answers SET answer = 43").await.unwrap();
        attached.stop().await.unwrap();
        let attached = Server::attach(&session, &Folders::at(home.path())).unwrap();
        assert_eq!(number(&attached, "SELECT answer FROM answers").await, 43);
        session.stop().await.unwrap();
        assert!(matches!(attached.connect().await, Err(ConnectError::Unreachable(_))));
        fake.assert_nothing_left();
    }
}

#[tokio::test]
async fn a_full_disk_during_a_commit_is_an_error_and_leaves_no_server() {
    for fake in engines() {
        let fake = fake.fail(Operation::Commit, Failure::DiskFull).on_call(2);
        let home = tempfile::tempdir().unwrap();
        let error = definition(&fake, home.path()).start().await.unwrap_err();
        assert!(matches!(error, StartError::Commit(_)), "{error:?}");
        fake.assert_nothing_left();
        // The layer that was committed before the failure is used.
        let server = definition(&fake, home.path()).start().await.unwrap();
        assert_eq!(number(&server, "SELECT answer FROM answers").await, 42);
        server.stop().await.unwrap();
        fake.assert_nothing_left();
    }
}

/// The environment variable that makes [`a_killed_test_leaves_no_server`] start a server and wait. The test runs this
/// binary with the variable and kills it.
const VICTIM: &str = "HOST_FAKE_POSTGRES_VICTIM";

#[tokio::test]
async fn a_killed_test_leaves_no_server() {
    if std::env::var_os(VICTIM).is_some() {
        let fake = FakeBackend::podman().with_postgres();
        let container = run(&fake, &[("POSTGRES_PASSWORD", "p")]).await;
        wait_until_async("the server answers", AMPLE, async || psql(&container, "SELECT 1").await.is_some()).await;
        let files = psql(&container, "SHOW data_directory").await.unwrap();
        println!("\nready {}", files.trim());
        std::future::pending::<()>().await;
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "fake_postgres::a_killed_test_leaves_no_server"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let ready = |line: std::io::Result<String>| line.ok()?.strip_prefix("ready ").map(PathBuf::from);
    let data = lines.find_map(ready).unwrap();
    let pid = std::fs::read_to_string(data.join("postmaster.pid")).unwrap();
    let process = Path::new("/proc").join(pid.lines().next().unwrap());
    assert!(process.exists());
    victim.kill().unwrap();
    victim.wait().unwrap();
    wait_until("server and files are gone", AMPLE, || {
        let is_gone = std::fs::read_to_string(process.join("stat")).map_or(true, |stat| stat.contains(") Z "));
        is_gone && !data.exists()
    });
}

/// Imitates a rootless Podman on control groups of version 1, which can't pause containers.
#[tokio::test]
async fn layers_are_committed_from_stopped_servers_if_pausing_fails() {
    let refusal = "Error: pausing container \"x\" to commit: can not pause containers on rootless containers with cgroup V1: \
                   this container does not have a cgroup";
    let failure = || Failure::Exit { status: 125, stderr: refusal.to_owned() };
    let fake = FakeBackend::podman().with_postgres();
    // The first of each two commits is of a running server, and the second of the stopped server.
    let fake = [1, 3].into_iter().fold(fake, |fake, call| fake.fail(Operation::Commit, failure()).on_call(call));
    let home = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let server = definition(&fake, home.path()).start().await.unwrap();
        assert_eq!(number(&server, "SELECT answer FROM answers").await, 42);
        server.stop().await.unwrap();
        fake.assert_nothing_left();
    }
    assert_eq!(fake.journal().count(Operation::Commit), 4, "{}", fake.journal());
}

/// Returns the names of all layers.
async fn layers(fake: &FakeBackend) -> Vec<ociman::Reference> {
    let layers = cache::images(&fake.backend(), Scope::All).await.unwrap();
    layers.into_iter().flat_map(|layer| layer.names).collect()
}

#[tokio::test]
async fn another_image_with_the_name_of_a_layer_is_ignored_and_the_layer_is_built_again() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let definition = || {
            let statement = "UPDATE answers SET answer = answer + 1".to_owned();
            definition(&fake, home.path()).seed("more".parse().unwrap(), SeedSpec::SqlStatement { statement })
        };
        let image = || fake.images().into_iter().find(|name| name.contains("library/postgres")).unwrap();
        let answer = async || {
            let server = definition().start().await.unwrap();
            let answer = number(&server, "SELECT answer FROM answers").await;
            server.stop().await.unwrap();
            answer
        };
        assert_eq!(answer().await, 43);
        let status = definition().cache_status().await.unwrap();
        let LayerState::Here(base) = &status.base else { panic!("{status:?}") };
        let [before, last] = &status.seeds[..] else { panic!("{status:?}") };
        let [before, last] = [before, last].map(|seed| seed.cache_image.clone().unwrap());
        for other in [before.to_string(), base.to_string(), image()] {
            fake.backend().tag(&other.parse().unwrap(), &last).await.unwrap();
            assert_eq!(definition().cache_status().await.unwrap().summary.hits, 1, "{other}");
            assert_eq!(answer().await, 43, "{other}");
        }
        fake.assert_nothing_left();
    }
}

#[tokio::test]
async fn a_forced_reset_removes_the_name_of_a_layer_from_another_image() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        definition(&fake, home.path()).populate_cache().await.unwrap();
        let name = layers(&fake).await.remove(0);
        let image = fake.images().into_iter().find(|name| name.contains("library/postgres")).unwrap();
        fake.backend().tag(&image.parse().unwrap(), &name).await.unwrap();
        let (folders, instance) = (Folders::at(home.path()), "main".parse().unwrap());
        let kept = cache::reset(&folders, &fake.backend(), &instance, InUse::Keep).await.unwrap();
        assert_eq!(kept.removed.len(), 1, "{kept:?}");
        let forced = cache::reset(&folders, &fake.backend(), &instance, InUse::RemoveWithServers).await.unwrap();
        assert_eq!(forced.removed.len(), 1, "{forced:?}");
        assert_eq!(fake.images(), [image]);
    }
}

#[tokio::test]
async fn builds_of_one_chain_from_several_state_folders_leave_no_image_without_a_name() {
    for fake in engines() {
        let homes = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let start = async |home: &tempfile::TempDir| {
            definition(&fake, home.path()).start().await.unwrap().stop().await.unwrap();
        };
        tokio::join!(start(&homes[0]), start(&homes[1]), start(&homes[2]));
        // A nameless image whose server was still running could not be removed before.
        reap::reap_labelled(&Folders::at(homes[0].path()), &fake.backend()).await.unwrap();
        assert_eq!((layers(&fake).await.len(), fake.nameless_images()), (2, 0), "{:?}", fake.images());
        fake.assert_nothing_left();
    }
}

#[tokio::test]
async fn a_forged_label_of_an_expired_session_does_not_remove_other_images() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        definition(&fake, home.path()).populate_cache().await.unwrap();
        let before = fake.images();
        let layer = layers(&fake).await.remove(0).to_string();
        for (image, session) in before.iter().cloned().chain([layer]).zip(["a", "b", "c", "d"]) {
            let restored = format!(r#"{{"to":{{"session":{{"session":"other","image":"{image}"}}}},"at":1}}"#);
            let labels = [
                ("pg-ephemeral.version", "0.1.0"),
                ("pg-ephemeral.nonce", "n"),
                ("pg-ephemeral.expires", "1"),
                ("pg-ephemeral.restored", restored.as_str()),
            ];
            // The session uses another image than the one that the label names, so that no image is protected by being
            // in use.
            let fake = fake.clone().with_image("localhost/other:1").with_session(session, "localhost/other:1", &labels);
            for session in Session::list_all(&fake.backend()).await.unwrap() {
                assert!(session.has_expired());
                reap::remove_expired(&folders, &session).await.unwrap();
            }
        }
        assert!(before.iter().all(|image| fake.images().contains(image)), "{before:?} {:?}", fake.images());
        assert!(fake.containers().is_empty());
    }
}

#[tokio::test]
async fn the_stored_password_hash_of_a_server_is_not_logged() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let all = ["log_statement=all", "log_transaction_sample_rate=1", "log_min_duration_sample=0"];
            let parameters = all.map(|text| text.parse().unwrap());
            let definition = definition(&fake, home.path()).parameters(Parameters::from_iter(parameters));
            let server = definition.start().await.unwrap();
            assert_eq!(number(&server, "SELECT answer FROM answers").await, 42);
            let log = async || server.container().last_log_lines(10_000).await.unwrap();
            // The log arrives with a delay, because another process forwards it.
            wait_until_async("the query is in the log", AMPLE, async || {
                log().await.contains("SELECT answer FROM answers")
            })
            .await;
            assert!(!log().await.contains("SCRAM-SHA-256"), "{}", log().await);
            server.stop().await.unwrap();
        }
    }
}
