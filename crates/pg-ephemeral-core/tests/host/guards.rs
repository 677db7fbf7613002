//! A start leaves nothing behind, however it ends. Each engine command of a boot fails once, on fake engines with a
//! real PostgreSQL; and on the host, processes with a server end in different ways.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ociman::Kind;
use pg_ephemeral_core::config::BackendChoice;
use pg_ephemeral_core::progress::{Observer, Step};
use pg_ephemeral_core::reap::{LateStarts, reap_recorded};
use pg_ephemeral_core::seed::spec::SeedSpec;
use pg_ephemeral_core::{Definition, Folders, Server};
use pg_ephemeral_testkit::{Failure, FakeBackend, Operation, wait_until, wait_until_async};

const AMPLE: Duration = Duration::from_secs(30);

/// A definition with one seed and a time-out that a working server does not reach.
fn definition(home: &Path) -> Definition {
    let statement = "CREATE TABLE answers AS SELECT 42 AS answer".to_owned();
    let definition = Definition::in_folders(Folders::at(home)).wait_available_timeout(AMPLE);
    definition.seed("schema".parse().unwrap(), SeedSpec::SqlStatement { statement })
}

async fn answer(server: &Server) -> i32 {
    let client = server.connect().await.unwrap();
    client.query_one("SELECT answer FROM answers", &[]).await.unwrap().get(0)
}

fn records(home: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(home.join("pg-ephemeral/servers")).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// Asserts that neither a container nor a record of one is left.
fn assert_nothing_left(fake: &FakeBackend, home: &Path, after: &str) {
    fake.assert_nothing_left();
    assert_eq!(records(home), Vec::<String>::new(), "{after}");
}

/// Runs one start without layers for each of its engine commands, and lets that command fail.
async fn each_command_fails(engine: fn() -> FakeBackend) {
    let whole = engine().with_postgres();
    let home = tempfile::tempdir().unwrap();
    definition(home.path()).backend(whole.backend()).start().await.unwrap().stop().await.unwrap();
    let mut commands: Vec<(Operation, usize)> = Vec::new();
    for entry in whole.journal().entries() {
        let nth = commands.iter().filter(|(operation, _)| *operation == entry.operation).count() + 1;
        commands.push((entry.operation, nth));
    }
    for stage in [Operation::Images, Operation::InspectImages, Operation::Run, Operation::Exec, Operation::Commit] {
        assert!(commands.contains(&(stage, 1)), "{commands:?}");
    }
    for (operation, nth) in commands {
        let failure = Failure::Exit { status: 125, stderr: "Error: out of luck".to_owned() };
        let fake = engine().with_postgres().fail(operation, failure).on_call(nth);
        let home = tempfile::tempdir().unwrap();
        let started = definition(home.path()).backend(fake.backend()).start().await;
        let stage = format!("{operation} {nth}");
        match started {
            // A failed removal is retried, and only a slow start runs `wait`.
            Ok(server) => {
                assert!(matches!(operation, Operation::Remove | Operation::Wait), "{stage} failed unnoticed");
                server.stop().await.unwrap();
            }
            Err(error) => {
                let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
                let text = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
                assert!(text.contains("out of luck"), "{stage}: {text}");
            }
        }
        assert_nothing_left(&fake, home.path(), &stage);
    }
}

#[tokio::test]
async fn a_start_in_which_any_command_fails_is_an_error_and_leaves_nothing_on_docker() {
    each_command_fails(FakeBackend::docker).await;
}

#[tokio::test]
async fn a_start_in_which_any_command_fails_is_an_error_and_leaves_nothing_on_podman() {
    each_command_fails(FakeBackend::podman).await;
}

/// Returns an observer that takes an engine down at a step of a start, and a flag that tells whether it has done so.
fn stop_at(fake: &FakeBackend, fatal: fn(&Step) -> bool) -> (Observer, Arc<AtomicBool>) {
    let stopped = Arc::new(AtomicBool::new(false));
    let (engine, done) = (fake.clone(), stopped.clone());
    let observer = Observer::new(move |step| {
        if fatal(&step) && !done.swap(true, Ordering::SeqCst) {
            for operation in Operation::ALL {
                let _ = engine.clone().fail(operation, Failure::EngineDown).on_every_call();
            }
        }
    });
    (observer, stopped)
}

#[tokio::test]
async fn what_remains_on_an_engine_that_went_down_during_a_start_is_removed_by_the_next_start() {
    let steps: [fn(&Step) -> bool; 4] = [
        |step| *step == Step::Run,
        |step| *step == Step::Connect,
        |step| matches!(step, Step::Seed { .. }),
        |step| *step == Step::Commit,
    ];
    for fake in [FakeBackend::docker().with_postgres(), FakeBackend::podman().with_postgres()] {
        let home = tempfile::tempdir().unwrap();
        definition(home.path()).backend(fake.backend()).populate_cache().await.unwrap();
        for (number, fatal) in steps.into_iter().enumerate() {
            // Use a seed that has no layer yet.
            let statement = format!("CREATE TABLE number_{number} ()");
            let more = SeedSpec::SqlStatement { statement };
            let definition = definition(home.path()).backend(fake.backend()).seed("more".parse().unwrap(), more);
            let (observer, stopped) = stop_at(&fake, fatal);
            let started = definition.clone().observer(observer).start().await;
            assert!(stopped.load(Ordering::SeqCst), "the engine was never stopped");
            if let Ok(server) = started {
                // The server runs without the engine; only stopping it needs the engine.
                assert_eq!(answer(&server).await, 42);
                server.stop().await.unwrap_err();
                assert_eq!(fake.containers().len(), 1);
            }
            assert_eq!(records(home.path()).len(), fake.containers().len());

            fake.recover();
            let server = definition.start().await.unwrap();
            assert_eq!(fake.containers(), [server.container().name().as_str()], "this process gave the other up");
            assert_eq!(answer(&server).await, 42);
            server.stop().await.unwrap();
            assert_nothing_left(&fake, home.path(), "the engine was back");
        }
    }
}

#[tokio::test]
async fn a_panic_an_error_and_a_drop_leave_nothing_on_an_engine() {
    for fake in [FakeBackend::docker().with_postgres(), FakeBackend::podman().with_postgres()] {
        let home = tempfile::tempdir().unwrap();
        let definition = definition(home.path()).backend(fake.backend());
        drop(definition.start().await.unwrap());
        assert_nothing_left(&fake, home.path(), "the server was dropped");

        let failing = async |_: &Server| Err::<(), _>(std::io::Error::from(std::io::ErrorKind::AddrInUse));
        definition.with_server(failing).await.unwrap_err();
        assert_nothing_left(&fake, home.path(), "the closure failed");

        let tasks = tokio::task::LocalSet::new();
        let panicked = tasks.run_until(async move {
            let body = async |_: &Server| -> Result<(), std::io::Error> { panic!("on purpose") };
            tokio::task::spawn_local(async move { definition.with_server(body).await }).await
        });
        assert!(panicked.await.unwrap_err().is_panic());
        assert_nothing_left(&fake, home.path(), "the closure panicked");
    }
}

#[tokio::test]
async fn a_start_that_is_cancelled_at_any_step_leaves_nothing_on_an_engine() {
    for fake in [FakeBackend::docker().with_postgres(), FakeBackend::podman().with_postgres()] {
        let home = tempfile::tempdir().unwrap();
        for nth in 1.. {
            let (reached, mut at) = tokio::sync::mpsc::unbounded_channel();
            let observer = Observer::new(move |step| drop(reached.send(step)));
            let definition = definition(home.path()).backend(fake.backend()).observer(observer);
            let mut steps = 0;
            let given_up = tokio::select! {
                biased;
                () = async { while steps < nth && at.recv().await.is_some() { steps += 1 } } => true,
                started = definition.start() => {
                    started.unwrap().stop().await.unwrap();
                    false
                }
            };
            assert_nothing_left(&fake, home.path(), &format!("step {nth}"));
            if !given_up {
                assert!(nth > 4, "only {nth} steps");
                break;
            }
        }
    }
}

/// The variable with the state folder for [`helper_process`], which the tests below run in another process.
const HELPER: &str = "HOST_GUARDS_HELPER";
const ENDING: &str = "HOST_GUARDS_ENDING";

/// Starts a server, prints the name of its container, and ends as the variable [`ENDING`] says.
#[tokio::test]
async fn helper_process() {
    let Some(home) = std::env::var_os(HELPER) else { return };
    let definition = definition(Path::new(&home)).backend_choice(BackendChoice::Only(Kind::Host));
    let server = definition.start().await.unwrap();
    let row = server.connect().await.unwrap().query_one("SELECT pg_backend_pid()", &[]).await.unwrap();
    assert_ne!(row.get::<_, i32>(0), 0);
    let data = std::fs::read_dir(Path::new(&home).join("ociman/containers")).unwrap().count();
    assert_eq!(data, 1);
    println!("\nready {}", server.container().name());
    match std::env::var(ENDING).unwrap().as_str() {
        "exit" => std::process::exit(3),
        "abort" => std::process::abort(),
        _ => std::future::pending().await,
    }
}

fn helper(home: &Path, ending: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", "guards::helper_process"]).env(HELPER, home).env(ENDING, ending);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("ready "))).unwrap().unwrap();
    child
}

/// Returns the number of processes, other than this one, that have a file below a folder open.
fn processes(home: &Path) -> usize {
    let home = home.to_string_lossy().into_owned();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let files = |process: std::fs::DirEntry| {
        let open = std::fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        open.filter_map(|file| std::fs::read_link(file.path()).ok()).collect::<Vec<_>>()
    };
    let ours = std::process::id().to_string();
    let others = entries.filter(|process| process.file_name().to_str().is_some_and(|name| name != ours));
    others
        .filter(|process| process.file_name().to_string_lossy().parse::<u32>().is_ok())
        .map(files)
        .filter(|files| files.iter().any(|file| file.starts_with(&home)))
        .count()
}

async fn ends(ending: &str) {
    let home = tempfile::tempdir().unwrap();
    let mut child = helper(home.path(), ending);
    if ending == "kill" {
        assert!(processes(home.path()) > 0);
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    assert!(ending != "exit" || status.code() == Some(3), "{status}");
    wait_until("the server has gone with its owner", AMPLE, || processes(home.path()) == 0);

    let definition = definition(home.path()).backend_choice(BackendChoice::Only(Kind::Host));
    let backend = definition.find_backend().await.unwrap();
    let folders = Folders::at(home.path());
    wait_until_async("its record goes", AMPLE, async || {
        reap_recorded(&folders, &backend, LateStarts::Settle).await;
        records(home.path()).is_empty()
    })
    .await;
    assert_eq!(std::fs::read_dir(home.path().join("ociman/containers")).unwrap().count(), 0);
    let server = definition.start().await.unwrap();
    assert_eq!(answer(&server).await, 42);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn the_server_of_a_caller_that_calls_exit_ends_and_the_next_command_removes_it() {
    ends("exit").await;
}

#[tokio::test]
async fn the_server_of_a_caller_that_aborts_ends_and_the_next_command_removes_it() {
    ends("abort").await;
}

#[tokio::test]
async fn the_server_of_a_caller_that_is_killed_ends_and_the_next_command_removes_it() {
    ends("kill").await;
}
