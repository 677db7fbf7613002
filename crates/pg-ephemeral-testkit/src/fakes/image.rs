//! [`FakeImage`] and [`FakeContainer`]: the initial images and containers of a fake engine, as a test or a scenario
//! file describes them.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::in_container;

/// The `PATH` variable of an image that sets none.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A fake program in the containers of an image. It replaces the program of this machine that has the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Program {
    /// Does nothing until it is stopped. It needs no process.
    Idle,
    /// Prints this and ends, whatever its arguments are.
    Answer {
        /// The exit status. 0 by default.
        #[serde(default)]
        status: i32,
        /// The standard output. Empty by default.
        #[serde(default)]
        stdout: String,
        /// The standard error. Empty by default.
        #[serde(default)]
        stderr: String,
    },
}

/// Settings of an image whose containers run real PostgreSQL servers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct ServerImage {
    /// The folders that each container has for itself. Paths below them in arguments and variables are redirected to
    /// the files of the container.
    pub(super) folders: Vec<String>,
}

impl ServerImage {
    /// Creates the folders among the files of an image, writable for every user.
    pub(super) fn make_folders(&self, root: &Path) -> io::Result<()> {
        for folder in &self.folders {
            let path = root.join(in_container(folder));
            fs::create_dir_all(&path)?;
            fs::set_permissions(path, Permissions::from_mode(0o1777))?;
        }
        Ok(())
    }
}

/// An image of a fake engine.
///
/// Its containers run the programs of this machine, except those that [`FakeImage::program`] replaces.
///
/// ```
/// use pg_ephemeral_testkit::{FakeImage, Program};
///
/// let image = FakeImage::new("docker.io/library/postgres:17")
///     .variable("PG_MAJOR", "17")
///     .label("com.example.team", "db")
///     .program("postgres", Program::Idle);
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FakeImage {
    pub(super) name: String,
    #[serde(default)]
    pub(super) variables: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) entrypoint: Vec<String>,
    #[serde(default)]
    pub(super) command: Vec<String>,
    #[serde(default)]
    pub(super) volumes: Vec<String>,
    #[serde(default)]
    pub(super) ports: Vec<u16>,
    pub(super) stop_signal: Option<String>,
    #[serde(default)]
    pub(super) files: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) programs: BTreeMap<String, Program>,
    pub(super) created: Option<u64>,
    #[serde(skip)]
    pub(super) server: Option<ServerImage>,
}

impl FakeImage {
    /// Creates an image with this name and without files. Its containers do nothing unless they are given a command.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            variables: BTreeMap::new(),
            labels: BTreeMap::new(),
            entrypoint: Vec::new(),
            command: Vec::new(),
            volumes: Vec::new(),
            ports: Vec::new(),
            stop_signal: None,
            files: BTreeMap::new(),
            programs: BTreeMap::new(),
            created: None,
            server: None,
        }
    }

    /// Creates an image with the metadata of PostgreSQL's official image of a major version: variables, volume, port
    /// and stop signal. Its server does nothing; [`FakeBackend::with_postgres`](crate::FakeBackend::with_postgres) adds
    /// an image with a real server.
    pub fn postgres(major: &str) -> Self {
        let mut image = Self::new(format!("docker.io/library/postgres:{major}"))
            .variable("PG_MAJOR", major)
            .variable("PG_VERSION", &format!("{major}.1-1.pgdg12+1"))
            .variable("PGDATA", "/var/lib/postgresql/data")
            .variable("LANG", "en_US.utf8")
            .program("docker-entrypoint.sh", Program::Idle)
            .program("postgres", Program::Idle);
        image.entrypoint = vec!["docker-entrypoint.sh".to_owned()];
        image.command = vec!["postgres".to_owned()];
        image.volumes = vec!["/var/lib/postgresql/data".to_owned()];
        image.ports = vec![5432];
        image.stop_signal = Some("SIGINT".to_owned());
        image
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets a label.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Adds a file at a path from the root. If its content begins with `#!`, the file is executable.
    #[must_use]
    pub fn file(mut self, path: &str, content: &str) -> Self {
        self.files.insert(path.trim_start_matches('/').to_owned(), content.to_owned());
        self
    }

    /// Sets the entrypoint of its containers.
    #[must_use]
    pub fn entrypoint<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.entrypoint = words.into_iter().map(Into::into).collect();
        self
    }

    /// Declares a folder as a volume, which commits leave out.
    #[must_use]
    pub fn volume(mut self, path: &str) -> Self {
        self.volumes.push(path.to_owned());
        self
    }

    /// Replaces a program in its containers. `name` is the name or path by which commands call the program.
    #[must_use]
    pub fn program(mut self, name: &str, program: Program) -> Self {
        self.programs.insert(name.to_owned(), program);
        self
    }

    /// Sets the time of its creation, in seconds since the Unix epoch. The default is the time at which the image is
    /// added.
    #[must_use]
    pub fn created(mut self, seconds: u64) -> Self {
        self.created = Some(seconds);
        self
    }

    /// Returns the variables as `NAME=VALUE`, with a default `PATH`.
    pub(super) fn environment(&self) -> Vec<String> {
        let given = self.variables.iter().map(|(name, value)| format!("{name}={value}"));
        let path = (!self.variables.contains_key("PATH")).then(|| PATH.to_owned());
        path.into_iter().chain(given).collect()
    }
}

impl From<&str> for FakeImage {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

/// The state of a container that exists when a test begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FakeLife {
    /// The container was never started.
    Created,
    /// The container runs, and does nothing until it is stopped.
    #[default]
    Running,
    /// The container has ended with this exit status.
    Exited(i32),
}

/// A container that exists when a test begins.
///
/// ```
/// use pg_ephemeral_testkit::{FakeContainer, FakeLife};
///
/// let container = FakeContainer::new("left-over", "docker.io/library/postgres:17")
///     .label("com.example.owner", "nobody")
///     .life(FakeLife::Exited(137));
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FakeContainer {
    pub(super) name: String,
    pub(super) image: String,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) variables: BTreeMap<String, String>,
    /// The ports of the container, and the address at which each is published.
    #[serde(default)]
    pub(super) ports: BTreeMap<String, std::net::SocketAddr>,
    #[serde(default)]
    pub(super) life: FakeLife,
}

impl FakeContainer {
    /// Creates a running container of an image. If the engine does not have the image, an empty one is added.
    pub fn new(name: impl Into<String>, image: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            image: image.into(),
            labels: BTreeMap::new(),
            variables: BTreeMap::new(),
            ports: BTreeMap::new(),
            life: FakeLife::Running,
        }
    }

    /// Sets a label.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Publishes a port of the container at an address of this machine.
    #[must_use]
    pub fn port(mut self, inside: u16, published: std::net::SocketAddr) -> Self {
        self.ports.insert(inside.to_string(), published);
        self
    }

    /// Sets the state of the container. The default is [`FakeLife::Running`].
    #[must_use]
    pub fn life(mut self, life: FakeLife) -> Self {
        self.life = life;
        self
    }
}
