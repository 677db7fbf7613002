//! TLS of the library on the host backend, with a real PostgreSQL: which connections are accepted, and places where the
//! private key must not be.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ociman::{Backend, Host, Kind};
use pg_ephemeral_core::config::{BackendChoice, SslConfig};
use pg_ephemeral_core::parameter::{ParameterAssignment, Parameters};
use pg_ephemeral_core::reap::forget;
use pg_ephemeral_core::session::{Name, Session};
use pg_ephemeral_core::{
    ConnectError, ConnectionParameters, Definition, Folders, Server, StartError, session_name, snapshot,
};

const REVIEW: Name = session_name!("review");
/// A time-out that is far longer than any step takes.
const LIMIT: Duration = Duration::from_secs(60);
const IS_ENCRYPTED: &str = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";

fn definition(home: &Path, hostname: &str) -> Definition {
    let ssl = SslConfig { hostname: hostname.parse().unwrap() };
    Definition::in_folders(Folders::at(home)).backend_choice(BackendChoice::Only(Kind::Host)).ssl_config(ssl)
}

fn parameters(assignments: &[&str]) -> Parameters {
    assignments.iter().map(|text| text.parse::<ParameterAssignment>().unwrap()).collect()
}

fn ca_file(connection: &ConnectionParameters) -> PathBuf {
    connection.tls.as_ref().unwrap().ca_file.clone()
}

/// Runs a statement by PostgreSQL's own client in the server's environment with `changes`, and returns its output.
fn psql(server: &Server, changes: &[(&str, &str)], statement: &str) -> Result<String, String> {
    let mut command = Command::new(server.programs().unwrap().join("psql"));
    command.args(["-X", "-At", "-c", statement]).env_clear();
    command.envs(server.pg_env().iter().map(|variable| (variable.name.clone(), variable.expose().to_owned())));
    let output = command.envs(changes.iter().copied()).output().unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

async fn is_encrypted(server: &Server) -> bool {
    server.connect().await.unwrap().query_one(IS_ENCRYPTED, &[]).await.unwrap().get(0)
}

/// Returns all files below a folder that contain a private key.
fn files_with_key(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files_with_key(&path)),
            Ok(kind) if kind.is_file() => {
                let bytes = fs::read(&path).unwrap_or_default();
                if bytes.windows(11).any(|window| window == b"PRIVATE KEY") {
                    found.push(path);
                }
            }
            _ => {}
        }
    }
    found
}

#[tokio::test]
async fn clients_verify_the_host_name_and_connections_without_tls_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let server = definition(home.path(), "db.example.com").start().await.unwrap();
    assert!(is_encrypted(&server).await);
    assert_eq!(psql(&server, &[], IS_ENCRYPTED).unwrap(), "t\n");
    let url = server.url();
    assert!(url.expose().contains("@db.example.com:") && url.expose().contains("sslmode=verify-full"));
    let wrong = psql(&server, &[("PGHOST", "example.com")], "select 1").unwrap_err();
    assert!(wrong.contains("does not match host name \"example.com\""), "{wrong}");
    let plain = psql(&server, &[("PGSSLMODE", "disable")], "select 1").unwrap_err();
    assert!(plain.contains("no encryption"), "{plain}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn the_ca_certificate_file_is_private_and_is_removed_with_the_server() {
    let home = tempfile::tempdir().unwrap();
    let server = definition(home.path(), "localhost").start().await.unwrap();
    let path = ca_file(server.connection());
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert_eq!(fs::read_to_string(&path).unwrap(), server.connection().tls.as_ref().unwrap().ca_cert_pem);
    drop(server);
    assert_eq!(fs::read_dir(home.path().join("pg-ephemeral/tls")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_session_recovered_after_a_kill_accepts_tls_and_keeps_the_path_of_its_ca_certificate() {
    let home = tempfile::tempdir().unwrap();
    let folders = Folders::at(home.path());
    let session = definition(home.path(), "localhost").start_session(&REVIEW, None).await.unwrap();
    let backend = Backend::host(Host::at(folders.host()));
    let attach = || {
        let mut server = Server::attach(&session, &folders).unwrap();
        server.keep_ca_file(&session, &folders).unwrap();
        server
    };
    let (url, labelled) = (attach().url(), attach().connection().tls.clone().unwrap());
    for _ in 0..2 {
        // The state that a command leaves if it is killed during a restore.
        let nonce = session.summary().labels.get(&pg_ephemeral_core::label::NONCE_KEY).unwrap().as_str();
        let note =
            format!("{{\"nonce\": \"{nonce}\", \"selection\": {{}}, \"boot\": \"{}\"}}", ociman::host::boot_id());
        let notes = folders.state().join("stopped");
        fs::create_dir_all(&notes).unwrap();
        fs::write(notes.join(format!("host:{REVIEW}")), note).unwrap();
        session.container().stop(LIMIT).await.unwrap();

        assert!(snapshot::put_back(&folders, &backend, &REVIEW).await.unwrap());
        let server = attach();
        assert!(is_encrypted(&server).await);
        assert_eq!(psql(&server, &[], IS_ENCRYPTED).unwrap(), "t\n");
        assert_eq!(server.url().expose(), url.expose());
        assert_ne!(server.connection().tls.as_ref().unwrap().ca_cert_pem, labelled.ca_cert_pem);
        assert_eq!(files_with_key(home.path()), Vec::<PathBuf>::new());
    }
    session.clone().stop().await.unwrap();
    forget(&folders, &session);
    assert!(!labelled.ca_file.exists());
    assert_eq!(fs::read_dir(folders.state().join("tls")).unwrap().count(), 0);
}

#[tokio::test]
async fn the_private_key_is_in_no_file_label_or_log_even_with_verbose_logging() {
    let home = tempfile::tempdir().unwrap();
    let talkative = parameters(&[
        "log_statement=all",
        "log_min_duration_statement=0",
        "log_transaction_sample_rate=1",
        "log_min_messages=debug5",
        "debug_print_parse=on",
        "debug_print_plan=on",
        "session_preload_libraries=auto_explain",
        "auto_explain.log_min_duration=0",
    ]);
    let definition = definition(home.path(), "localhost").parameters(talkative);
    let server = definition.start().await.unwrap();
    server.connect().await.unwrap().batch_execute("select 'logged'; checkpoint").await.unwrap();
    let log = server.container().last_log_lines(usize::MAX).await.unwrap();
    assert!(log.contains("select 'logged'"), "{log}");
    assert!(!log.contains("PRIVATE KEY"));
    let labels = format!("{:?}", server.container().inspect().await.unwrap().labels);
    assert!(labels.contains("BEGIN CERTIFICATE") && !labels.contains("PRIVATE KEY"), "{labels}");
    assert_eq!(files_with_key(home.path()), Vec::<PathBuf>::new());
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_still_accepts_tls_after_reloading_its_configuration() {
    let home = tempfile::tempdir().unwrap();
    let server = definition(home.path(), "localhost").start().await.unwrap();
    let client = server.connect().await.unwrap();
    client.batch_execute("alter system set work_mem = '7MB'").await.unwrap();
    client.query_one("select pg_reload_conf()", &[]).await.unwrap();
    pg_ephemeral_testkit::wait_until_async("the server has read it", LIMIT, async || {
        let row = server.connect().await.unwrap().query_one("show work_mem", &[]).await.unwrap();
        row.get::<_, &str>(0) == "7MB"
    })
    .await;
    assert!(is_encrypted(&server).await);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn servers_have_different_certificate_authorities_and_a_layer_per_host_name() {
    let home = tempfile::tempdir().unwrap();
    let one = definition(home.path(), "localhost").start().await.unwrap();
    let other = definition(home.path(), "localhost").start().await.unwrap();
    assert_ne!(one.connection().tls, other.connection().tls);
    let wrong = psql(&one, &[("PGSSLROOTCERT", ca_file(other.connection()).to_str().unwrap())], "select 1");
    assert!(wrong.unwrap_err().contains("certificate verify failed"));
    let images = fs::read_dir(home.path().join("ociman/images")).unwrap().count();
    definition(home.path(), "db").start().await.unwrap().stop().await.unwrap();
    assert!(fs::read_dir(home.path().join("ociman/images")).unwrap().count() > images);
    one.stop().await.unwrap();
    other.stop().await.unwrap();
}

#[tokio::test]
async fn parameters_that_tls_needs_can_not_be_set() {
    let home = tempfile::tempdir().unwrap();
    for (assignment, is_ssl) in [("SSL_Ciphers=x", true), ("ssl=off", true), ("HBA_File=/x", false)] {
        let error = definition(home.path(), "localhost").parameters(parameters(&[assignment])).start().await;
        match error.unwrap_err() {
            StartError::SslParameter { .. } => assert!(is_ssl),
            StartError::ReservedParameter { .. } => assert!(!is_ssl),
            error => panic!("{assignment}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_session_is_attached_to_over_tls_and_a_kept_ca_certificate_file_lasts_until_the_stop() {
    let home = tempfile::tempdir().unwrap();
    let folders = Folders::at(home.path());
    let tls = home.path().join("pg-ephemeral/tls");
    definition(home.path(), "db.example.com").start_session(&REVIEW, None).await.unwrap();
    assert_eq!(fs::read_dir(&tls).unwrap().count(), 0);
    let backend = Backend::host(Host::at(folders.host()));
    let session = Session::find(&backend, &REVIEW).await.unwrap().unwrap();
    let metadata = session.metadata().await.unwrap();
    assert_eq!(metadata.ssl.unwrap().hostname.as_str(), "db.example.com");

    let mut server = Server::attach(&session, &folders).unwrap();
    assert!(is_encrypted(&server).await);
    let passing = ca_file(server.connection());
    server.keep_ca_file(&session, &folders).unwrap();
    let lasting = ca_file(server.connection());
    assert!(!passing.exists());
    assert_eq!(psql(&server, &[], IS_ENCRYPTED).unwrap(), "t\n");
    drop(server);
    assert_eq!(lasting.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    session.clone().stop().await.unwrap();
    forget(&folders, &session);
    assert_eq!(fs::read_dir(&tls).unwrap().count(), 0);
}

#[tokio::test]
async fn a_session_restarted_by_another_program_has_no_key_and_is_not_connected_to() {
    let home = tempfile::tempdir().unwrap();
    let folders = Folders::at(home.path());
    definition(home.path(), "localhost").start_session(&REVIEW, None).await.unwrap();
    let backend = Backend::host(Host::at(folders.host()));
    let session = Session::find(&backend, &REVIEW).await.unwrap().unwrap();
    // Restart the server without pg-ephemeral. Its private key exists nowhere any more.
    let container = session.container();
    container.stop(LIMIT).await.unwrap();
    container.start().await.unwrap();
    let server = Server::attach(&session, &folders).unwrap();
    pg_ephemeral_testkit::wait_until_async("the server says that it has no TLS", LIMIT, async || {
        match server.connect().await {
            Err(ConnectError::Refused(error)) => error.to_string().contains("TLS"),
            Err(_) => false,
            Ok(_) => panic!("connected without its key"),
        }
    })
    .await;
    session.stop().await.unwrap();
}

#[tokio::test]
async fn only_a_server_with_cross_container_access_listens_on_all_addresses() {
    let home = tempfile::tempdir().unwrap();
    for (access, addresses) in [(false, "127.0.0.1"), (true, "0.0.0.0")] {
        let server = definition(home.path(), "localhost").cross_container_access(access).start().await.unwrap();
        let row = server.connect().await.unwrap().query_one("show listen_addresses", &[]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), addresses);
        let name = psql(&server, &[("PGHOST", "host.docker.internal"), ("PGHOSTADDR", "127.0.0.1")], "select 1");
        assert_eq!(name.is_ok(), access, "{name:?}");
        server.stop().await.unwrap();
    }
}
