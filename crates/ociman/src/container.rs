//! [`Container`]: a handle on one container of a backend, by name.

use std::net::SocketAddr;
use std::time::Duration;

use crate::backend::{ContainerListWithNameError, on_inner};
use crate::command::{ExitStatus, Output, Process};
use crate::label::{ContainerError, Filter, Labels};
use crate::spec::Removal;
use crate::{Backend, CommandError, CommitSpec, ContainerInfo, ContainerName, ContainerSummary, ExecSpec, RunSpec};

/// One container of a backend. The handle does not own it: dropping it changes nothing.
#[derive(Debug, Clone)]
pub struct Container {
    backend: Backend,
    name: ContainerName,
}

impl Container {
    /// Its name.
    pub fn name(&self) -> &ContainerName {
        &self.name
    }

    /// The backend it is on.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// What there is to know of it.
    ///
    /// # Errors
    /// [`CommandError::ContainerNotFound`] and the general ones.
    pub async fn inspect(&self) -> Result<ContainerInfo, CommandError> {
        let found = self.backend.inspect(std::slice::from_ref(&self.name)).await?;
        found
            .into_iter()
            .flatten()
            .next()
            .ok_or_else(|| CommandError::ContainerNotFound { container: self.name.to_string() })
    }

    /// Where a port of it is reached from outside; `None` when the port is not published.
    ///
    /// # Errors
    /// As [`Container::inspect`].
    pub async fn published_port(&self, port: u16) -> Result<Option<SocketAddr>, CommandError> {
        let info = self.inspect().await?;
        Ok(info.ports.iter().find(|binding| binding.container == port).map(|binding| binding.published))
    }

    /// Runs a command inside it to its end, with `input` on standard input, and captures both outputs. A program that
    /// is not there ends with status 126 or 127, as the engine has it.
    ///
    /// # Errors
    /// [`CommandError::ContainerNotFound`], [`CommandError::ContainerNotRunning`] and the general ones.
    pub async fn exec(&self, spec: &ExecSpec, input: &[u8]) -> Result<Output, CommandError> {
        on_inner!(self.backend, inner => inner.exec(&self.name, spec, input).await)
    }

    /// Starts a command inside it, with all three streams as pipes.
    ///
    /// # Errors
    /// Only what stops the command from being started at all; an engine that refuses says so by the exit status.
    pub async fn exec_streamed(&self, spec: &ExecSpec) -> Result<Process, CommandError> {
        on_inner!(self.backend, inner => inner.exec_streamed(&self.name, spec).await)
    }

    /// Starts a command inside it on the caller's own standard streams, and on its terminal when the spec says so.
    ///
    /// # Errors
    /// As [`Container::exec_streamed`].
    pub async fn attach(&self, spec: &ExecSpec) -> Result<Process, CommandError> {
        on_inner!(self.backend, inner => inner.attach(&self.name, spec).await)
    }

    /// Starts it again after a stop.
    ///
    /// # Errors
    /// [`CommandError::ContainerNotFound`] and the general ones.
    pub async fn start(&self) -> Result<(), CommandError> {
        on_inner!(self.backend, inner => inner.start(&self.name).await)
    }

    /// Asks its process to end by the stop signal, and kills it after `limit`. One that has stopped is no error.
    ///
    /// # Errors
    /// [`CommandError::ContainerNotFound`] and the general ones.
    pub async fn stop(&self, limit: Duration) -> Result<(), CommandError> {
        on_inner!(self.backend, inner => inner.stop(&self.name, limit).await)
    }

    /// Waits until its process has ended.
    ///
    /// # Errors
    /// [`CommandError::ContainerNotFound`] and the general ones.
    pub async fn wait(&self) -> Result<ExitStatus, CommandError> {
        on_inner!(self.backend, inner => inner.wait(&self.name).await)
    }

    /// Removes it when it does not run.
    ///
    /// # Errors
    /// [`CommandError::ContainerNotFound`], and an engine's error when it runs.
    pub async fn remove(&self) -> Result<(), CommandError> {
        on_inner!(self.backend, inner => inner.remove(&self.name, Removal::Stopped).await)
    }

    /// Its labels, asked of the backend.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub async fn labels(&self) -> Result<Labels, ContainerError> {
        Ok(self.inspect().await?.labels)
    }

    /// Kills and removes it with its anonymous volumes. One that is not there is no error.
    ///
    /// # Errors
    /// The general ones.
    pub async fn remove_force(&mut self) -> Result<(), CommandError> {
        on_inner!(self.backend, inner => inner.remove(&self.name, Removal::Forced).await)
    }

    /// As [`Container::remove_force`], but only the container with this identifier is removed. One that has got the name
    /// since then stays.
    ///
    /// # Errors
    /// The general ones.
    pub async fn remove_force_if(&self, id: &str) -> Result<(), CommandError> {
        on_inner!(self.backend, inner => inner.remove_force_if(&self.name, id).await)
    }

    /// Gives it another name, running or not, and returns the handle for that.
    ///
    /// # Errors
    /// [`CommandError::ContainerNotFound`], [`CommandError::NameTaken`] and the general ones.
    pub async fn rename(&self, to: &ContainerName) -> Result<Self, CommandError> {
        on_inner!(self.backend, inner => inner.rename(&self.name, to).await)?;
        Ok(self.backend.container(to.clone()))
    }

    /// The last lines of what its process printed, both streams, oldest first.
    ///
    /// # Errors
    /// [`CommandError::ContainerNotFound`] and the general ones.
    pub async fn last_log_lines(&self, count: usize) -> Result<String, CommandError> {
        on_inner!(self.backend, inner => inner.last_log_lines(&self.name, count).await)
    }

    /// Makes an image of its files as they are. Engines freeze its processes for that moment; the host backend stops
    /// them and leaves them stopped.
    ///
    /// # Errors
    /// [`CommandError::ContainerNotFound`] and the general ones.
    pub async fn commit(&self, spec: &CommitSpec) -> Result<(), CommandError> {
        on_inner!(self.backend, inner => inner.commit(&self.name, spec).await)
    }
}

impl Backend {
    /// A handle for a container of this name; whether there is one is not asked.
    pub fn container(&self, name: ContainerName) -> Container {
        Container { backend: self.clone(), name }
    }

    /// Makes and starts a container and returns once its process has been started.
    ///
    /// # Errors
    /// [`CommandError::NameTaken`], [`CommandError::ImageNotFound`], [`CommandError::PortTaken`], and every general one. Nothing is left
    /// behind then.
    pub async fn run(&self, spec: &RunSpec) -> Result<Container, CommandError> {
        on_inner!(self, inner => inner.run(spec).await)?;
        Ok(self.container(spec.name.clone()))
    }

    /// All containers, running or not, that match every filter, with their names. One engine command.
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
    /// [`ContainerListWithNameError`].
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
