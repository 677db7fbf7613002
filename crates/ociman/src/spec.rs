//! What a caller asks of a backend: how to run a container, a command inside it, and how to commit it. Plain values
//! that know no backend.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::label::{Key, Labels, Value};
use crate::{ContainerName, Reference, Secret};

/// One variable of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value, open or secret.
    pub value: VariableValue,
}

/// The value of a [`Variable`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VariableValue {
    /// May stand in argument vectors and inspections.
    Plain(String),
    /// Reaches the child only by environment, never by an argument.
    Secret(Secret),
}

impl Variable {
    /// A variable whose value may be seen.
    pub fn plain(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: VariableValue::Plain(value.into()) }
    }

    /// A variable whose value must not be seen.
    pub fn secret(name: impl Into<String>, value: Secret) -> Self {
        Self { name: name.into(), value: VariableValue::Secret(value) }
    }

    /// The value, for handing it to a child.
    pub fn expose(&self) -> &str {
        match &self.value {
            VariableValue::Plain(value) => value,
            VariableValue::Secret(secret) => secret.expose(),
        }
    }
}

/// Whether a mounted folder can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading only.
    ReadOnly,
    /// Reading and writing.
    ReadWrite,
}

/// A folder or a file of the machine that is visible in the container.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mount {
    /// A folder or file of the engine's machine.
    Bind {
        /// Absolute path on the engine's machine.
        source: PathBuf,
        /// Absolute path in the container.
        target: PathBuf,
        /// Whether it can be written.
        access: Access,
    },
    /// An empty file system in memory, which also keeps an image's `VOLUME` at that place from being made.
    Tmpfs {
        /// Absolute path in the container.
        target: PathBuf,
    },
}

/// A TCP port of the container that is reachable from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedPort {
    /// The port in the container.
    pub container: u16,
    /// The address of the engine's machine it is published on.
    pub address: IpAddr,
    /// The port there; `None` lets the engine choose.
    pub port: Option<u16>,
}

/// The network a container joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Network {
    /// The engine's default network.
    #[default]
    Default,
    /// None but its own loopback.
    None,
    /// That of the engine's machine itself, its loopback included.
    Host,
}

/// Which users of the engine's machine those of a container are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UserNamespace {
    /// As the engine has it.
    #[default]
    Default,
    /// The user of a rootless Podman has the same numbers inside as outside. Other engines know no such thing.
    KeepId,
}

/// Who a container lives for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lifetime {
    /// For the process that started it: on the host backend it dies with that process, where the system can do it.
    #[default]
    Owner,
    /// For itself, until it is removed.
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
    /// Its name, which must be free.
    pub name: ContainerName,
    /// The image, which must be present: nothing is pulled.
    pub image: Reference,
    /// Its labels.
    pub labels: Labels,
    /// Variables on top of the image's.
    pub environment: Vec<Variable>,
    /// Mounts.
    pub mounts: Vec<Mount>,
    /// Published ports.
    pub ports: Vec<PublishedPort>,
    /// Network.
    pub network: Network,
    /// Program and first arguments, instead of the image's entrypoint.
    pub entrypoint: Option<Vec<String>>,
    /// Arguments, instead of the image's command.
    pub arguments: Vec<String>,
    /// Working directory, instead of the image's.
    pub folder: Option<PathBuf>,
    /// User as the engine understands it (`name`, `uid`, `uid:gid`), instead of the image's.
    pub user: Option<String>,
    /// What the numbers of users mean.
    pub user_namespace: UserNamespace,
    /// Signal that [`crate::Container::stop`] sends, such as `SIGINT`, instead of the image's.
    pub stop_signal: Option<String>,
    /// Size of `/dev/shm` in bytes, instead of the engine's default. The host backend has no say in it.
    pub shared_memory: Option<u64>,
    /// Who it lives for.
    pub lifetime: Lifetime,
}

impl RunSpec {
    /// A container of an image, with nothing changed.
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

/// Whether a command inside a container gets a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Terminal {
    /// Plain pipes.
    #[default]
    No,
    /// The caller's terminal.
    Yes,
}

/// How to run a command inside a running container.
///
/// ```
/// let spec = ociman::ExecSpec::new(["psql", "-c", "select 1"]).user("postgres");
/// assert_eq!(spec.command.len(), 3);
/// ```
#[derive(Debug, Clone)]
pub struct ExecSpec {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Variables on top of the container's.
    pub environment: Vec<Variable>,
    /// Working directory, instead of the container's.
    pub folder: Option<PathBuf>,
    /// User as the engine understands it, instead of the container's.
    pub user: Option<String>,
    /// Whether it gets the caller's terminal; only for [`crate::Container::attach`].
    pub terminal: Terminal,
}

impl ExecSpec {
    /// A command with the container's own settings.
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

/// How to make an image of a container.
#[derive(Debug, Clone)]
pub struct CommitSpec {
    /// Name and tag of the new image; an image that has them loses them.
    pub image: Reference,
    /// Labels of the image, on top of the container's; an empty value hides a label of the container.
    pub labels: Labels,
}

impl CommitSpec {
    /// An image with the container's labels.
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
    /// Only when it does not run.
    Stopped,
    /// At once, running or not; one that is not there is as good as removed.
    Forced,
}
