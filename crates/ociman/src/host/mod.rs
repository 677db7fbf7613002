//! The host backend: does with folders and processes of this machine what an engine does with containers. An image is a
//! folder of files with a configuration, and a container is a process with a copy of such a folder. Nothing isolates
//! the container from the rest of the machine. The backend does not depend on which programs it runs.
//!
//! # State
//! Everything is in one folder that other users can't access:
//! ```text
//! images/<id>/{config.json, root/}             an image
//!  names/<domain>/<path>/:<tag>                 a name of an image: a link to its ID
//! containers/<name>/{config.json, process, log}
//! slots/<image id>/<slot>/{root/, manifest, state}
//! ```
//! The files of a container are in a *slot*: a copy of its image's files, which is kept after use and reset in place to
//! the content of the image. All processes of a container inherit the slot's root as an open folder with a lock on it.
//! So the slot is free exactly when the last of these processes has ended, wherever it is in the process tree.
//!
//! # Differences from engines
//! - A published port is the port that the process itself listens on; the caller must make the process do so.
//! - Bind mounts are refused. A tmpfs, the network and the size of shared memory have no effect.
//! - Processes get a small environment: `PATH` and `TZ` of the caller, `HOME=/`, and the variables that the image and
//!   the caller set. `OCIMAN_ROOT` is the container's root folder.
//! - Secret variables are not stored, so a container that is started again does not get them again.
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

/// The host backend: runs containers as plain processes of this machine. Cheap to clone.
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
    /// Creates a host backend with its state in this folder, which is created when it is needed.
    pub fn at(state: impl Into<PathBuf>) -> Self {
        Self { stores: Stores::new(StateFolder::new(state.into()), SlotLimits::default()), executor: Arc::new(System) }
    }

    /// Creates a host backend with its state in the user's own state folder, `$XDG_STATE_HOME/ociman` or
    /// `~/.local/state/ociman`.
    ///
    /// # Errors
    /// Returns [`HostError::NoHome`] if the user has no home directory.
    pub fn for_user() -> Result<Self, HostError> {
        let strategy = etcetera::base_strategy::Xdg::new().map_err(|_| HostError::NoHome)?;
        let state = strategy.state_dir().ok_or(HostError::NoHome)?;
        Ok(Self::at(state.join("ociman")))
    }

    /// Sets the executor of the commands of [`crate::Container::exec`].
    #[must_use]
    pub fn with_executor(mut self, executor: Arc<dyn Executor>) -> Self {
        self.executor = executor;
        self
    }

    /// Sets the limits on what is kept for reuse.
    #[must_use]
    pub fn with_slot_limits(mut self, limits: SlotLimits) -> Self {
        self.stores = Stores::new(self.stores.state, limits);
        self
    }

    /// Returns the folder with the state.
    pub fn state_folder(&self) -> &Path {
        self.stores.state.path()
    }

    /// Returns the root folder of a container, which holds its files as long as the container exists.
    ///
    /// # Errors
    /// Returns [`CommandError::ContainerNotFound`], or [`CommandError::Host`] if the state can't be read.
    pub async fn root_folder(&self, name: &ContainerName) -> Result<PathBuf, CommandError> {
        let name = name.clone();
        self.blocking(move |stores| Ok(stores.containers.find(&name)?.root_path())).await
    }

    /// Removes the half-made and half-removed files and folders that killed processes left behind. Fast enough to call
    /// in every command.
    pub fn sweep(&self) {
        self.stores.state.sweep();
    }

    /// Returns how many files and folders [`Host::sweep`] would remove. Changes nothing.
    #[must_use]
    pub fn leftovers(&self) -> usize {
        self.stores.state.leftovers()
    }

    /// Creates an image from what `fill` puts into the folder that it is given. An existing image with this name loses
    /// it. An incomplete image is never visible. As root, with [`RunAs::User`], the files are given to that user.
    ///
    /// # Errors
    /// Returns [`CommandError::Host`] if `fill` or the backend itself fails.
    pub async fn create_image(
        &self,
        name: &Reference,
        config: HostImageConfig,
        fill: impl FnOnce(&Path) -> io::Result<()> + Send + 'static,
    ) -> Result<(), CommandError> {
        let name = name.clone();
        self.blocking(move |stores| Ok(commit::create_image(stores, &name, &config, fill)?)).await
    }

    /// Like [`crate::Container::commit`], but the container keeps running. Its processes are paused while its files are
    /// copied, so the image looks as if the machine had crashed at that moment.
    ///
    /// `left_out` lists paths, relative to the root, that only the running processes need: the image contains neither
    /// these files nor the content of these folders. If the calling process is killed meanwhile, the container's
    /// processes continue by themselves. Works on Linux only.
    ///
    /// # Errors
    /// Returns [`CommandError::ContainerNotFound`], [`CommandError::ContainerNotRunning`], [`HostError::CanNotPause`] if a
    /// process can't be paused, [`CommandError::Unsupported`] on systems other than Linux, or another error if the
    /// backend fails.
    pub async fn commit_live(
        &self,
        name: &ContainerName,
        spec: &CommitSpec,
        left_out: &'static [&'static str],
    ) -> Result<(), CommandError> {
        let (name, spec) = (name.clone(), spec.clone());
        self.blocking(move |stores| commit::commit_live(stores, &name, &spec, left_out)).await
    }

    /// Returns all copies of images that are in use or kept for reuse.
    ///
    /// # Errors
    /// Returns [`CommandError::Host`] if the backend fails.
    pub async fn slots(&self) -> Result<Vec<SlotInfo>, CommandError> {
        self.blocking(|stores| Ok(stores.slots.list())).await
    }

    /// Removes copies of images that no container uses: all copies of images that no longer exist, and of the others
    /// those that `choose` selects. Also removes what killed calls left half made. Returns the removed copies.
    ///
    /// # Errors
    /// Returns [`CommandError::Host`] if the backend fails.
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
            // If the caller no longer waits, the container is dropped here, which removes it.
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

    /// Runs work on files and processes on a thread of its own, so that it does not block the caller's other tasks. The
    /// work runs to its end even if nobody waits for it any more, so that nothing stays half done.
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
