//! [`Backend`]: one set of operations on containers and images for every engine and for the host. It only forwards each
//! operation to the engine or to the host implementation and contains no logic of its own.

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

/// Error returned if containers can't be listed with their names.
#[derive(Debug, thiserror::Error)]
pub enum ContainerListWithNameError {
    /// The backend failed to list its containers.
    #[error("failed to list containers")]
    List(#[from] CommandError),
    /// A container has a name that is not a valid [`ContainerName`].
    #[error("a container has the name {name:?}, which is not a valid container name")]
    Name {
        /// The name, as the backend reports it.
        name: String,
        /// Why the name is invalid.
        #[source]
        source: ContainerNameError,
    },
}

/// A container backend: a Docker engine, Podman, or this machine itself. Cheap to clone.
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

/// Evaluates the same expression for an engine and for the host.
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
    /// Returns a backend that runs containers with the `docker` program found on `PATH`. Does not contact the engine.
    pub fn docker() -> Self {
        Self::docker_with(Arc::new(System))
    }

    /// Returns a backend that runs containers with the `podman` program found on `PATH`. Does not contact the engine.
    pub fn podman() -> Self {
        Self::podman_with(Arc::new(System))
    }

    /// Returns a Docker backend that runs the `docker` program through `executor`. Does not contact the engine.
    pub fn docker_with(executor: Arc<dyn Executor>) -> Self {
        Self::engine(Engine::docker(executor))
    }

    /// Returns a Podman backend that runs the `podman` program through `executor`. Does not contact the engine.
    pub fn podman_with(executor: Arc<dyn Executor>) -> Self {
        Self::engine(Engine::podman(executor))
    }

    pub(crate) fn engine(engine: Engine) -> Self {
        Self { inner: Inner::Engine(Arc::new(engine)) }
    }

    /// Returns a backend that runs containers as plain processes of this machine.
    pub fn host(host: Host) -> Self {
        Self { inner: Inner::Host(Arc::new(host)) }
    }

    /// Returns the host implementation, for operations that only it offers, or `None` if the backend is an engine.
    pub fn as_host(&self) -> Option<&Host> {
        match &self.inner {
            Inner::Engine(_) => None,
            Inner::Host(host) => Some(host),
        }
    }

    /// Removes the temporary files that killed processes left behind: on the host backend half-made and half-removed
    /// files and folders, on Podman the temporary files of its commands. Fast enough to call in every command.
    pub fn sweep(&self) {
        match &self.inner {
            Inner::Host(host) => host.sweep(),
            Inner::Engine(engine) if engine.kind() == Kind::Podman => engine::sweep_scratch(),
            Inner::Engine(_) => {}
        }
    }

    /// Returns the kind of this backend.
    pub fn kind(&self) -> Kind {
        match &self.inner {
            Inner::Engine(engine) => engine.kind(),
            Inner::Host(_) => Kind::Host,
        }
    }

    /// Returns the host name or address of the engine's machine, as given by `DOCKER_HOST`, `CONTAINER_HOST`, a context
    /// or a connection, or `None` if the engine is on this machine. Folders of this machine can't be mounted on a
    /// remote engine, and ports published on a remote engine's loopback address can't be reached from here. Does not
    /// contact the engine.
    ///
    ///  ```
    ///  // If no such variable is set:
    ///  # if std::env::var_os("CONTAINER_HOST").is_none() && std::env::var_os("CONTAINER_CONNECTION").is_none() {
    ///  assert_eq!(ociman::Backend::podman().remote_host(), None);
    ///  # }
    ///  ```
    pub fn remote_host(&self) -> Option<&str> {
        match &self.inner {
            Inner::Engine(engine) => engine.address().remote_host(),
            Inner::Host(_) => None,
        }
    }

    /// Returns the address at which ports published on the backend's machine are reached, which is loopback for this
    /// machine. May block while it looks up the name of a remote machine.
    ///
    /// # Errors
    /// Returns [`CommandError::NoAddress`] if the name of the remote machine can't be resolved.
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

    /// Returns `true` if root in a container is an ordinary user of the engine's machine, as far as that can be
    /// determined without contacting the engine.
    pub fn is_rootless(&self) -> bool {
        match &self.inner {
            Inner::Engine(engine) => engine.address().is_rootless(engine.kind()),
            Inner::Host(_) => false,
        }
    }

    /// Returns the environment variables that select this engine.
    pub fn selection(&self) -> Selection {
        match &self.inner {
            Inner::Engine(engine) => engine.address().selection.clone(),
            Inner::Host(_) => Selection::new(),
        }
    }

    /// Returns a backend for the engine of the same kind that `selection` selects, regardless of the environment.
    #[must_use]
    pub fn selected(&self, selection: &Selection) -> Self {
        match &self.inner {
            Inner::Engine(engine) => Self::engine(engine.selected(selection)),
            Inner::Host(_) => self.clone(),
        }
    }

    /// Queries the backend's version. This is the cheapest check that the backend answers.
    ///
    /// # Errors
    /// Returns [`CommandError::Unreachable`] if it does not answer.
    pub async fn version(&self) -> Result<Version, CommandError> {
        on_inner!(self, inner => inner.version().await)
    }

    /// Queries the engine's description of its own set-up. This is slow: don't call it as a step of another operation.
    ///
    /// # Errors
    /// Returns [`CommandError::Unsupported`] on the host backend, or another error if the backend fails.
    pub async fn engine_info(&self) -> Result<EngineInfo, CommandError> {
        match &self.inner {
            Inner::Engine(engine) => engine.info().await,
            Inner::Host(_) => Err(CommandError::Unsupported { backend: Kind::Host, operation: "tell of an engine" }),
        }
    }

    /// Runs a container until its process ends, on the caller's own standard streams (and on its terminal if `terminal`
    /// says so), and then removes the container.
    ///
    /// Runs one engine command and returns the process of that command. It ends with the exit status of the container's
    /// process, or with 125 if the engine refused to run it. The engine does not log the output. A caller that kills or
    /// drops the returned process must remove the container.
    ///
    /// # Errors
    /// Returns [`CommandError::Unsupported`] on the host backend, or another error if the engine's program can't be
    /// started.
    pub async fn run_attached(&self, spec: &RunSpec, terminal: Terminal) -> Result<Process, CommandError> {
        match &self.inner {
            Inner::Engine(engine) => engine.run_attached(spec, terminal).await,
            Inner::Host(_) => {
                Err(CommandError::Unsupported { backend: Kind::Host, operation: "run attached containers" })
            }
        }
    }

    /// Lists all containers, running or not, that match every filter. Each container comes with those of the requested
    /// `labels` that it has. Runs one engine command.
    ///
    /// # Errors
    /// Returns an error if the backend fails.
    pub async fn list(&self, filters: &[Filter], labels: &[Key]) -> Result<Vec<ContainerSummary>, CommandError> {
        on_inner!(self, inner => inner.list(filters, labels).await)
    }

    /// Returns the details of several containers in the order of `names`, with `None` for each one that does not exist.
    /// Runs one engine command.
    ///
    /// # Errors
    /// Returns an error if the backend fails.
    pub async fn inspect(&self, names: &[ContainerName]) -> Result<Vec<Option<ContainerInfo>>, CommandError> {
        on_inner!(self, inner => inner.inspect(names).await)
    }

    /// Returns the details of several images in the order of `images`, with `None` for each one that does not exist.
    /// Runs one engine command.
    ///
    /// # Errors
    /// Returns an error if the backend fails.
    pub async fn inspect_images(&self, images: &[Reference]) -> Result<Vec<Option<ImageInfo>>, CommandError> {
        on_inner!(self, inner => inner.inspect_images(images).await)
    }

    /// Lists all named images whose repository name (without tag) in canonical form starts with `prefix`. Runs one
    /// engine command.
    ///
    /// # Errors
    /// Returns an error if the backend fails.
    pub async fn images(&self, prefix: &str) -> Result<Vec<ImageSummary>, CommandError> {
        on_inner!(self, inner => inner.images(prefix).await)
    }

    /// Lists all named images of a repository. `repository` must be in canonical form; its tag and digest are ignored.
    /// Runs one engine command, which does not take longer if the engine has many other images.
    ///
    /// # Errors
    /// Returns an error if the backend fails.
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

    /// Lists the images that have a label but no name any more, because their name was given to another image. The host
    /// backend has none. Runs one engine command if there are none, otherwise two.
    ///
    /// # Errors
    /// Returns an error if the backend fails.
    pub async fn nameless_images(&self, label: &Key) -> Result<Vec<ImageInfo>, CommandError> {
        match &self.inner {
            Inner::Engine(engine) => engine.nameless_images(label).await,
            Inner::Host(_) => Ok(Vec::new()),
        }
    }

    /// Removes an image without a name by its ID.
    ///
    /// # Errors
    /// Returns [`CommandError::ImageNotFound`], [`CommandError::ImageInUse`], or another error if the backend fails.
    pub async fn remove_nameless_image(&self, id: &str) -> Result<(), CommandError> {
        match &self.inner {
            Inner::Engine(engine) => engine.remove_nameless_image(id).await,
            Inner::Host(_) => Err(CommandError::ImageNotFound { image: id.to_owned() }),
        }
    }

    /// Adds a name to an image.
    ///
    /// # Errors
    /// Returns [`CommandError::ImageNotFound`], or another error if the backend fails.
    pub async fn tag(&self, image: &Reference, name: &Reference) -> Result<(), CommandError> {
        on_inner!(self, inner => inner.tag(image, name).await)
    }

    /// Removes a name from an image, and the image itself if that was its last name.
    ///
    /// # Errors
    /// Returns [`CommandError::ImageNotFound`], [`CommandError::ImageInUse`], or another error if the backend fails.
    pub async fn remove_image(&self, image: &Reference) -> Result<(), CommandError> {
        on_inner!(self, inner => inner.remove_image(image).await)
    }

    /// Pulls an image from its registry.
    ///
    /// # Errors
    /// Returns [`CommandError::ImageNotFound`] if the registry does not have the image, [`CommandError::Unsupported`]
    /// on the host backend, or another error if the backend fails.
    pub async fn pull(&self, image: &Reference) -> Result<(), CommandError> {
        match &self.inner {
            Inner::Engine(engine) => engine.pull(image).await,
            Inner::Host(_) => Err(CommandError::Unsupported { backend: Kind::Host, operation: "pull images" }),
        }
    }

    /// Pushes an image to the registry in its name.
    ///
    /// # Errors
    /// Returns [`CommandError::ImageNotFound`] if the backend has no image with that name,
    /// [`CommandError::Unsupported`] on the host backend, or another error if the backend fails.
    pub async fn push(&self, image: &Reference) -> Result<(), CommandError> {
        match &self.inner {
            Inner::Engine(engine) => engine.push(image).await,
            Inner::Host(_) => Err(CommandError::Unsupported { backend: Kind::Host, operation: "push images" }),
        }
    }
}
