//! Programs of an image on a folder of the caller's: each in a throw-away container of its own, or, on the host backend,
//! as it is installed. No server is started and no layer is built or looked for.

mod environment;

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use ociman::command::{ExitStatus, Process};
use ociman::{Container, ContainerName, Mount, Network, RunSpec, Terminal, UserNamespace, Variable};

pub use environment::{CallersEnvironment, NotText};

use crate::io::random::random_name;
use crate::lifecycle::reap::{self, Patience};
use crate::model::{Owner, Step, label};
use crate::postgres::host_image::{FindError, Installations};
use crate::server::Definition;
use crate::server::guard::Guard;
use crate::server::resolve;
use crate::server::{StartError, bind, refuse_remote_folder};

/// The first process of the container. It is a shell and not the program itself, because the system lets the first
/// process of a container ignore every signal that it has no handler for. It says nothing of how the program ended but by
/// its own status.
const FIRST_PROCESS: &str = r#"exec 3>&2 2>/dev/null; (exec "$@" 2>&3 3>&-); exit $?"#;

/// With what status an engine's program ends when the engine itself refused. A program's own may be the same.
const ENGINE_REFUSED: i32 = 125;

/// What to run in a container of its own.
#[derive(Debug, Clone)]
pub struct ToolSpec {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The folder it works in, which is mounted at the same path.
    pub folder: PathBuf,
    /// Variables on top of the image's.
    pub environment: Vec<Variable>,
    /// What it sees besides the folder.
    pub mounts: Vec<Mount>,
    /// The user as the engine understands it, instead of the image's.
    pub user: Option<String>,
    /// What the numbers of users mean.
    pub user_namespace: UserNamespace,
    /// Whether it gets the caller's terminal.
    pub terminal: Terminal,
}

/// A program that runs in a container of its own. Dropping it removes the container.
#[derive(Debug)]
pub struct Tool {
    guard: Guard,
}

/// Why a program could not be run in a container of its own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// There is no backend, image or folder for it.
    #[error(transparent)]
    Prepare(#[from] StartError),
    /// The container could not be run.
    #[error("run the tool's container")]
    Run(#[source] ociman::CommandError),
}

impl ToolError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Prepare(error) => error.hint(),
            Self::Run(_) => None,
        }
    }
}

impl Definition {
    /// Runs a program of the image in a container of its own, on the caller's standard streams and the network of the
    /// engine's machine, so that it reaches servers on its loopback. An image that is not there is fetched. The process
    /// that is given back is the engine's; with its status goes [`Tool::ended`].
    ///
    /// # Errors
    /// [`ToolError`]; nothing is left behind then. On the host backend there are no containers: see
    /// [`Definition::installed_program`].
    pub async fn run_tool(&self, spec: ToolSpec) -> Result<(Tool, Process), ToolError> {
        let look_up = async |backend: &ociman::Backend| {
            refuse_remote_folder(backend, Some(&spec.folder))?;
            reap::reap_recorded(&self.folders, backend, Patience::Hurry).await;
            resolve::base_image(self, backend).await
        };
        let (backend, base) = self.on_backend(look_up).await?;
        let nonce = random_name().map_err(StartError::Thread)?;
        let name = format!("pg-ephemeral-{nonce}").parse::<ContainerName>();
        let name = name.map_err(|_| StartError::Thread(std::io::ErrorKind::InvalidData.into()))?;
        let owner = Owner::current();
        let mut run = RunSpec::new(name, base.image.clone()).entrypoint(["sh", "-c", FIRST_PROCESS, "sh"]);
        run = run.arguments(spec.command);
        run.labels = self.tool_labels(&base.image.to_string(), &nonce, &owner);
        run.environment = spec.environment;
        run.network = Network::Host;
        // An empty file system in memory is made faster than a volume.
        run.mounts = base.volumes.into_iter().map(|volume| Mount::Tmpfs { target: volume.into() }).collect();
        run.mounts.push(bind(spec.folder.clone(), spec.folder.clone()));
        run.mounts.extend(spec.mounts);
        run.folder = Some(spec.folder);
        run.user = spec.user;
        run.user_namespace = spec.user_namespace;
        self.observer.begin(Step::Ready);
        let attached =
            Guard::attach(&self.folders, &backend, &run, owner, spec.terminal).await.map_err(|error| match error {
                StartError::Run(error) => ToolError::Run(error),
                error => ToolError::Prepare(error),
            });
        let (guard, process) = attached?;
        Ok((Tool { guard }, process))
    }

    /// Where a program of the PostgreSQL that counts on the host is, or would be if it had it.
    ///
    /// # Errors
    /// [`FindError`] when no fitting PostgreSQL is installed.
    pub fn installed_program(&self, name: &str) -> Result<PathBuf, FindError> {
        let installations = Installations::find(&self.folders)?;
        Ok(installations.pick(self.image.as_ref())?.bin.join(name))
    }

    fn tool_labels(&self, image: &str, nonce: &str, owner: &Owner) -> ociman::label::Labels {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let owner = serde_json::to_string(owner).unwrap_or_default();
        let labels = [
            (label::VERSION_KEY, label::value(env!("CARGO_PKG_VERSION"))),
            (label::INSTANCE_KEY, label::value(self.instance.as_str())),
            (label::IMAGE_KEY, label::value(image)),
            (label::OWNER_KEY, label::value(&owner)),
            (label::NONCE_KEY, label::value(nonce)),
            (label::STARTED_KEY, label::value(&started.to_string())),
        ];
        labels.into_iter().collect()
    }
}

impl Tool {
    /// The container it runs in.
    pub fn container(&self) -> &Container {
        self.guard.container()
    }

    /// Takes in how the engine's process ended. A container whose process ended by itself is gone by then, and any other
    /// is removed.
    ///
    /// # Errors
    /// When the backend does not remove it. The next command tries again.
    pub async fn ended(self, status: ExitStatus) -> Result<(), ociman::CommandError> {
        match status {
            ExitStatus::Exited(code) if code != ENGINE_REFUSED => {
                self.guard.gone();
                Ok(())
            }
            _ => self.guard.remove().await,
        }
    }
}
