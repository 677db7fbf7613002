//! Servers of the library on the host backend, with a real PostgreSQL.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ociman::Kind;
use pg_ephemeral_core::config::{BackendChoice, DatabaseName, Durability, Superuser};
use pg_ephemeral_core::parameter::{ParameterAssignment, Parameters};
use pg_ephemeral_core::progress::{Observer, Step};
use pg_ephemeral_core::seed::CopyError;
use pg_ephemeral_core::seed::spec::{CacheStrategy, CsvDelimiter, CsvTable};
use pg_ephemeral_core::{ApplyToServerError, Definition, Folders, StartError, WithServerError};
use pg_ephemeral_testkit::base_layer::state_with_base_layer;

fn definition(home: &Path) -> Definition {
    Definition::in_folders(Folders::at(home)).backend_choice(BackendChoice::Only(Kind::Host))
}

fn parameters(assignments: &[&str]) -> Parameters {
    assignments.iter().map(|text| text.parse::<ParameterAssignment>().unwrap()).collect()
}

/// Asserts that no container and no record of a server is left in the state folder, and that no other process has a
/// file in it open.
fn assert_nothing_left(home: &Path) {
    for folder in ["ociman/containers", "pg-ephemeral/servers"] {
        let left: Vec<_> = match std::fs::read_dir(home.join(folder)) {
            Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
            Err(_) => Vec::new(),
        };
        assert!(left.is_empty(), "left in {folder}: {left:?}");
    }
    let ours = home.to_string_lossy().into_owned();
    let others = std::fs::read_dir("/proc").unwrap().flatten().filter(|process| {
        let name = process.file_name().to_string_lossy().into_owned();
        name.parse::<u32>().is_ok_and(|pid| pid != std::process::id())
    });
    for process in others {
        let files = std::fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        for open in files.filter_map(|file| std::fs::read_link(file.path()).ok()) {
            let pid = process.file_name();
            assert!(!open.to_string_lossy().starts_with(&ours), "{pid:?} has {} open", open.display());
        }
    }
}

#[tokio::test]
async fn a_server_answers_a_query_and_is_gone_after_its_stop() {
    let home = state_with_base_layer();
    let server = definition(home.path()).start().await.unwrap();
    let row = server.connect().await.unwrap().query_one("select 40 + 2", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 42);
    server.stop().await.unwrap();
    assert_nothing_left(home.path());
}

#[tokio::test]
async fn the_second_start_runs_no_initdb() {
    let home = tempfile::tempdir().unwrap();
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = steps.clone();
    let definition = definition(home.path()).observer(Observer::new(move |step| seen.lock().unwrap().push(step)));
    definition.start().await.unwrap().stop().await.unwrap();
    assert!(steps.lock().unwrap().contains(&Step::Initialise));
    steps.lock().unwrap().clear();
    definition.start().await.unwrap().stop().await.unwrap();
    assert!(!steps.lock().unwrap().contains(&Step::Initialise));
}

#[tokio::test]
async fn every_server_starts_from_the_untouched_layer() {
    let home = state_with_base_layer();
    let definition = definition(home.path());
    for _ in 0..3 {
        let server = definition.start().await.unwrap();
        let client = server.connect().await.unwrap();
        client.batch_execute("create table t (); checkpoint").await.unwrap();
        server.stop().await.unwrap();
    }
}

#[tokio::test]
async fn layers_of_another_secret_are_opened_or_all_rebuilt_by_one_command() {
    let home = state_with_base_layer();
    let applied = home.path().join("applied");
    let script = format!("echo x >> {}", applied.display());
    let seed = |definition: Definition, name: &str| {
        definition.script(name.parse().unwrap(), script.clone(), CacheStrategy::CommandHash)
    };
    let definition = seed(seed(definition(home.path()), "one"), "two");
    let start = async |times: usize| {
        let server = definition.start().await.unwrap();
        server.connect().await.unwrap();
        server.stop().await.unwrap();
        assert_eq!(std::fs::read_to_string(&applied).unwrap().lines().count(), times);
    };
    start(2).await;
    std::fs::remove_file(home.path().join("pg-ephemeral/secret")).unwrap();
    start(2).await;
    // Make the layers as those of earlier versions, whose private socket requires the password too.
    std::fs::remove_file(home.path().join("pg-ephemeral/secret")).unwrap();
    std::fs::remove_dir_all(home.path().join("ociman/slots")).unwrap();
    for image in std::fs::read_dir(home.path().join("ociman/images")).unwrap() {
        let rules = image.unwrap().path().join("root/data/pg_hba.conf");
        // Replace the file instead of writing to it, because other state folders may share it.
        if std::fs::remove_file(&rules).is_ok() {
            std::fs::write(rules, "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n").unwrap();
        }
    }
    start(4).await;
}

#[tokio::test]
async fn two_servers_have_different_passwords() {
    let home = state_with_base_layer();
    let definition = definition(home.path());
    let first = definition.start().await.unwrap();
    let second = definition.start().await.unwrap();
    assert_ne!(first.connection().password.expose(), second.connection().password.expose());
    first.stop().await.unwrap();
    second.stop().await.unwrap();
}

#[tokio::test]
async fn durability_is_off_unless_asked_for() {
    let home = state_with_base_layer();
    for (durability, expected) in [(Durability::Off, "off"), (Durability::On, "on")] {
        let server = definition(home.path()).durability(durability).start().await.unwrap();
        let client = server.connect().await.unwrap();
        for name in ["fsync", "synchronous_commit", "full_page_writes"] {
            let row = client.query_one(&format!("show {name}"), &[]).await.unwrap();
            assert_eq!(row.get::<_, &str>(0), expected, "{name}");
        }
        server.stop().await.unwrap();
    }
}

#[tokio::test]
async fn names_of_users_and_values_of_parameters_may_contain_any_character() {
    let home = state_with_base_layer();
    let server = definition(home.path())
        .superuser("me & you".parse::<Superuser>().unwrap())
        .parameters(parameters(&["application_name=a b=c,'d'", "Work_Mem=5MB"]))
        .start()
        .await
        .unwrap();
    let client = server.connect().await.unwrap();
    let row = client.query_one("select current_user::text, current_setting('work_mem')", &[]).await.unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1)), ("me & you", "5MB"));
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_configured_database_exists_from_the_start() {
    let home = state_with_base_layer();
    let definition = definition(home.path()).database("my \"shop\"".parse::<DatabaseName>().unwrap());
    for _ in 0..2 {
        let server = definition.start().await.unwrap();
        let row = server.connect().await.unwrap().query_one("select current_database()::text", &[]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), "my \"shop\"");
        server.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_dropped_server_is_gone_when_the_drop_returns() {
    let home = state_with_base_layer();
    drop(definition(home.path()).start().await.unwrap());
    assert_nothing_left(home.path());
}

#[tokio::test]
async fn a_panic_in_the_closure_leaves_nothing() {
    let home = state_with_base_layer();
    let folder = home.path().to_owned();
    let task = tokio::task::LocalSet::new();
    let panicked = task
        .run_until(async move {
            tokio::task::spawn_local(async move {
                let body = async |_: &pg_ephemeral_core::Server| -> Result<(), std::io::Error> { panic!("on purpose") };
                definition(&folder).with_server(body).await
            })
            .await
        })
        .await;
    assert!(panicked.unwrap_err().is_panic());
    assert_nothing_left(home.path());
}

#[tokio::test]
async fn an_error_of_the_closure_comes_through_and_leaves_nothing() {
    let home = state_with_base_layer();
    let body = async |_: &pg_ephemeral_core::Server| -> Result<(), std::io::Error> {
        Err(std::io::ErrorKind::AddrInUse.into())
    };
    let ended = definition(home.path()).with_server(body).await;
    assert!(matches!(ended, Err(WithServerError::Body(error)) if error.kind() == std::io::ErrorKind::AddrInUse));
    assert_nothing_left(home.path());
}

#[tokio::test]
async fn a_start_that_is_cancelled_at_any_moment_leaves_nothing() {
    let home = state_with_base_layer();
    let definition = definition(home.path());
    for milliseconds in [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 150, 300, 600] {
        let given_up = tokio::time::timeout(Duration::from_millis(milliseconds), definition.start()).await;
        drop(given_up);
        assert_nothing_left(home.path());
    }
}

#[tokio::test]
async fn a_server_that_dies_at_boot_is_reported_at_once_with_its_log() {
    let home = state_with_base_layer();
    definition(home.path()).start().await.unwrap().stop().await.unwrap();
    let begin = Instant::now();
    let error = definition(home.path()).parameters(parameters(&["work_mem=lots"])).start().await.unwrap_err();
    assert!(
        matches!(&error, StartError::Died { status: 1, log } if log.contains("invalid value for parameter")),
        "{error}"
    );
    assert!(begin.elapsed() < definition_limit(), "it waited for its time-out");
    assert_nothing_left(home.path());
}

fn definition_limit() -> Duration {
    pg_ephemeral_core::config::DEFAULT_WAIT_AVAILABLE_TIMEOUT
}

#[tokio::test]
async fn a_reserved_parameter_is_refused_in_any_case() {
    let home = state_with_base_layer();
    let error = definition(home.path()).parameters(parameters(&["PORT=1"])).start().await.unwrap_err();
    assert_eq!(error.to_string(), "the parameter PORT is set by pg-ephemeral itself");
}

#[tokio::test]
async fn a_schema_dump_has_the_schema_and_no_data() {
    let home = state_with_base_layer();
    let server = definition(home.path()).start().await.unwrap();
    let client = server.connect().await.unwrap();
    client.batch_execute("create table t (a int); insert into t values (4711)").await.unwrap();
    let dump = String::from_utf8(server.schema_dump().await.unwrap()).unwrap();
    assert!(dump.contains("CREATE TABLE public.t"), "{dump}");
    assert!(!dump.contains("4711"), "{dump}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn eight_servers_start_at_once() {
    let home = state_with_base_layer();
    let definition = definition(home.path());
    let starts = (0..8).map(|_| async {
        let server = definition.start().await.unwrap();
        server.connect().await.unwrap().query_one("select 1", &[]).await.unwrap();
        server.stop().await.unwrap();
    });
    futures_util::future::join_all(starts).await;
    assert_nothing_left(home.path());
}

#[tokio::test]
async fn the_error_for_a_version_that_is_not_installed_names_those_that_are() {
    let home = state_with_base_layer();
    let error = definition(home.path()).image("9.0".parse().unwrap()).start().await.unwrap_err();
    assert!(error.to_string().starts_with("PostgreSQL 9.0 is not installed on this machine: there is "), "{error}");
}

#[tokio::test]
async fn sql_and_csv_files_are_applied_to_a_running_server_and_errors_name_their_line() {
    let home = state_with_base_layer();
    let server = definition(home.path()).start().await.unwrap();
    server.apply_sql("create table t (a int default 7, b text); vacuum t;").await.unwrap();
    let path = home.path().join("t.csv");
    let table = || CsvTable { schema: "public".parse().unwrap(), table: "t".parse().unwrap() };
    std::fs::write(&path, "b;a\n\"x;\ny\";1\n").unwrap();
    server.apply_csv(&path, table(), ";".parse().unwrap()).await.unwrap();
    std::fs::write(&path, "b\nz\n").unwrap();
    server.apply_csv(&path, table(), CsvDelimiter::default()).await.unwrap();
    let rows = server.connect().await.unwrap().query("select a, b from t order by a", &[]).await.unwrap();
    let rows: Vec<(i32, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(rows, [(1, "x;\ny".to_owned()), (7, "z".to_owned())]);

    let error = server.apply_sql("select 1;\nselec 2;").await.unwrap_err();
    assert_eq!(error.to_string(), "SQL failed at line 2 of its statement");
    std::fs::write(&path, "a\n1\nx\n").unwrap();
    let error = server.apply_csv(&path, table(), CsvDelimiter::default()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("failed to load {}:3", path.display()));
    std::fs::write(&path, "b\n\\.\nlast\n").unwrap();
    match server.apply_csv(&path, table(), CsvDelimiter::default()).await {
        Err(error) => {
            let expected = "t.csv:2: to this server a line `\\.` is the end of the data, and more follows";
            assert!(error.to_string().ends_with(expected), "{error}");
            assert_eq!(error.hint().unwrap(), "put it in quotes: \"\\.\"");
        }
        // PostgreSQL 18 reads the line as data.
        Ok(()) => {
            let count = server.connect().await.unwrap().query_one("select count(*) from t", &[]).await.unwrap();
            assert_eq!(count.get::<_, i64>(0), 4);
        }
    }
    std::fs::write(&path, "c\n1\n").unwrap();
    let error = server.apply_csv(&path, table(), CsvDelimiter::default()).await.unwrap_err();
    assert!(matches!(error, ApplyToServerError::Copy(CopyError::UnknownColumn { .. })), "{error}");
    let error = server.apply_csv(home.path().join("none.csv"), table(), CsvDelimiter::default()).await.unwrap_err();
    assert!(matches!(error, ApplyToServerError::CsvFile(_)), "{error}");
    server.container().clone().remove_force().await.unwrap();
    let error = server.apply_sql("select 1").await.unwrap_err();
    assert!(matches!(error, ApplyToServerError::Reach(_)), "{error}");
    assert_eq!(error.hint(), None);
}
