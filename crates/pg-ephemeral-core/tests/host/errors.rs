//! Errors that need a real server: seeds that damage their own server, and servers that do not answer.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ociman::command::ProcessError;
use ociman::{Backend, Host, Kind};
use pg_ephemeral_core::cache::{CacheError, PruneRules, prune};
use pg_ephemeral_core::config::BackendChoice;
use pg_ephemeral_core::host_image::{FindError, Installations};
use pg_ephemeral_core::parameter::{ParameterAssignment, Parameters};
use pg_ephemeral_core::progress::{Observer, Step};
use pg_ephemeral_core::seed::spec::{CacheStrategy, CsvDelimiter, CsvTable, SeedSpec};
use pg_ephemeral_core::seed::{ApplyError, CopyError, SqlError};
use pg_ephemeral_core::session::{Name, Session};
use pg_ephemeral_core::snapshot::{self, AnotherSecret, Existing, SnapshotError};
use pg_ephemeral_core::{
    AttachError, Definition, DumpError, Folders, FoldersError, Reach, SecretError, Server, StartError, WithServerError,
};
use pg_ephemeral_testkit::base_layer::state_with_base_layer;
use pg_ephemeral_testkit::{Failure, FakeBackend, Operation};

/// A statement that kills the server process of its own connection, so that the client gets no message.
const KILL_ITSELF: &str = "COPY (SELECT 1) TO PROGRAM 'kill -9 $PPID'";

fn definition(home: &Path) -> Definition {
    Definition::in_folders(Folders::at(home)).backend_choice(BackendChoice::Only(Kind::Host))
}

fn sql(statement: &str) -> SeedSpec {
    SeedSpec::SqlStatement { statement: statement.to_owned() }
}

/// Returns the error of a start with one seed, and checks that the start leaves nothing behind.
async fn seed_error(spec: SeedSpec, files: &[(&str, &str)]) -> StartError {
    let home = state_with_base_layer();
    for (name, text) in files {
        fs::write(home.path().join(name), text).unwrap();
    }
    let error =
        definition(home.path()).folder(home.path()).seed("bad".parse().unwrap(), spec).start().await.unwrap_err();
    for folder in ["ociman/containers", "pg-ephemeral/servers"] {
        assert_eq!(fs::read_dir(home.path().join(folder)).unwrap().count(), 0, "{folder}: {error:?}");
    }
    error
}

fn apply_error(error: StartError) -> ApplyError {
    match error {
        StartError::Seed { source, .. } => *source,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_seed_that_ends_its_own_connection_is_an_error_that_says_so() {
    let error = apply_error(seed_error(sql(KILL_ITSELF), &[]).await);
    let ApplyError::Sql { source, .. } = &error else { panic!("{error:?}") };
    let SqlError::Stopped { message, .. } = &**source else { panic!("{error:?}") };
    assert!(message.contains("server closed the connection unexpectedly"), "{message}");
}

#[tokio::test]
async fn rows_that_end_the_connection_are_a_connection_error() {
    let home = state_with_base_layer();
    let path = "rows.csv".into();
    fs::write(home.path().join("rows.csv"), "n\n1\n").unwrap();
    let trigger = format!(
        "CREATE TABLE t (n int); \
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {KILL_ITSELF}; RETURN NEW; END $$; \
         CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()"
    );
    let table = CsvTable { schema: "public".parse().unwrap(), table: "t".parse().unwrap() };
    let rows = SeedSpec::CsvFile { path, table, delimiter: CsvDelimiter::default() };
    let definition = definition(home.path()).folder(home.path());
    let definition = definition.seed("table".parse().unwrap(), sql(&trigger)).seed("rows".parse().unwrap(), rows);
    let error = apply_error(definition.start().await.unwrap_err());
    let ApplyError::Copy { source, .. } = &error else { panic!("{error:?}") };
    assert!(matches!(source, CopyError::Connection(_)), "{error:?}");
}

#[tokio::test]
async fn the_error_of_a_locked_out_superuser_contains_the_server_s_refusal() {
    let error = apply_error(seed_error(sql("ALTER ROLE postgres NOLOGIN"), &[]).await);
    let ApplyError::LockedOut { refusal, .. } = &error else { panic!("{error:?}") };
    assert_eq!(refusal, "role \"postgres\" is not permitted to log in");
}

#[tokio::test]
async fn a_server_that_accepts_no_connection_times_out() {
    let home = state_with_base_layer();
    definition(home.path()).populate_cache().await.unwrap();
    let slow: Parameters =
        ["pre_auth_delay=60"].map(|text| text.parse::<ParameterAssignment>().unwrap()).into_iter().collect();
    let limit = Duration::from_millis(300);
    let error = definition(home.path()).parameters(slow).wait_available_timeout(limit).start().await.unwrap_err();
    assert!(matches!(&error, StartError::TimedOut { limit: told, .. } if *told == limit), "{error:?}");
    assert_eq!(fs::read_dir(home.path().join("ociman/containers")).unwrap().count(), 0);
}

#[tokio::test]
async fn the_error_of_dumping_a_stopped_server_contains_the_message_of_pg_dump() {
    let home = state_with_base_layer();
    let server = definition(home.path()).start().await.unwrap();
    server.container().stop(Duration::from_secs(20)).await.unwrap();
    let error = server.schema_dump().await.unwrap_err();
    assert!(matches!(&error, DumpError::Failed { message, .. } if message.contains("connection")), "{error:?}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_dump_without_pg_dump_names_the_program() {
    let home = state_with_base_layer();
    // The fake knows only the program `docker`.
    let executor = Arc::new(FakeBackend::docker());
    let server = definition(home.path()).executor(executor).start().await.unwrap();
    let error = server.schema_dump().await.unwrap_err();
    assert!(matches!(&error, DumpError::Command(ProcessError::ProgramNotFound { .. })), "{error:?}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn an_engine_that_goes_down_is_the_cause_of_a_failed_dump_and_a_failed_stop() {
    for fake in [FakeBackend::docker().with_postgres(), FakeBackend::podman().with_postgres()] {
        let home = state_with_base_layer();
        let definition = Definition::in_folders(Folders::at(home.path())).backend(fake.backend());
        let engine = fake.clone();
        let body = async |server: &Server| {
            let down = engine.clone().fail(Operation::Exec, Failure::EngineDown).on_every_call();
            let error = server.schema_dump().await.unwrap_err();
            assert!(matches!(&error, DumpError::Exec(_)), "{error:?}");
            let _down = down.fail(Operation::Remove, Failure::EngineDown).on_every_call();
            Ok::<(), std::io::Error>(())
        };
        let error = definition.with_server(body).await.unwrap_err();
        assert!(matches!(&error, WithServerError::Stop(ociman::CommandError::Unreachable { .. })), "{error:?}");
        fake.recover();
        definition.populate_cache().await.unwrap();
        fake.assert_nothing_left();
    }
}

#[tokio::test]
async fn failing_to_set_the_password_or_to_watch_the_server_is_an_error_of_the_start() {
    let failure = || Failure::Exit { status: 1, stderr: "no pipe".to_owned() };
    let home = state_with_base_layer();
    let fake = FakeBackend::podman().with_postgres().fail(Operation::Exec, failure());
    let definition = |fake: &FakeBackend| Definition::in_folders(Folders::at(home.path())).backend(fake.backend());
    let error = definition(&fake).start().await.unwrap_err();
    assert!(matches!(&error, StartError::Password { message } if message.contains("no pipe")), "{error:?}");
    fake.assert_nothing_left();
    // While a server is slow to answer, the start watches whether it has ended.
    let fake = FakeBackend::podman().with_postgres();
    definition(&fake).populate_cache().await.unwrap();
    let slow: Parameters =
        ["pre_auth_delay=60"].map(|text| text.parse::<ParameterAssignment>().unwrap()).into_iter().collect();
    let fake = fake.fail(Operation::Wait, failure()).on_every_call();
    let error = definition(&fake).parameters(slow).start().await.unwrap_err();
    assert!(matches!(&error, StartError::Watch(_)), "{error:?}");
    fake.assert_nothing_left();
}

#[tokio::test]
async fn a_failing_container_script_is_an_error_with_its_log_and_the_host_runs_none() {
    let script = |text: &str| SeedSpec::ContainerScript { script: text.to_owned(), files: Vec::new() };
    for fake in [FakeBackend::docker().with_postgres(), FakeBackend::podman().with_postgres()] {
        let home = state_with_base_layer();
        let definition = Definition::in_folders(Folders::at(home.path())).backend(fake.backend());
        let definition = definition.seed("tools".parse().unwrap(), script("echo no such package >&2; exit 100"));
        let error = apply_error(definition.start().await.unwrap_err());
        let ApplyError::ContainerScript { status: 100, log, .. } = &error else { panic!("{error:?}") };
        assert_eq!(log.trim(), "no such package");
        fake.assert_nothing_left();
    }
    let home = state_with_base_layer();
    let error = definition(home.path()).seed("tools".parse().unwrap(), script("true")).start().await.unwrap_err();
    assert!(matches!(&error, StartError::NoImageForScript { .. }), "{error:?}");
}

#[tokio::test]
async fn cache_credentials_require_a_readable_secret() {
    let home = state_with_base_layer();
    definition(home.path()).populate_cache().await.unwrap();
    let secret = home.path().join("pg-ephemeral/secret");
    fs::remove_file(&secret).unwrap();
    fs::create_dir(&secret).unwrap();
    let error = definition(home.path()).cache_credentials(None).await.unwrap_err();
    assert!(matches!(&error, CacheError::Secret(SecretError::File { .. })), "{error:?}");
}

#[tokio::test]
async fn a_session_may_have_the_longest_valid_name() {
    let name: Name = "n".repeat(255 - Name::OCI_PREFIX.len()).parse().unwrap();
    let home = state_with_base_layer();
    let session = definition(home.path()).start_session(&name, Some(Duration::from_secs(3600))).await.unwrap();
    assert_eq!(fs::read_dir(home.path().join("pg-ephemeral/servers")).unwrap().count(), 1);
    session.stop().await.unwrap();

    let fake = FakeBackend::docker().with_postgres();
    let steps = Observer::new(|step| assert_ne!(step, Step::FindBackend));
    let definition = Definition::in_folders(Folders::at(home.path())).backend(fake.backend()).observer(steps);
    definition.start_session(&name, None).await.unwrap().stop().await.unwrap();
    fake.assert_nothing_left();
}

/// The variable with the state folder that tests set when they run themselves in another process.
const HELPER: &str = "HOST_ERRORS_HELPER";

#[test]
fn a_server_program_that_prints_no_version_is_an_error_that_names_it() {
    let Some(home) = std::env::var_os(HELPER) else {
        let home = tempfile::tempdir().unwrap();
        for name in ["postgres", "initdb"] {
            fs::write(home.path().join(name), "#!/bin/sh\nexit 1\n").unwrap();
        }
        let mut helper = std::process::Command::new(std::env::current_exe().unwrap());
        helper
            .args(["--exact", "errors::a_server_program_that_prints_no_version_is_an_error_that_names_it"])
            .env(HELPER, home.path());
        let ended = helper.env("PG_EPHEMERAL_BIN_DIR", home.path()).output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
        return;
    };
    let error = Installations::find(&Folders::at(&home)).unwrap_err();
    let FindError::Version { path, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*path, Path::new(&home).join("postgres"));
}

#[tokio::test]
async fn a_socket_folder_of_another_user_is_refused_and_nothing_starts() {
    let Some(home) = std::env::var_os(HELPER) else {
        let temporary = tempfile::Builder::new().prefix("t").tempdir_in("/tmp").unwrap();
        let foreign = temporary.path().join(format!("pg-ephemeral-{}", rustix::process::geteuid().as_raw()));
        std::os::unix::fs::symlink("/", foreign).unwrap();
        let mut helper = std::process::Command::new(std::env::current_exe().unwrap());
        helper.args(["--exact", "errors::a_socket_folder_of_another_user_is_refused_and_nothing_starts"]);
        let ended = helper.env(HELPER, temporary.path()).env("TMPDIR", temporary.path()).output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
        return;
    };
    let fake = FakeBackend::podman().with_postgres();
    let definition = Definition::in_folders(Folders::at(&home)).backend(fake.backend()).reach(Reach::Inside);
    let error = definition.start().await.unwrap_err();
    assert!(matches!(&error, StartError::Folders(FoldersError::Foreign { .. })), "{error:?}");
    fake.assert_nothing_left();
}

#[tokio::test]
async fn a_csv_file_that_an_earlier_seed_removes_is_an_error_that_names_it() {
    let home = state_with_base_layer();
    fs::write(home.path().join("rows.csv"), "n\n1\n").unwrap();
    let table = CsvTable { schema: "public".parse().unwrap(), table: "t".parse().unwrap() };
    let rows = SeedSpec::CsvFile { path: "rows.csv".into(), table, delimiter: CsvDelimiter::default() };
    let definition = definition(home.path()).folder(home.path());
    let script =
        SeedSpec::Script { script: "rm rows.csv".to_owned(), files: Vec::new(), cache: CacheStrategy::default() };
    let definition = definition
        .seed("table".parse().unwrap(), sql("create table t (n int)"))
        .seed("remover".parse().unwrap(), script)
        .seed("rows".parse().unwrap(), rows);
    let error = apply_error(definition.start().await.unwrap_err());
    let ApplyError::Copy { source, .. } = &error else { panic!("{error:?}") };
    assert!(matches!(source, CopyError::Read { path, .. } if path.ends_with("rows.csv")), "{error:?}");
}

#[tokio::test]
async fn a_session_that_can_not_be_attached_to_is_stopped_again() {
    let home = state_with_base_layer();
    let secret = home.path().join("pg-ephemeral/secret");
    let spoil = move |step| {
        if step == Step::Ready {
            fs::remove_file(&secret).unwrap();
            fs::create_dir(&secret).unwrap();
        }
    };
    let name: Name = "spoiled".parse().unwrap();
    let definition = definition(home.path()).session_name(name).observer(Observer::new(spoil));
    let error = definition.start().await.unwrap_err();
    assert!(matches!(&error, StartError::Attach(AttachError::Secret(SecretError::File { .. }))), "{error:?}");
    assert_eq!(fs::read_dir(home.path().join("ociman/containers")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_session_and_its_snapshot_of_another_secret_are_taken_over_only_on_request() {
    let home = state_with_base_layer();
    let folders = Folders::at(home.path());
    let session = definition(home.path()).start_session(&"lost".parse().unwrap(), None).await.unwrap();
    let backend = Backend::host(Host::at(folders.host()));
    let name: snapshot::Name = "here".parse().unwrap();
    session.snapshot(&folders, &name, Existing::Refuse).await.unwrap();
    fs::remove_file(home.path().join("pg-ephemeral/secret")).unwrap();
    let error = session.restore(&folders, &name, AnotherSecret::Refuse).await.unwrap_err();
    assert!(matches!(&error, SnapshotError::AnotherSecret { .. }), "{error:?}");
    assert_eq!(Session::list(&backend).await.unwrap().len(), 1);
    let session = session.restore(&folders, &name, AnotherSecret::TakeOver).await.unwrap();
    Server::attach(&session, &folders).unwrap().connect().await.unwrap();
    session.stop().await.unwrap();
}

#[tokio::test]
async fn working_copies_that_can_not_be_read_are_the_cause_of_a_failed_prune() {
    let home = tempfile::tempdir().unwrap();
    let backend = Backend::host(Host::at(Folders::at(home.path()).host()));
    fs::create_dir_all(home.path().join("ociman/slots")).unwrap();
    // No user can remove anything from this folder.
    symlink("/proc/self/task", home.path().join("ociman/slots/image")).unwrap();
    let rules = PruneRules { older_than: None, keep: Some(1) };
    let error = prune(&Folders::at(home.path()), &backend, rules).await.unwrap_err();
    assert!(matches!(&error, CacheError::Slots(_)), "{error:?}");
}

#[tokio::test]
async fn a_session_whose_programs_are_gone_from_this_machine_can_not_be_attached_to() {
    let name: Name = "programs".parse().unwrap();
    let Some(home) = std::env::var_os(HELPER) else {
        let home = state_with_base_layer();
        let session = definition(home.path()).start_session(&name, None).await.unwrap();
        let empty = tempfile::tempdir().unwrap();
        let mut helper = std::process::Command::new(std::env::current_exe().unwrap());
        helper.args(["--exact", "errors::a_session_whose_programs_are_gone_from_this_machine_can_not_be_attached_to"]);
        let ended = helper.env(HELPER, home.path()).env("PG_EPHEMERAL_BIN_DIR", empty.path()).output().unwrap();
        session.stop().await.unwrap();
        assert!(ended.status.success(), "{ended:?}");
        return;
    };
    let folders = Folders::at(&home);
    let backend = Backend::host(Host::at(folders.host()));
    let session = Session::find(&backend, &name).await.unwrap().unwrap();
    let error = Server::attach(&session, &folders).unwrap_err();
    assert!(matches!(&error, AttachError::Find(FindError::NothingInstalled { .. })), "{error:?}");
}
