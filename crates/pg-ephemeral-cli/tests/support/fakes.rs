//! Projects in which `docker` or `podman` is the fake engine of the testkit.

use std::fmt::Write;
use std::path::PathBuf;

use pg_ephemeral_testkit::Project;

use super::project;

/// The image in every scenario.
pub const IMAGE: &str = "docker.io/library/postgres:17";

/// A container in a scenario.
pub struct Container {
    name: String,
    labels: Vec<(String, String)>,
    port: Option<u16>,
    life: String,
}

impl Container {
    /// Creates a running container with these labels. The keys get the prefix `pg-ephemeral.`.
    pub fn new(name: impl Into<String>, labels: &[(&str, &str)]) -> Self {
        let labels = labels.iter().map(|(key, value)| (format!("pg-ephemeral.{key}"), (*value).to_owned())).collect();
        Self { name: name.into(), labels, port: None, life: "\"running\"".to_owned() }
    }

    /// Creates a running session without seeds. Its labels are those of this version, except for `changes`.
    pub fn session(name: &str, instance: &str, changes: &[(&str, &str)]) -> Self {
        let owner = r#"{"host":"elsewhere","boot":"b","namespace":"n","pid":1,"start":1}"#;
        let all = [
            ("session", name),
            ("version", env!("CARGO_PKG_VERSION")),
            ("instance", instance),
            ("image", IMAGE),
            ("seeds", "[]"),
            ("superuser.user", "postgres"),
            ("superuser.database", "postgres"),
            ("owner", owner),
            ("nonce", "n"),
        ];
        let kept = all.iter().filter(|(key, _)| changes.iter().all(|(changed, _)| changed != key));
        let labels: Vec<_> = kept.chain(changes).copied().collect();
        Self::new(format!("pg-ephemeral-session-{name}"), &labels).port(40_000)
    }

    /// Sets the published port of the server.
    pub fn port(self, port: u16) -> Self {
        Self { port: Some(port), ..self }
    }

    /// Marks the container as exited.
    pub fn exited(self) -> Self {
        Self { life: "{ exited = 137 }".to_owned(), ..self }
    }
}

/// Creates a project with a fake engine that has these containers and [`IMAGE`]. The other engine, if installed, is the
/// machine's own.
pub fn fake(engine: &str, containers: &[Container]) -> Project {
    failing(engine, containers, "")
}

/// Creates a project as [`fake`] does, with failures in the format of a scenario.
pub fn failing(engine: &str, containers: &[Container], failures: &str) -> Project {
    let mut scenario = format!("{failures}[[images]]\nname = \"{IMAGE}\"\nvariables = {{ PG_MAJOR = \"17\" }}\n");
    for container in containers {
        let labels: Vec<_> =
            container.labels.iter().map(|(key, value)| format!("{} = {}", quoted(key), quoted(value))).collect();
        write!(
            scenario,
            "[[containers]]\nname = {}\nimage = \"{IMAGE}\"\nlabels = {{ {} }}\nlife = {}\n",
            quoted(&container.name),
            labels.join(", "),
            container.life,
        )
        .unwrap();
        if let Some(port) = container.port {
            writeln!(scenario, "ports = {{ \"5432\" = \"127.0.0.1:{port}\" }}").unwrap();
        }
    }
    and_fake(project().scenario(&scenario), engine)
}

/// Adds another fake engine with the same scenario.
pub fn and_fake(project: Project, engine: &str) -> Project {
    project.fake_engine(engine, program())
}

/// Returns a TOML string. Every JSON string is one.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// Returns the path of the fake engine, which is beside the binary under test.
fn program() -> PathBuf {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_pg-ephemeral")).with_file_name("fake-engine");
    assert!(
        program.is_file(),
        "{} is not there: build it with `cargo build --package pg-ephemeral-testkit --features fakes`",
        program.display()
    );
    program
}
