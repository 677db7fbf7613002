//! Tests of servers that the processes of a run share, on the host backend with a real PostgreSQL.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ociman::{Backend, Host, Kind};
use pg_ephemeral_core::config::BackendChoice;
use pg_ephemeral_core::run::{Run, RunError};
use pg_ephemeral_core::session::Session;
use pg_ephemeral_core::{Definition, Folders, Server};
use pg_ephemeral_testkit::base_layer::state_with_base_layer;
use pg_ephemeral_testkit::{shared_server, wait_until_async};

const AMPLE: Duration = Duration::from_secs(60);
/// The environment variable with the folder of the run's state.
const HOME: &str = "PG_EPHEMERAL_TEST_RUN_HOME";
/// The script of a run with three processes. The run does not end until it is killed.
const THREE: &str = r#""$@" & "$@" & "$@" & wait; echo done; exec sleep 1000"#;

fn definition(home: &Path) -> Definition {
    let definition = Definition::in_folders(Folders::at(home)).backend_choice(BackendChoice::Only(Kind::Host));
    definition.sql_statement("books".parse().unwrap(), "create table books (title text)")
}

async fn names(home: &Path) -> Vec<String> {
    let sessions = Session::list(&Backend::host(Host::at(Folders::at(home).host()))).await.unwrap();
    sessions.iter().map(|session| session.name().to_string()).collect()
}

/// Returns `true` if the environment of a process contains the home folder. Such a process is the watcher or belongs to
/// the run.
fn is_known_to_a_process(home: &Path) -> bool {
    let home = home.to_str().unwrap().as_bytes();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut environments = processes.filter_map(|process| fs::read(process.path().join("environ")).ok());
    environments.any(|text| text.windows(home.len()).any(|window| window == home))
}

/// Waits until the watcher has ended, and checks that nothing is left of the session, including its record.
async fn wait_until_gone(home: &Path) {
    let folder = |path: &str| fs::read_dir(home.join(path)).unwrap().count();
    wait_until_async("the watcher has ended", AMPLE, async || !is_known_to_a_process(home)).await;
    assert_eq!(folder("ociman/containers") + folder("pg-ephemeral/servers") + folder("pg-ephemeral/tls"), 0);
}

async fn server(run: &Run, definition: &Definition) -> Server {
    shared_server(run, definition).await.unwrap()
}

async fn begin(server: &Server) -> String {
    let client = server.connect().await.unwrap();
    let row = client.query_one("select pg_postmaster_start_time()::text || inet_server_port()", &[]).await.unwrap();
    row.get(0)
}

/// The code of each process of the run.
async fn take_part(home: &Path) {
    let parent = rustix::process::getppid().unwrap().as_raw_nonzero().get();
    let run = Run::of_process(u32::try_from(parent).unwrap()).unwrap();
    let server = server(&run, &definition(home)).await;
    let database = server.database().await.unwrap();
    database.connect().await.unwrap().batch_execute("insert into books values ('Emma')").await.unwrap();
    fs::write(home.join("seen").join(std::process::id().to_string()), begin(&server).await).unwrap();
}

#[tokio::test]
async fn processes_of_a_run_share_one_server_and_a_killed_run_leaves_none() {
    if let Some(home) = std::env::var_os(HOME) {
        return take_part(&PathBuf::from(home)).await;
    }
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("seen")).unwrap();
    let this = "runs::processes_of_a_run_share_one_server_and_a_killed_run_leaves_none";
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", THREE, "sh"]).arg(std::env::current_exe().unwrap()).args(["--exact", this, "--nocapture"]);
    let mut run = shell.env(HOME, home.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut printed = BufReader::new(run.stdout.as_mut().unwrap()).lines();
    assert!(printed.any(|line| line.unwrap() == "done"));
    let seen = fs::read_dir(home.path().join("seen")).unwrap().map(|entry| entry.unwrap().path());
    let seen: Vec<String> = seen.map(|path| fs::read_to_string(path).unwrap()).collect();
    assert_eq!((seen.len(), BTreeSet::from_iter(&seen).len()), (3, 1), "{seen:?}");
    // The processes have ended, but the run continues.
    let session = names(home.path()).await;
    assert!(session.len() == 1 && session[0].starts_with(&format!("run-{}-", run.id())), "{session:?}");
    fs::create_dir_all(home.path().join("pg-ephemeral/tls")).unwrap();
    run.kill().unwrap();
    run.wait().unwrap();
    wait_until_gone(home.path()).await;
}

fn runner() -> (Child, Run) {
    let runner = Command::new("sleep").arg("1000").spawn().unwrap();
    let run = Run::of_process(runner.id()).unwrap();
    (runner, run)
}

#[tokio::test]
async fn a_server_that_ended_early_is_started_again_and_its_tls_files_are_removed_with_the_run() {
    let home = tempfile::tempdir().unwrap();
    let ssl_config = pg_ephemeral_core::config::SslConfig { hostname: "localhost".parse().unwrap() };
    let definition = definition(home.path()).ssl_config(ssl_config);
    let (mut runner, run) = runner();
    let first = server(&run, &definition).await;
    assert_eq!(run.process().pid, runner.id());
    let (begun, name) = (begin(&first).await, names(home.path()).await);
    first.container().clone().remove_force().await.unwrap();
    let second = server(&run, &definition).await;
    assert_ne!(begin(&second).await, begun);
    assert_eq!(names(home.path()).await, name);
    // In real use the server is a static value, which is never dropped.
    std::mem::forget((first, second));
    runner.kill().unwrap();
    runner.wait().unwrap();
    wait_until_gone(home.path()).await;
}

#[tokio::test]
async fn a_server_whose_watcher_fails_to_start_is_removed() {
    let home = state_with_base_layer();
    let (mut runner, run) = runner();
    let watch = |_: &Run, _: &Folders| Err(std::io::Error::other("no more processes"));
    let error = run.server_watched(&definition(home.path()), watch).await.unwrap_err();
    assert!(matches!(&error, RunError::Watch(_)), "{error:?}");
    assert_eq!(names(home.path()).await, [""; 0]);
    runner.kill().unwrap();
    runner.wait().unwrap();
}
