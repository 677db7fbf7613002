//! TLS on the real engines: connections from other containers, and places where the private key must not be. Both
//! engines must be installed and running, and have `docker.io/library/postgres:15`.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use ociman::{Backend, ExecSpec, Kind};
use pg_ephemeral_core::config::{BackendChoice, SslConfig};
use pg_ephemeral_core::session::Name;
use pg_ephemeral_core::{Definition, Endpoint, Folders, InstanceName, Server, label, snapshot};

const IMAGE: &str = "docker.io/library/postgres:15";
const IS_ENCRYPTED: &str = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";

macro_rules! engine {
    ($module:ident, $kind:expr) => {
        mod $module {
            use ociman::Kind;

            #[tokio::test]
            async fn another_container_verifies_the_server_under_the_engine_s_name_for_this_machine() {
                super::another_container_checks_the_server($kind).await;
            }

            #[tokio::test]
            async fn the_engine_neither_shows_nor_stores_the_private_key() {
                super::the_key_is_in_nothing($kind).await;
            }

            #[tokio::test]
            async fn a_session_recovered_after_a_kill_accepts_tls_from_this_machine_and_inside_the_container() {
                super::a_session_that_is_put_back_speaks_tls($kind).await;
            }
        }
    };
}

engine!(docker, Kind::Docker);
engine!(podman, Kind::Podman);

/// An instance for one test. Its layers are removed when the value is dropped.
struct TestProject {
    home: tempfile::TempDir,
    kind: Kind,
    instance: InstanceName,
}

impl TestProject {
    fn new(kind: Kind) -> Self {
        let home = tempfile::tempdir().unwrap();
        let unique = home.path().file_name().unwrap().to_string_lossy().to_lowercase();
        let unique: String = unique.chars().filter(char::is_ascii_alphanumeric).collect();
        let instance = format!("test-tls-{unique}-{}", std::process::id()).parse().unwrap();
        Self { home, kind, instance }
    }

    fn definition(&self) -> Definition {
        let ssl = SslConfig { hostname: "db.example.com".parse().unwrap() };
        Definition::in_folders(Folders::at(self.home.path()))
            .backend_choice(BackendChoice::Only(self.kind))
            .instance(self.instance.clone())
            .image("15".parse().unwrap())
            .wait_available_timeout(Duration::from_secs(120))
            .ssl_config(ssl)
    }

    /// The name of the instance's session.
    fn session(&self) -> Name {
        self.instance.to_string().parse().unwrap()
    }

    fn backend(&self) -> Backend {
        if self.kind == Kind::Docker { Backend::docker() } else { Backend::podman() }
    }

    fn engine(&self, words: &[&str]) -> Output {
        Command::new(self.kind.as_str()).args(words).output().unwrap()
    }

    fn layers(&self) -> Vec<String> {
        let output = self.engine(&["images", "--format", "{{.Repository}}:{{.Tag}}"]);
        let name = format!("pg-ephemeral/{}:", self.instance);
        let listed = String::from_utf8(output.stdout).unwrap();
        listed.lines().filter(|image| image.contains(&name)).map(str::to_owned).collect()
    }
}

impl Drop for TestProject {
    fn drop(&mut self) {
        // A failed test may have left the session.
        self.engine(&["rm", "--force", "--volumes", self.session().container_name().as_str()]);
        for layer in self.layers() {
            self.engine(&["rmi", "--force", &layer]);
        }
    }
}

/// Runs `psql` in another container of the engine, connecting to the server under this host name, and returns its
/// output.
fn from_another_container(server: &Server, kind: Kind, host: &str) -> Output {
    let connection = server.connection();
    let Endpoint::Tcp { port, .. } = connection.endpoint else { panic!("the server is published") };
    let mut command = Command::new(kind.as_str());
    command.args(["run", "--rm", "--interactive", "--entrypoint", "sh", "--env", "PGPASSWORD"]);
    command.env("PGPASSWORD", connection.password.expose());
    if kind == Kind::Docker {
        // Podman adds this entry by itself.
        command.args(["--add-host", "host.docker.internal:host-gateway"]);
    }
    let script = format!(
        "cat >/tmp/ca.pem; gateway=$(getent ahostsv4 {}); export PGHOSTADDR=${{gateway%% *}}; \
         exec psql -At 'host={host} port={port} user=postgres sslmode=verify-full sslrootcert=/tmp/ca.pem' \
         -c '{IS_ENCRYPTED}'",
        name_of_this_machine(kind),
    );
    command.args([IMAGE, "-c", &script]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let ca_cert_pem = &connection.tls.as_ref().unwrap().ca_cert_pem;
    child.stdin.take().unwrap().write_all(ca_cert_pem.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn name_of_this_machine(kind: Kind) -> &'static str {
    match kind {
        Kind::Docker => "host.docker.internal",
        _ => "host.containers.internal",
    }
}

async fn another_container_checks_the_server(kind: Kind) {
    let ground = TestProject::new(kind);
    let server = ground.definition().cross_container_access(true).start().await.unwrap();
    server.connect().await.unwrap().query_one(IS_ENCRYPTED, &[]).await.unwrap();
    for host in [name_of_this_machine(kind), "db.example.com"] {
        let output = from_another_container(&server, kind, host);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "t\n", "{host}: {errors}");
    }
    let output = from_another_container(&server, kind, "example.com");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("does not match host name \"example.com\""), "{errors}");
    server.stop().await.unwrap();
}

async fn the_key_is_in_nothing(kind: Kind) {
    let ground = TestProject::new(kind);
    let server = ground.definition().start().await.unwrap();
    let container = server.container().name().as_str();
    let committed = format!("localhost/pg-ephemeral/{}:committed", ground.instance);
    let layer = ground.layers().pop().unwrap();
    assert!(ground.engine(&["commit", container, &committed]).status.success());
    let everything =
        "! grep -rl 'PRIVATE KEY' /dev/shm /tmp /run /var/lib/pg-ephemeral /var/lib/postgresql /etc/postgresql*";
    for words in [
        &["inspect", container][..],
        &["logs", container],
        &["image", "inspect", &layer],
        &["image", "inspect", &committed],
        &["history", "--no-trunc", &layer],
        &["history", "--no-trunc", &committed],
        &["exec", "--user", "0", container, "sh", "-c", everything],
        &["run", "--rm", "--user", "0", "--entrypoint", "sh", &committed, "-c", everything],
    ] {
        let output = ground.engine(words);
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{words:?}: {text}");
        assert!(!text.contains("PRIVATE KEY"), "{words:?}");
    }
    assert!(String::from_utf8_lossy(&ground.engine(&["inspect", container]).stdout).contains("BEGIN CERTIFICATE"));
    let labels = String::from_utf8(ground.engine(&["image", "inspect", &layer]).stdout).unwrap();
    assert!(labels.contains("db.example.com") && !labels.contains("BEGIN CERTIFICATE"), "{labels}");
    server.stop().await.unwrap();
    ground.backend().remove_image(&committed.parse().unwrap()).await.unwrap();
}

async fn a_session_that_is_put_back_speaks_tls(kind: Kind) {
    let ground = TestProject::new(kind);
    let (folders, name) = (Folders::at(ground.home.path()), ground.session());
    let session = ground.definition().start_session(&name, None).await.unwrap();
    // The state that a command leaves if it is killed during a restore.
    let nonce = session.summary().labels.get(&label::NONCE_KEY).unwrap().as_str();
    let selection = serde_json::to_string(&ground.backend().selection()).unwrap();
    let boot = ociman::host::boot_id();
    let note = format!(r#"{{"nonce": "{nonce}", "selection": {selection}, "boot": "{boot}"}}"#);
    let notes = folders.state().join("stopped");
    std::fs::create_dir_all(&notes).unwrap();
    std::fs::write(notes.join(format!("{kind}:{name}")), note).unwrap();
    session.container().stop(Duration::from_secs(60)).await.unwrap();

    assert!(snapshot::put_back(&folders, &ground.backend(), &name).await.unwrap());
    let server = Server::attach(&session, &folders).unwrap();
    let is_encrypted = server.connect().await.unwrap().query_one(IS_ENCRYPTED, &[]).await.unwrap();
    assert!(is_encrypted.get::<_, bool>(0));
    let mut psql = ExecSpec::new(["psql", "-Atc", IS_ENCRYPTED]);
    psql.environment = server.loopback_in_container().unwrap().environment();
    let output = session.container().exec(&psql, b"").await.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "t\n", "{output:?}");
    session.stop().await.unwrap();
}
