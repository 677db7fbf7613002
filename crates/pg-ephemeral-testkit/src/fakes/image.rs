//! [`FakeImage`] and [`FakeContainer`]: what a fake engine has to start from, as a test or a scenario file says it.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::in_container;

/// The search path that an image has by itself.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a program does in containers of a fake image, instead of the one of this machine that has its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Program {
    /// It does nothing until it is stopped. No process is needed for that.
    Idle,
    /// It prints this and ends, whatever its arguments are.
    Answer {
        /// Its exit status.
        #[serde(default)]
        status: i32,
        /// Its standard output.
        #[serde(default)]
        stdout: String,
        /// Its standard error.
        #[serde(default)]
        stderr: String,
    },
}

/// What the containers of an image need so that a server runs in them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct ServerImage {
    /// Folders that are the container's own, where a word or a variable begins with one.
    pub(super) folders: Vec<String>,
}

impl ServerImage {
    /// Makes the folders in the files of an image, for whoever its processes are.
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
/// Its containers see the programs of this machine, unless [`FakeImage::program`] says something else.
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
    /// An image of this name, with no file in it, whose containers do nothing unless they are told to.
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

    /// As PostgreSQL's official image of a major version looks from outside: variables, volume, port, stop signal.
    /// Its server does nothing.
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

    /// Sets a variable of its environment.
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

    /// Puts a file into it, by its path from the root. One that begins with `#!` can be executed.
    #[must_use]
    pub fn file(mut self, path: &str, content: &str) -> Self {
        self.files.insert(path.trim_start_matches('/').to_owned(), content.to_owned());
        self
    }

    /// Sets the program that its containers run.
    #[must_use]
    pub fn entrypoint<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.entrypoint = words.into_iter().map(Into::into).collect();
        self
    }

    /// Makes a folder a volume, which no commit holds.
    #[must_use]
    pub fn volume(mut self, path: &str) -> Self {
        self.volumes.push(path.to_owned());
        self
    }

    /// Says what a program does in its containers, by its name or path as it is called.
    #[must_use]
    pub fn program(mut self, name: &str, program: Program) -> Self {
        self.programs.insert(name.to_owned(), program);
        self
    }

    /// Says when it was made, in seconds since the Unix epoch. Without this it is made when it is added.
    #[must_use]
    pub fn created(mut self, seconds: u64) -> Self {
        self.created = Some(seconds);
        self
    }

    /// The variables as engines write them, with a search path.
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

/// Where a container stands that a test starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FakeLife {
    /// It was never started.
    Created,
    /// It runs, and does nothing until it is stopped.
    #[default]
    Running,
    /// It has ended, with this status.
    Exited(i32),
}

/// A container that is there when a test begins.
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
    /// Port inside, and where it is published.
    #[serde(default)]
    pub(super) ports: BTreeMap<String, std::net::SocketAddr>,
    #[serde(default)]
    pub(super) life: FakeLife,
}

impl FakeContainer {
    /// A running container of an image, which is made when it is not there.
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

    /// Sets a variable of its environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Says where a port of it is published.
    #[must_use]
    pub fn port(mut self, inside: u16, published: std::net::SocketAddr) -> Self {
        self.ports.insert(inside.to_string(), published);
        self
    }

    /// Says where it stands.
    #[must_use]
    pub fn life(mut self, life: FakeLife) -> Self {
        self.life = life;
        self
    }
}
