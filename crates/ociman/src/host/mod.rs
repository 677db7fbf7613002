//! The host backend: does with folders and processes of this machine what an engine does for containers. An image is
//! a folder of files with a configuration, a container is a process with a copy of such a folder; nothing separates
//! the two from the rest of the machine. What the programs are it does not know.
//!
//! # State
//! Everything is in one folder, closed to other users:
//! ```text
//! images/<id>/{config.json, root/}             an image
//! names/<domain>/<path>/:<tag>                 a name of an image: a link to its identifier
//! containers/<name>/{config.json, process, log}
//! slots/<image id>/<slot>/{root/, manifest, state}
//! ```
//! The files that a container works on are in a *slot*: a copy of its image's files that is kept after use and put back
//! to what the image holds, in place. All processes of a container inherit the slot's root as an open folder with a
//! lock on it, so the slot is free exactly when the last of them has gone, whoever they are.
//!
//! # What is different from engines
//! - A published port is the port that the process itself listens on; the caller has to make it do so.
//! - Bind mounts are refused. A tmpfs, the network and the size of shared memory have no effect.
//! - Processes get a small environment: `PATH` and `TZ` of the caller, `HOME=/`, and what image and caller set. The
//!   container's root folder is in `OCIMAN_ROOT`.
//! - Secret variables are nowhere written down, so a container that is started again does not get them again.
//! - [`crate::Container::commit`] stops the container and leaves it stopped.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use etcetera::BaseStrategy;
use tokio::sync::oneshot;

use crate::command::{Executor, ExitStatus, Output, Process, Stream};
use crate::label::{Filter, Key};
use crate::spec::Removal;
use crate::{
    CommandError, CommitSpec, ContainerInfo, ContainerName, ContainerSummary, ExecSpec, ImageInfo, ImageSummary,
    Reference, RunSpec, System, Version, blocking,
};

mod commit;
mod end;
mod environment;
mod exec;
mod folder;
#[cfg(target_os = "linux")]
mod freeze;
mod lockable;
mod process;
mod report;
mod run;
mod store;
mod tree;
mod wait;

pub use crate::error::HostError;
pub use crate::files::leftovers::{count_leftovers, sweep, temporary};
pub use crate::process::{ProcessIdentity, boot_id};
pub use process::shared_memory::remove as remove_shared_memory;
pub use process::signal::parse as parse_signal;
pub use process::user::{find_user, name_of_user};
pub use store::image::{HostImageConfig, RunAs};
pub use store::slot::{SlotInfo, SlotLimits};

use folder::StateFolder;
use store::{Stores, log};

/// Runs containers as plain processes of this machine. Cheap to clone.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use ociman::host::{Host, HostImageConfig};
/// use ociman::{Backend, ExecSpec, RunSpec};
///
/// let state = tempfile::tempdir()?;
/// let host = Host::at(state.path());
/// let image = "example.org/demo:1".parse()?;
/// host.create_image(&image, HostImageConfig::new(["sleep", "60"]), |root| std::fs::write(root.join("data"), "42")).await?;
///
/// let mut container = Backend::host(host).run(&RunSpec::new("demo".parse()?, image)).await?;
/// let output = container.exec(&ExecSpec::new(["sh", "-c", "cat $OCIMAN_ROOT/data"]), b"").await?;
/// assert_eq!(output.stdout, b"42");
/// container.remove_force().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Host {
    stores: Stores,
    executor: Arc<dyn Executor>,
}

impl Host {
    /// With its state in this folder, which is made when it is needed.
    pub fn at(state: impl Into<PathBuf>) -> Self {
        Self { stores: Stores::new(StateFolder::new(state.into()), SlotLimits::default()), executor: Arc::new(System) }
    }

    /// With its state in the user's own state folder, `$XDG_STATE_HOME/ociman` or `~/.local/state/ociman`.
    ///
    /// # Errors
    /// [`HostError::NoHome`].
    pub fn for_user() -> Result<Self, HostError> {
        let strategy = etcetera::base_strategy::Xdg::new().map_err(|_| HostError::NoHome)?;
        let state = strategy.state_dir().ok_or(HostError::NoHome)?;
        Ok(Self::at(state.join("ociman")))
    }

    /// With another way to execute the commands of [`crate::Container::exec`].
    #[must_use]
    pub fn with_executor(mut self, executor: Arc<dyn Executor>) -> Self {
        self.executor = executor;
        self
    }

    /// With other limits to what is kept for reuse.
    #[must_use]
    pub fn with_slot_limits(mut self, limits: SlotLimits) -> Self {
        self.stores = Stores::new(self.stores.state, limits);
        self
    }

    /// The folder with the state.
    pub fn state_folder(&self) -> &Path {
        self.stores.state.path()
    }

    /// The root folder of a container, where its files are as long as it exists.
    ///
    /// # Errors
    /// [`CommandError::ContainerNotFound`] and [`CommandError::Host`].
    pub async fn root_folder(&self, name: &ContainerName) -> Result<PathBuf, CommandError> {
        let name = name.clone();
        self.blocking(move |stores| Ok(stores.containers.find(&name)?.root_path())).await
    }

    /// Removes what killed processes left half made or half removed. Cheap enough for every command.
    pub fn sweep(&self) {
        self.stores.state.sweep();
    }

    /// How many files and folders [`Host::sweep`] would remove. Changes nothing.
    #[must_use]
    pub fn leftovers(&self) -> usize {
        self.stores.state.leftovers()
    }

    /// Makes an image of what `fill` puts into the folder it is given; an image that has the name loses it. There is
    /// never half an image. As root, with [`RunAs::User`], the files are given to that user.
    ///
    /// # Errors
    /// [`CommandError::Host`], also for an error of `fill`.
    pub async fn create_image(
        &self,
        name: &Reference,
        config: HostImageConfig,
        fill: impl FnOnce(&Path) -> io::Result<()> + Send + 'static,
    ) -> Result<(), CommandError> {
        let name = name.clone();
        self.blocking(move |stores| Ok(commit::create_image(stores, &name, &config, fill)?)).await
    }

    /// As [`crate::Container::commit`], but the files of the container move into the image, which takes no time, and
    /// the container is removed.
    ///
    /// # Errors
    /// [`CommandError::ContainerNotFound`], and [`HostError::StillRunning`] when the container does not stop.
    pub async fn commit_by_move(&self, name: &ContainerName, spec: &CommitSpec) -> Result<(), CommandError> {
        let (name, spec) = (name.clone(), spec.clone());
        self.blocking(move |stores| commit::commit_by_move(stores, &name, &spec)).await
    }

    /// As [`crate::Container::commit`], but the container goes on running: its processes stand still while its files are
    /// copied, as if the machine had crashed at that moment. `left_out` names files, and folders whose content, is of the
    /// running processes alone; paths start from the root. Should this process be killed meanwhile, they go on by themselves. Linux only.
    ///
    /// # Errors
    /// [`CommandError::ContainerNotFound`], [`CommandError::ContainerNotRunning`], [`HostError::Restless`] when a process can't be
    /// stopped, and [`CommandError::Unsupported`] on other systems.
    pub async fn commit_live(
        &self,
        name: &ContainerName,
        spec: &CommitSpec,
        left_out: &'static [&'static str],
    ) -> Result<(), CommandError> {
        let (name, spec) = (name.clone(), spec.clone());
        self.blocking(move |stores| commit::commit_live(stores, &name, &spec, left_out)).await
    }

    /// All copies of images that are kept for reuse or in use.
    ///
    /// # Errors
    /// [`CommandError::Host`].
    pub async fn slots(&self) -> Result<Vec<SlotInfo>, CommandError> {
        self.blocking(|stores| Ok(stores.slots.list())).await
    }

    /// Removes copies of images that no container has: all those of images that are gone, and of the others those that
    /// `choose` says. Also removes what calls that were killed have left half made. Returns the copies that went.
    ///
    /// # Errors
    /// [`CommandError::Host`].
    pub async fn prune_slots(
        &self,
        choose: impl FnMut(&SlotInfo) -> bool + Send + 'static,
    ) -> Result<Vec<SlotInfo>, CommandError> {
        self.blocking(move |stores| {
            stores.sweep()?;
            Ok(stores.slots.prune(choose)?)
        })
        .await
    }

    pub(crate) async fn version(&self) -> Result<Version, CommandError> {
        self.blocking(|_| Ok(Version { client: env!("CARGO_PKG_VERSION").to_owned(), server: None })).await
    }

    pub(crate) async fn run(&self, spec: &RunSpec) -> Result<(), CommandError> {
        let (stores, spec) = (self.stores.clone(), spec.clone());
        let (started, answer) = oneshot::channel();
        blocking::start(move || {
            let result = stores.state.ensure().map_err(CommandError::from).and_then(|()| run::run(&stores, &spec));
            // When nobody waits any more the container is dropped here, and with that removed.
            drop(started.send(result));
        })
        .map_err(background)?;
        answer.await.map_err(background)??.keep();
        Ok(())
    }

    pub(crate) async fn list(&self, filters: &[Filter], labels: &[Key]) -> Result<Vec<ContainerSummary>, CommandError> {
        let (filters, labels) = (filters.to_vec(), labels.to_vec());
        self.blocking(move |stores| {
            let containers = stores.containers.list()?;
            let matching =
                containers.iter().filter(|found| filters.iter().all(|filter| filter.matches(&found.record.labels)));
            Ok(matching.map(|found| report::summary(found, &labels)).collect())
        })
        .await
    }

    pub(crate) async fn inspect(&self, names: &[ContainerName]) -> Result<Vec<Option<ContainerInfo>>, CommandError> {
        let names = names.to_vec();
        self.blocking(move |stores| {
            let inspect = |name: &ContainerName| match wait::settled(&stores.containers, name) {
                Ok(container) => Ok(Some(report::container(&container, name.clone()))),
                Err(CommandError::ContainerNotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            };
            names.iter().map(inspect).collect()
        })
        .await
    }

    pub(crate) async fn inspect_images(&self, images: &[Reference]) -> Result<Vec<Option<ImageInfo>>, CommandError> {
        let images = images.to_vec();
        self.blocking(move |stores| {
            let names = stores.images.names();
            let inspect = |reference: &Reference| match stores.images.find(reference) {
                Ok(image) => Ok(Some(report::image(image, &names))),
                Err(CommandError::ImageNotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            };
            images.iter().map(inspect).collect()
        })
        .await
    }

    pub(crate) async fn images(&self, prefix: &str) -> Result<Vec<ImageSummary>, CommandError> {
        let prefix = prefix.to_owned();
        self.blocking(move |stores| {
            let names = stores.images.names().into_iter();
            let matching = names.filter(|(reference, _)| reference.name().starts_with(&prefix));
            Ok(matching.map(|(reference, id)| ImageSummary { id, reference }).collect())
        })
        .await
    }

    pub(crate) async fn tag(&self, image: &Reference, name: &Reference) -> Result<(), CommandError> {
        let (image, name) = (image.clone(), name.clone());
        self.blocking(move |stores| {
            if let Some(replaced) = stores.images.tag(&image, &name)? {
                stores.slots.forget_image(&replaced)?;
            }
            Ok(())
        })
        .await
    }

    pub(crate) async fn remove_image(&self, image: &Reference) -> Result<(), CommandError> {
        let image = image.clone();
        self.blocking(move |stores| {
            let may_go =
                |id: &str| match stores.containers.list()?.iter().any(|container| container.record.image_id == id) {
                    true => Err(CommandError::ImageInUse { image: image.to_string() }),
                    false => Ok(()),
                };
            if let Some(removed) = stores.images.remove(&image, may_go)? {
                stores.slots.forget_image(&removed)?;
            }
            Ok(())
        })
        .await
    }

    pub(crate) async fn start(&self, name: &ContainerName) -> Result<(), CommandError> {
        let name = name.clone();
        self.blocking(move |stores| run::start(stores, &name)).await
    }

    pub(crate) async fn stop(&self, name: &ContainerName, limit: Duration) -> Result<(), CommandError> {
        let name = name.clone();
        self.blocking(move |stores| end::stop(stores, &name, limit)).await
    }

    pub(crate) async fn wait(&self, name: &ContainerName) -> Result<ExitStatus, CommandError> {
        wait::for_exit(&self.stores.containers, name).await
    }

    pub(crate) async fn remove(&self, name: &ContainerName, how: Removal) -> Result<(), CommandError> {
        let name = name.clone();
        self.blocking(move |stores| match how {
            Removal::Stopped => end::remove_stopped(stores, &name),
            Removal::Forced => end::remove_force(stores, &name),
        })
        .await
    }

    pub(crate) async fn remove_force_if(&self, name: &ContainerName, id: &str) -> Result<(), CommandError> {
        let (name, id) = (name.clone(), id.to_owned());
        self.blocking(move |stores| end::remove_if(stores, &name, &id)).await
    }

    pub(crate) async fn rename(&self, name: &ContainerName, to: &ContainerName) -> Result<(), CommandError> {
        let (name, to) = (name.clone(), to.clone());
        self.blocking(move |stores| stores.containers.rename(&name, &to)).await
    }

    pub(crate) async fn exec(
        &self,
        name: &ContainerName,
        spec: &ExecSpec,
        input: &[u8],
    ) -> Result<Output, CommandError> {
        let line = exec::command_line(&self.stores.containers.find(name)?, spec)?;
        match self.executor.capture(line.clone(), input).await {
            Ok(output) => Ok(output),
            Err(error) => {
                let (status, message) = exec::not_started(error, &line)?;
                Ok(Output { status, stdout: Vec::new(), stderr: message.into_bytes() })
            }
        }
    }

    pub(crate) async fn exec_streamed(&self, name: &ContainerName, spec: &ExecSpec) -> Result<Process, CommandError> {
        let line = exec::command_line(&self.stores.containers.find(name)?, spec)?;
        self.spawn(line.streams(Stream::Piped, Stream::Piped, Stream::Piped)).await
    }

    pub(crate) async fn attach(&self, name: &ContainerName, spec: &ExecSpec) -> Result<Process, CommandError> {
        self.spawn(exec::attached(&self.stores.containers.find(name)?, spec)?).await
    }

    pub(crate) async fn last_log_lines(&self, name: &ContainerName, count: usize) -> Result<String, CommandError> {
        let path = self.stores.containers.find(name)?.log_path();
        self.blocking(move |_| Ok(log::last_lines(&path, count).map_err(HostError::file("read log", &path))?)).await
    }

    pub(crate) async fn commit(&self, name: &ContainerName, spec: &CommitSpec) -> Result<(), CommandError> {
        let (name, spec) = (name.clone(), spec.clone());
        self.blocking(move |stores| commit::commit(stores, &name, &spec)).await
    }

    async fn spawn(&self, line: crate::command::CommandLine) -> Result<Process, CommandError> {
        match self.executor.spawn(line.clone()).await {
            Ok(process) => Ok(process),
            Err(error) => {
                let (status, message) = exec::not_started(error, &line)?;
                Ok(exec::ended_process(status, message))
            }
        }
    }

    /// Does work on files and processes where it holds up nobody. It is done to its end, also when nobody waits for it
    /// any more, so that nothing stays half done.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Stores) -> Result<T, CommandError> + Send + 'static,
    ) -> Result<T, CommandError> {
        let stores = self.stores.clone();
        let work = move || {
            stores.state.ensure()?;
            work(&stores)
        };
        blocking::run(work).await.map_err(background)?
    }
}

fn background(error: impl std::error::Error + Send + Sync + 'static) -> CommandError {
    HostError::Background { source: io::Error::other(error) }.into()
}
