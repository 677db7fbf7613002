//! [`Container`]: a handle to one container of a backend, identified by name.

use std::net::SocketAddr;
use std::time::Duration;

use crate::backend::{ContainerListWithNameError, on_inner};
use crate::command::{ExitStatus, Output, Process};
use crate::label::{ContainerError, Filter, Labels};
use crate::spec::Removal;
use crate::{Backend, CommandError, CommitSpec, ContainerInfo, ContainerName, ContainerSummary, ExecSpec, RunSpec};

/// A handle to one container of a backend. The handle does not own the container: dropping it changes nothing.
#[derive(Debug, Clone)]
pub struct Container {
    backend: Backend,
    name: ContainerName,
}

impl Container {
    /// Returns the container's name.
    pub fn name(&self) -> &ContainerName {
        &self.name
    }

    /// Returns the backend of the container.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Returns the container's details.
    ///
    /// # Errors
    /// Returns [`CommandError::ContainerNotFound`], or another error if the backend fails.
    pub async fn inspect(&self) -> Result<ContainerInfo, CommandError> {
        let found = self.backend.inspect(std::slice::from_ref(&self.name)).await?;
        found
            .into_iter()
            .flatten()
            .next()
            .ok_or_else(|| CommandError::ContainerNotFound { container: self.name.to_string() })
    }

    /// Returns the address at which a port of the container is reached from outside, or `None` if the port is not
    /// published.
    ///
    /// # Errors
    /// Returns the same errors as [`Container::inspect`].
    pub async fn published_port(&self, port: u16) -> Result<Option<SocketAddr>, CommandError> {
        let info = self.inspect().await?;
        Ok(info.ports.iter().find(|binding| binding.container == port).map(|binding| binding.published))
    }

    /// Runs a command in the container until it ends, with `input` on its standard input, and captures standard output
    /// and standard error. If the program does not exist, the exit status is 126 or 127, depending on the engine.
    ///
    /// # Errors
    /// Returns [`CommandError::ContainerNotFound`], [`CommandError::ContainerNotRunning`], or another error if the
    /// backend fails.
    pub async fn exec(&self, spec: &ExecSpec, input: &[u8]) -> Result<Output, CommandError> {
        on_inner!(self.backend, inner => inner.exec(&self.name, spec, input).await)
    }

    /// Starts a command in the container, with a pipe for each of its three standard streams.
    ///
    /// # Errors
    /// Returns an error only if the command can't be started at all. If the engine refuses to run it, the exit status
    /// says so.
    pub async fn exec_streamed(&self, spec: &ExecSpec) -> Result<Process, CommandError> {
        on_inner!(self.backend, inner => inner.exec_streamed(&self.name, spec).await)
    }

    /// Starts a command in the container on the caller's own standard streams, and on the caller's terminal if the spec
    /// asks for it.
    ///
    /// # Errors
    /// Returns the same errors as [`Container::exec_streamed`].
    pub async fn attach(&self, spec: &ExecSpec) -> Result<Process, CommandError> {
        on_inner!(self.backend, inner => inner.attach(&self.name, spec).await)
    }

    /// Starts the container again after it was stopped.
    ///
    /// # Errors
    /// Returns [`CommandError::ContainerNotFound`], or another error if the backend fails.
    pub async fn start(&self) -> Result<(), CommandError> {
        on_inner!(self.backend, inner => inner.start(&self.name).await)
    }

    /// Sends the stop signal to the container's process, and kills the process if it has not ended within `limit`. Does
    /// nothing if the container is already stopped.
    ///
    /// # Errors
    /// Returns [`CommandError::ContainerNotFound`], or another error if the backend fails.
    pub async fn stop(&self, limit: Duration) -> Result<(), CommandError> {
        on_inner!(self.backend, inner => inner.stop(&self.name, limit).await)
    }

    /// Waits until the container's process has ended, and returns its exit status.
    ///
    /// # Errors
    /// Returns [`CommandError::ContainerNotFound`], or another error if the backend fails.
    pub async fn wait(&self) -> Result<ExitStatus, CommandError> {
        on_inner!(self.backend, inner => inner.wait(&self.name).await)
    }

    /// Removes the container if it is not running.
    ///
    /// # Errors
    /// Returns [`CommandError::ContainerNotFound`], or another error if the container is running or the backend fails.
    pub async fn remove(&self) -> Result<(), CommandError> {
        on_inner!(self.backend, inner => inner.remove(&self.name, Removal::Stopped).await)
    }

    /// Queries the container's labels from the backend.
    ///
    /// # Errors
    /// Returns [`ContainerError`] if the container can't be inspected.
    pub async fn labels(&self) -> Result<Labels, ContainerError> {
        Ok(self.inspect().await?.labels)
    }

    /// Kills the container and removes it together with its anonymous volumes. Does nothing if the container does not
    /// exist.
    ///
    /// # Errors
    /// Returns an error if the backend fails.
    pub async fn remove_force(&mut self) -> Result<(), CommandError> {
        on_inner!(self.backend, inner => inner.remove(&self.name, Removal::Forced).await)
    }

    /// Like [`Container::remove_force`], but only removes the container that has this ID. A newer container with the
    /// same name is kept.
    ///
    /// # Errors
    /// Returns an error if the backend fails.
    pub async fn remove_force_if(&self, id: &str) -> Result<(), CommandError> {
        on_inner!(self.backend, inner => inner.remove_force_if(&self.name, id).await)
    }

    /// Renames the container, running or not, and returns a handle with the new name.
    ///
    /// # Errors
    /// Returns [`CommandError::ContainerNotFound`], [`CommandError::NameTaken`], or another error if the backend fails.
    pub async fn rename(&self, to: &ContainerName) -> Result<Self, CommandError> {
        on_inner!(self.backend, inner => inner.rename(&self.name, to).await)?;
        Ok(self.backend.container(to.clone()))
    }

    /// Returns the last `count` lines that the container's process printed on both output streams, oldest first.
    ///
    /// # Errors
    /// Returns [`CommandError::ContainerNotFound`], or another error if the backend fails.
    pub async fn last_log_lines(&self, count: usize) -> Result<String, CommandError> {
        on_inner!(self.backend, inner => inner.last_log_lines(&self.name, count).await)
    }

    /// Creates an image from the container's files as they are. Engines pause the container's processes meanwhile; the
    /// host backend stops them and leaves them stopped.
    ///
    /// # Errors
    /// Returns [`CommandError::ContainerNotFound`], or another error if the backend fails.
    pub async fn commit(&self, spec: &CommitSpec) -> Result<(), CommandError> {
        on_inner!(self.backend, inner => inner.commit(&self.name, spec).await)
    }
}

impl Backend {
    /// Returns a handle to the container with this name. Does not check whether the container exists.
    pub fn container(&self, name: ContainerName) -> Container {
        Container { backend: self.clone(), name }
    }

    /// Creates and starts a container, and returns once its process has been started.
    ///
    /// # Errors
    /// Returns [`CommandError::NameTaken`], [`CommandError::ImageNotFound`], [`CommandError::PortTaken`], or another
    /// error if the backend fails. If it returns an error, no container is left behind.
    pub async fn run(&self, spec: &RunSpec) -> Result<Container, CommandError> {
        on_inner!(self, inner => inner.run(spec).await)?;
        Ok(self.container(spec.name.clone()))
    }

    /// Lists all containers, running or not, that match every filter, together with their names. Runs one engine
    /// command.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use ociman::Backend;
    /// use ociman::label::{Filter, Key};
    ///
    /// const TEAM: Key = Key::from_static("com.example.team");
    ///
    /// for (container, name) in Backend::podman().container_list_with_name([Filter::key_only(&TEAM)]).await? {
    ///     println!("{name}: {:?}", container.labels().await?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns [`ContainerListWithNameError`] if the backend fails, or if the name of a container is not a valid
    /// [`ContainerName`].
    pub async fn container_list_with_name(
        &self,
        filters: impl IntoIterator<Item = Filter>,
    ) -> Result<Vec<(Container, ContainerName)>, ContainerListWithNameError> {
        let filters: Vec<Filter> = filters.into_iter().collect();
        let named = |container: ContainerSummary| {
            let name = container.name.parse::<ContainerName>();
            let name = name.map_err(|source| ContainerListWithNameError::Name { name: container.name, source })?;
            Ok((self.container(name.clone()), name))
        };
        self.list(&filters, &[]).await?.into_iter().map(named).collect()
    }
}
