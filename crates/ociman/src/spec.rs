//! The requests that a caller makes to a backend: how to run a container, how to run a command in it, and how to commit
//! it. Plain values that don't depend on a backend.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::label::{Key, Labels, Value};
use crate::{ContainerName, Reference, Secret};

/// An environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// The name.
    pub name: String,
    /// The value, plain or secret.
    pub value: VariableValue,
}

/// The value of a [`Variable`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VariableValue {
    /// A value that may appear in argument vectors and in the details of a container.
    Plain(String),
    /// A value that a child receives only in its environment, never as an argument.
    Secret(Secret),
}

impl Variable {
    /// Creates a variable whose value may be shown.
    pub fn plain(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: VariableValue::Plain(value.into()) }
    }

    /// Creates a variable whose value must not be shown.
    pub fn secret(name: impl Into<String>, value: Secret) -> Self {
        Self { name: name.into(), value: VariableValue::Secret(value) }
    }

    /// Returns the value, to be passed to a child process.
    pub fn expose(&self) -> &str {
        match &self.value {
            VariableValue::Plain(value) => value,
            VariableValue::Secret(secret) => secret.expose(),
        }
    }
}

/// The access that a container has to a mounted file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read only.
    ReadOnly,
    /// Read and write.
    ReadWrite,
}

/// A file system, folder or file that is mounted in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mount {
    /// A folder or file of the engine's machine.
    Bind {
        /// Absolute path on the engine's machine.
        source: PathBuf,
        /// Absolute path in the container.
        target: PathBuf,
        /// Whether the container can write to it.
        access: Access,
    },
    /// An empty file system in memory. It also prevents the engine from creating an anonymous volume there for the
    /// image's `VOLUME`.
    Tmpfs {
        /// Absolute path in the container.
        target: PathBuf,
    },
}

/// A TCP port of a container that is reachable from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedPort {
    /// The port in the container.
    pub container: u16,
    /// The address of the engine's machine on which the port is published.
    pub address: IpAddr,
    /// The port on that address; `None` lets the engine choose one.
    pub port: Option<u16>,
}

/// The network that a container joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Network {
    /// The engine's default network.
    #[default]
    Default,
    /// No network except the container's own loopback.
    None,
    /// The network of the engine's machine itself, including its loopback.
    Host,
}

/// How user IDs in a container map to user IDs of the engine's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UserNamespace {
    /// The engine's default mapping.
    #[default]
    Default,
    /// The user of a rootless Podman has the same user ID inside as outside. Other engines don't support this.
    KeepId,
}

/// How long a container lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lifetime {
    /// Belongs to the process that started it: on the host backend, the container dies with that process if the system
    /// supports it.
    #[default]
    Owner,
    /// Outlives the process that started it.
    Detached,
}

/// How to run a container.
///
/// ```
/// use ociman::{RunSpec, Variable};
/// let spec = RunSpec::new("web-1".parse()?, "docker.io/library/debian:12".parse()?)
///     .entrypoint(["sleep", "60"])
///     .variable(Variable::plain("LANG", "C.UTF-8"));
/// assert_eq!(spec.name.as_str(), "web-1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct RunSpec {
    /// The container's name, which must not be in use.
    pub name: ContainerName,
    /// The image, which must be present: it is never pulled.
    pub image: Reference,
    /// The container's labels.
    pub labels: Labels,
    /// Variables in addition to the image's.
    pub environment: Vec<Variable>,
    /// Mounts.
    pub mounts: Vec<Mount>,
    /// Published ports.
    pub ports: Vec<PublishedPort>,
    /// The network to join.
    pub network: Network,
    /// The program and its first arguments, instead of the image's entrypoint.
    pub entrypoint: Option<Vec<String>>,
    /// Arguments, instead of the image's command.
    pub arguments: Vec<String>,
    /// The working directory, instead of the image's.
    pub folder: Option<PathBuf>,
    /// The user, as the engine understands it (`name`, `uid`, `uid:gid`), instead of the image's.
    pub user: Option<String>,
    /// How user IDs are mapped.
    pub user_namespace: UserNamespace,
    /// The signal that [`crate::Container::stop`] sends, such as `SIGINT`, instead of the image's.
    pub stop_signal: Option<String>,
    /// The size of `/dev/shm` in bytes, instead of the engine's default. The host backend ignores it.
    pub shared_memory: Option<u64>,
    /// How long the container lives.
    pub lifetime: Lifetime,
}

impl RunSpec {
    /// Creates a spec for a container that uses the settings of its image.
    pub fn new(name: ContainerName, image: Reference) -> Self {
        Self {
            name,
            image,
            labels: Labels::default(),
            environment: Vec::new(),
            mounts: Vec::new(),
            ports: Vec::new(),
            network: Network::Default,
            entrypoint: None,
            arguments: Vec::new(),
            folder: None,
            user: None,
            user_namespace: UserNamespace::Default,
            stop_signal: None,
            shared_memory: None,
            lifetime: Lifetime::Owner,
        }
    }

    /// Sets the entrypoint.
    #[must_use]
    pub fn entrypoint<A: Into<String>>(mut self, words: impl IntoIterator<Item = A>) -> Self {
        self.entrypoint = Some(words.into_iter().map(Into::into).collect());
        self
    }

    /// Appends arguments.
    #[must_use]
    pub fn arguments<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, key: Key, value: Value) -> Self {
        self.labels.insert(key, value);
        self
    }

    /// Adds a variable.
    #[must_use]
    pub fn variable(mut self, variable: Variable) -> Self {
        self.environment.push(variable);
        self
    }

    /// Adds a mount.
    #[must_use]
    pub fn mount(mut self, mount: Mount) -> Self {
        self.mounts.push(mount);
        self
    }

    /// Adds a published port.
    #[must_use]
    pub fn port(mut self, port: PublishedPort) -> Self {
        self.ports.push(port);
        self
    }
}

/// Whether a command in a container gets a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Terminal {
    /// No terminal.
    #[default]
    No,
    /// The caller's terminal.
    Yes,
}

/// How to run a command in a running container.
///
/// ```
/// let spec = ociman::ExecSpec::new(["psql", "-c", "select 1"]).user("postgres");
/// assert_eq!(spec.command.len(), 3);
/// ```
#[derive(Debug, Clone)]
pub struct ExecSpec {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Variables in addition to the container's.
    pub environment: Vec<Variable>,
    /// The working directory, instead of the container's.
    pub folder: Option<PathBuf>,
    /// The user, as the engine understands it, instead of the container's.
    pub user: Option<String>,
    /// Whether the command gets the caller's terminal. Only [`crate::Container::attach`] uses this.
    pub terminal: Terminal,
}

impl ExecSpec {
    /// Creates a spec for a command that uses the container's own settings.
    pub fn new<A: Into<String>>(command: impl IntoIterator<Item = A>) -> Self {
        Self {
            command: command.into_iter().map(Into::into).collect(),
            environment: Vec::new(),
            folder: None,
            user: None,
            terminal: Terminal::No,
        }
    }

    /// Sets the user.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Adds a variable.
    #[must_use]
    pub fn variable(mut self, variable: Variable) -> Self {
        self.environment.push(variable);
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }
}

/// How to create an image from a container.
#[derive(Debug, Clone)]
pub struct CommitSpec {
    /// The name and tag of the new image. An existing image with this name loses it.
    pub image: Reference,
    /// The image's labels, in addition to the container's. An empty value hides the container's label.
    pub labels: Labels,
}

impl CommitSpec {
    /// Creates a spec for an image with the container's labels.
    pub fn new(image: Reference) -> Self {
        Self { image, labels: Labels::default() }
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, key: Key, value: Value) -> Self {
        self.labels.insert(key, value);
        self
    }
}

/// How a container is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    /// Only if the container is not running.
    Stopped,
    /// At once, running or not. If the container does not exist, nothing is done.
    Forced,
}
