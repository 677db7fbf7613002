//! Projects whose `docker` or `podman` is the testkit's program of a fake engine.

use std::fmt::Write;
use std::path::PathBuf;

use pg_ephemeral_testkit::Project;

use super::project;

/// The image that the scenarios have.
pub const IMAGE: &str = "docker.io/library/postgres:17";

/// A container of a scenario.
pub struct Container {
    name: String,
    labels: Vec<(String, String)>,
    port: Option<u16>,
    life: String,
}

impl Container {
    /// A running container with these labels.
    pub fn new(name: impl Into<String>, labels: &[(&str, &str)]) -> Self {
        let labels = labels.iter().map(|(key, value)| (format!("pg-ephemeral.{key}"), (*value).to_owned())).collect();
        Self { name: name.into(), labels, port: None, life: "\"running\"".to_owned() }
    }

    /// A running session of an instance, without seeds and as this version makes them, with changes.
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

    /// Where its server is published.
    pub fn port(self, port: u16) -> Self {
        Self { port: Some(port), ..self }
    }

    /// It has ended.
    pub fn exited(self) -> Self {
        Self { life: "{ exited = 137 }".to_owned(), ..self }
    }
}

/// A project with this fake engine, which starts with these containers and the image. An engine of the other kind is the
/// machine's own, where it has one.
pub fn fake(engine: &str, containers: &[Container]) -> Project {
    failing(engine, containers, "")
}

/// The same with failures, as a scenario has them.
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

/// Adds another fake engine, which starts with the same.
pub fn and_fake(project: Project, engine: &str) -> Project {
    project.fake_engine(engine, program())
}

/// A text of TOML's: JSON's are that as well.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// It lies beside the binary under test.
fn program() -> PathBuf {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_pg-ephemeral")).with_file_name("fake-engine");
    assert!(
        program.is_file(),
        "{} is not there: build it with `cargo build --package pg-ephemeral-testkit --features fakes`",
        program.display()
    );
    program
}
