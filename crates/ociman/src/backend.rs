//! [`Backend`]: one set of operations on containers and images, whatever runs them. It only hands each operation to
//! the engine or to the host implementation and holds no logic of its own.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::command::{Executor, Process};
use crate::engine::address::Selection;
use crate::engine::{self, Engine};
use crate::host::Host;
use crate::label::{Filter, Key};
use crate::{
    CommandError, ContainerInfo, ContainerName, ContainerNameError, ContainerSummary, EngineInfo, ImageInfo,
    ImageSummary, Reference, RunSpec, System, Terminal, Version,
};

pub use crate::kind::{Kind, UnknownKind};

/// Why containers could not be listed with their names.
#[derive(Debug, thiserror::Error)]
pub enum ContainerListWithNameError {
    /// The backend did not list its containers.
    #[error("failed to list containers")]
    List(#[from] CommandError),
    /// A container has a name that is none of a container.
    #[error("a container has the name {name:?}, which is not a valid container name")]
    Name {
        /// What the backend calls it.
        name: String,
        /// What is wrong with the name.
        #[source]
        source: ContainerNameError,
    },
}

/// Something that runs containers: a Docker engine, Podman, or this machine itself. Cheap to clone.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use ociman::{Backend, ExecSpec, RunSpec};
/// let backend = Backend::podman();
/// let image = "docker.io/library/debian:12".parse()?;
/// let mut container = backend.run(&RunSpec::new("demo".parse()?, image).entrypoint(["sleep", "60"])).await?;
/// let output = container.exec(&ExecSpec::new(["uname", "-s"]), b"").await?;
/// assert_eq!(output.stdout, b"Linux\n");
/// container.remove_force().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Backend {
    pub(crate) inner: Inner,
}

#[derive(Debug, Clone)]
pub(crate) enum Inner {
    Engine(Arc<Engine>),
    Host(Arc<Host>),
}

/// Does the same on an engine and on the host.
macro_rules! on_inner {
    ($backend:expr, $inner:ident => $action:expr) => {
        match &$backend.inner {
            $crate::backend::Inner::Engine($inner) => $action,
            $crate::backend::Inner::Host($inner) => $action,
        }
    };
}

pub(crate) use on_inner;

impl Backend {
    /// Docker, by the `docker` program on `PATH`. Nothing is asked of it yet.
    pub fn docker() -> Self {
        Self::docker_with(Arc::new(System))
    }

    /// Podman, by the `podman` program on `PATH`. Nothing is asked of it yet.
    pub fn podman() -> Self {
        Self::podman_with(Arc::new(System))
    }

    /// Docker's command line, spoken through an executor of the caller's.
    pub fn docker_with(executor: Arc<dyn Executor>) -> Self {
        Self::engine(Engine::docker(executor))
    }

    /// Podman's command line, spoken through an executor of the caller's.
    pub fn podman_with(executor: Arc<dyn Executor>) -> Self {
        Self::engine(Engine::podman(executor))
    }

    pub(crate) fn engine(engine: Engine) -> Self {
        Self { inner: Inner::Engine(Arc::new(engine)) }
    }

    /// Plain processes of this machine.
    pub fn host(host: Host) -> Self {
        Self { inner: Inner::Host(Arc::new(host)) }
    }

    /// The host implementation, for what only it has.
    pub fn as_host(&self) -> Option<&Host> {
        match &self.inner {
            Inner::Engine(_) => None,
            Inner::Host(host) => Some(host),
        }
    }

    /// Removes the temporary files that killed processes left: on the host what was half made or half removed, and what
    /// Podman's commands had. Cheap enough for every command.
    pub fn sweep(&self) {
        match &self.inner {
            Inner::Host(host) => host.sweep(),
            Inner::Engine(engine) if engine.kind() == Kind::Podman => engine::sweep_scratch(),
            Inner::Engine(_) => {}
        }
    }

    /// What runs containers here.
    pub fn kind(&self) -> Kind {
        match &self.inner {
            Inner::Engine(engine) => engine.kind(),
            Inner::Host(_) => Kind::Host,
        }
    }

    /// The machine that the engine is on, by the name or address that `DOCKER_HOST`, `CONTAINER_HOST`, a context or a
    /// connection gives it; `None` when it is this one. Nothing of this machine can be mounted there, and what is published
    /// on its loopback is not to be reached from here. Nothing is asked.
    ///
    /// ```
    /// // Without such variables:
    /// # if std::env::var_os("CONTAINER_HOST").is_none() && std::env::var_os("CONTAINER_CONNECTION").is_none() {
    /// assert_eq!(ociman::Backend::podman().remote_host(), None);
    /// # }
    /// ```
    pub fn remote_host(&self) -> Option<&str> {
        match &self.inner {
            Inner::Engine(engine) => engine.address().remote_host(),
            Inner::Host(_) => None,
        }
    }

    /// The address at which ports are reached that are published on the backend's machine: loopback, when it is this one.
    /// Looking up the name of another may block.
    ///
    /// # Errors
    /// [`CommandError::NoAddress`].
    pub fn address(&self) -> Result<IpAddr, CommandError> {
        match &self.inner {
            Inner::Engine(engine) => engine.address().resolve().map_err(|source| CommandError::NoAddress {
                backend: engine.kind(),
                host: engine.address().remote_host().unwrap_or_default().to_owned(),
                source,
            }),
            Inner::Host(_) => Ok(Ipv4Addr::LOCALHOST.into()),
        }
    }

    /// Whether root in a container is an ordinary user of the engine's machine, as far as that can be told without asking.
    pub fn is_rootless(&self) -> bool {
        match &self.inner {
            Inner::Engine(engine) => engine.address().is_rootless(engine.kind()),
            Inner::Host(_) => false,
        }
    }

    /// What of the environment makes this engine the one that is talked to.
    pub fn selection(&self) -> Selection {
        match &self.inner {
            Inner::Engine(engine) => engine.address().selection.clone(),
            Inner::Host(_) => Selection::new(),
        }
    }

    /// The engine of the same kind that a selection leads to, whatever the environment says.
    #[must_use]
    pub fn selected(&self, selection: &Selection) -> Self {
        match &self.inner {
            Inner::Engine(engine) => Self::engine(engine.selected(selection)),
            Inner::Host(_) => self.clone(),
        }
    }

    /// Asks the backend for its version: the cheapest proof that it answers.
    ///
    /// # Errors
    /// [`CommandError::Unreachable`] when it does not.
    pub async fn version(&self) -> Result<Version, CommandError> {
        on_inner!(self, inner => inner.version().await)
    }

    /// What an engine tells of its own set-up. Slow: nothing to ask on the way to something else.
    ///
    /// # Errors
    /// [`CommandError::Unsupported`] on the host backend, and the general ones.
    pub async fn engine_info(&self) -> Result<EngineInfo, CommandError> {
        match &self.inner {
            Inner::Engine(engine) => engine.info().await,
            Inner::Host(_) => Err(CommandError::Unsupported { backend: Kind::Host, operation: "tell of an engine" }),
        }
    }

    /// Makes a container, runs its process to its end on the caller's own standard streams, and on its terminal when
    /// asked to, and removes it. One engine command, whose process is given back: it ends with the status of the
    /// container's, or with 125 when the engine refused. Nothing of what is printed is logged by the engine. Whoever kills
    /// that process, or drops it, has to remove the container.
    ///
    /// # Errors
    /// [`CommandError::Unsupported`] on the host backend, and what stops the engine's program from being started at all.
    pub async fn run_attached(&self, spec: &RunSpec, terminal: Terminal) -> Result<Process, CommandError> {
        match &self.inner {
            Inner::Engine(engine) => engine.run_attached(spec, terminal).await,
            Inner::Host(_) => {
                Err(CommandError::Unsupported { backend: Kind::Host, operation: "run attached containers" })
            }
        }
    }

    /// All containers, running or not, that match every filter, with those of their labels that are asked for. One
    /// engine command.
    ///
    /// # Errors
    /// The general ones.
    pub async fn list(&self, filters: &[Filter], labels: &[Key]) -> Result<Vec<ContainerSummary>, CommandError> {
        on_inner!(self, inner => inner.list(filters, labels).await)
    }

    /// What there is to know of several containers, in the order asked; `None` for one that is not there. One engine
    /// command.
    ///
    /// # Errors
    /// The general ones.
    pub async fn inspect(&self, names: &[ContainerName]) -> Result<Vec<Option<ContainerInfo>>, CommandError> {
        on_inner!(self, inner => inner.inspect(names).await)
    }

    /// What there is to know of several images, in the order asked; `None` for one that is not there. One engine
    /// command.
    ///
    /// # Errors
    /// The general ones.
    pub async fn inspect_images(&self, images: &[Reference]) -> Result<Vec<Option<ImageInfo>>, CommandError> {
        on_inner!(self, inner => inner.inspect_images(images).await)
    }

    /// All named images whose repository name (without tag) in canonical form starts with `prefix`. One engine command.
    ///
    /// # Errors
    /// The general ones.
    pub async fn images(&self, prefix: &str) -> Result<Vec<ImageSummary>, CommandError> {
        on_inner!(self, inner => inner.images(prefix).await)
    }

    /// All named images of the repository that a reference names in canonical form; its tag and digest do not count.
    /// One engine command, which takes no longer when the engine has many other images.
    ///
    /// # Errors
    /// The general ones.
    pub async fn images_of(&self, repository: &Reference) -> Result<Vec<ImageSummary>, CommandError> {
        match &self.inner {
            Inner::Engine(engine) => engine.images_of(repository).await,
            Inner::Host(host) => {
                let mut images = host.images(repository.name()).await?;
                images.retain(|image| image.reference.name() == repository.name());
                Ok(images)
            }
        }
    }

    /// The images with a label that have no name, since another image got it. There are none on the host. One engine
    /// command when there are none, two otherwise.
    ///
    /// # Errors
    /// The general ones.
    pub async fn nameless_images(&self, label: &Key) -> Result<Vec<ImageInfo>, CommandError> {
        match &self.inner {
            Inner::Engine(engine) => engine.nameless_images(label).await,
            Inner::Host(_) => Ok(Vec::new()),
        }
    }

    /// Removes an image without a name, by its identifier.
    ///
    /// # Errors
    /// [`CommandError::ImageNotFound`], [`CommandError::ImageInUse`] and the general ones.
    pub async fn remove_nameless_image(&self, id: &str) -> Result<(), CommandError> {
        match &self.inner {
            Inner::Engine(engine) => engine.remove_nameless_image(id).await,
            Inner::Host(_) => Err(CommandError::ImageNotFound { image: id.to_owned() }),
        }
    }

    /// Gives an image one more name.
    ///
    /// # Errors
    /// [`CommandError::ImageNotFound`] and the general ones.
    pub async fn tag(&self, image: &Reference, name: &Reference) -> Result<(), CommandError> {
        on_inner!(self, inner => inner.tag(image, name).await)
    }

    /// Takes a name from an image, and removes the image when that was its last.
    ///
    /// # Errors
    /// [`CommandError::ImageNotFound`], [`CommandError::ImageInUse`] and the general ones.
    pub async fn remove_image(&self, image: &Reference) -> Result<(), CommandError> {
        on_inner!(self, inner => inner.remove_image(image).await)
    }

    /// Fetches an image from its registry.
    ///
    /// # Errors
    /// [`CommandError::ImageNotFound`] when the registry has none, [`CommandError::Unsupported`] on the host backend, and the general ones.
    pub async fn pull(&self, image: &Reference) -> Result<(), CommandError> {
        match &self.inner {
            Inner::Engine(engine) => engine.pull(image).await,
            Inner::Host(_) => Err(CommandError::Unsupported { backend: Kind::Host, operation: "pull images" }),
        }
    }

    /// Sends an image to the registry that its name says.
    ///
    /// # Errors
    /// [`CommandError::ImageNotFound`] when this backend has none of that name, [`CommandError::Unsupported`] on the host backend, and
    /// the general ones.
    pub async fn push(&self, image: &Reference) -> Result<(), CommandError> {
        match &self.inner {
            Inner::Engine(engine) => engine.push(image).await,
            Inner::Host(_) => Err(CommandError::Unsupported { backend: Kind::Host, operation: "push images" }),
        }
    }
}
