//! Tests of [`database()`] as downstream tests use it: in test processes that share a server.

use std::process::{Command, Output};
use std::time::Duration;

use ociman::{Kind, VariableValue};
use pg_ephemeral_core::config::BackendChoice;
use pg_ephemeral_core::session::SESSION_VARIABLE;
use pg_ephemeral_core::{Definition, Folders, Server};
use pg_ephemeral_testkit::base_layer::state_with_base_layer;
use pg_ephemeral_testkit::{KEEP_DATABASES_VARIABLE, database, wait_until};

#[tokio::test]
#[ignore = "not a test: what the others run as a process"]
async fn a_test_that_passes() {
    let database = database().await;
    database.connect().await.unwrap().batch_execute("drop table books").await.unwrap();
}

#[tokio::test]
#[ignore = "not a test: what the others run as a process"]
async fn a_test_that_fails() {
    let database = database().await;
    assert_eq!(database.name(), "nothing like it");
}

fn run(test: &str, server: &Server, keep: Option<&str>, session: Option<&str>) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", test, "--nocapture"]).env_remove(KEEP_DATABASES_VARIABLE);
    for name in ["PGHOST", "PGHOSTADDR", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"] {
        command.env_remove(name);
    }
    for variable in server.pg_env() {
        match &variable.value {
            VariableValue::Plain(value) => command.env(&variable.name, value),
            VariableValue::Secret(value) => command.env(&variable.name, value.expose()),
        };
    }
    command.env_remove(SESSION_VARIABLE).envs(session.map(|session| (SESSION_VARIABLE, session)));
    command.envs(keep.map(|keep| (KEEP_DATABASES_VARIABLE, keep))).output().unwrap()
}

#[tokio::test]
async fn databases_are_removed_with_their_tests_unless_those_of_failed_tests_are_kept() {
    let home = state_with_base_layer();
    let definition = Definition::in_folders(Folders::at(home.path()));
    let definition = definition.backend_choice(BackendChoice::Only(Kind::Host));
    let definition = definition.sql_statement("books".parse().unwrap(), "create table books ()");
    let server = definition.start().await.unwrap();
    for _ in 0..2 {
        let passed = run("database::a_test_that_passes", &server, Some("failed"), None);
        assert!(passed.status.success(), "{passed:?}");
    }
    let failed = run("database::a_test_that_fails", &server, None, None);
    assert!(!failed.status.success());
    assert_eq!(server.list_databases().await.unwrap(), []);

    let failed = run("database::a_test_that_fails", &server, Some("failed"), Some("review"));
    assert!(!failed.status.success());
    let kept = server.list_databases().await.unwrap();
    assert!(kept.len() == 1 && kept[0].owner.is_none(), "{kept:?}");
    let told = String::from_utf8_lossy(&failed.stderr).into_owned();
    let look = format!("psql \"$(pg-ephemeral database url {} --session review)\"", kept[0].name);
    assert!(told.contains(&look), "{told}");
    let without_session = run("database::a_test_that_fails", &server, Some("failed"), None);
    let told = String::from_utf8_lossy(&without_session.stderr).into_owned();
    assert!(told.contains("is kept, as long as its server runs"), "{told}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn without_a_server_in_the_environment_the_tests_of_a_run_share_one_that_is_removed_with_it() {
    let home = state_with_base_layer();
    let seed = "[instances.main.seeds.books]\ntype = \"sql-statement\"\nstatement = \"create table books ()\"\n";
    std::fs::write(home.path().join("database.toml"), seed).unwrap();
    // A process whose program is called `cargo` is the start of a run.
    let runner = home.path().join("cargo");
    std::fs::copy("/bin/sh", &runner).unwrap();
    let mut command = Command::new(runner);
    command.args(["-c", "for i in 1 2; do \"$@\" || exit; done; ls ociman/containers", "sh"]);
    command.arg(std::env::current_exe().unwrap()).args(["--ignored", "--exact", "database::a_test_that_passes"]);
    command.current_dir(home.path()).env("OCIMAN_BACKEND", "host");
    for name in ["PGHOST", "PGHOSTADDR", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"] {
        command.env_remove(name);
    }
    let ran = command.env("XDG_STATE_HOME", home.path()).output().unwrap();
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(told.matches("pg-ephemeral-session-run-").count(), 1, "{told}");
    let servers = home.path().join("ociman/containers");
    wait_until("the server has gone", Duration::from_secs(60), || servers.read_dir().unwrap().next().is_none());
    // The record is removed last. After that no process uses the folder.
    let records = home.path().join("pg-ephemeral/servers");
    wait_until("its record has gone", Duration::from_secs(60), || records.read_dir().unwrap().next().is_none());
}
