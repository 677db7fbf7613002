//! Running a program of a PostgreSQL image, such as `pg_dump`, with a folder of the caller: in a throw-away container,
//! or, on the host backend, as the installed program. This module starts no server, and neither builds nor looks up
//! layers.

mod environment;

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use ociman::command::{ExitStatus, Process};
use ociman::{Container, ContainerName, Mount, Network, RunSpec, Terminal, UserNamespace, Variable};

pub use environment::{CallerEnvironment, NotUtf8Error};

use crate::io::random::random_name;
use crate::lifecycle::reap::{self, LateStarts};
use crate::model::{Owner, Step, label};
use crate::postgres::host_image::{FindError, Installations};
use crate::server::Definition;
use crate::server::guard::Guard;
use crate::server::resolve;
use crate::server::{StartError, bind, refuse_remote_folder};

/// The shell script that is the first process of the container and runs the program. The program is not the first
/// process itself, because the system ignores signals to the first process of a container unless that has a handler for
/// them. The shell does not print how the program ended, but exits with the program's status.
const FIRST_PROCESS: &str = r#"exec 3>&2 2>/dev/null; (exec "$@" 2>&3 3>&-); exit $?"#;

/// The exit status of `docker run` and `podman run` if the engine itself failed. The program in the container may exit
/// with the same status.
const ENGINE_REFUSED: i32 = 125;

/// A program to run in its own container.
#[derive(Debug, Clone)]
pub struct ToolSpec {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The working folder, which is mounted at the same path.
    pub folder: PathBuf,
    /// Environment variables in addition to those of the image.
    pub environment: Vec<Variable>,
    /// Mounts in addition to the working folder.
    pub mounts: Vec<Mount>,
    /// The user to run as, in the engine's syntax; `None` means the user of the image.
    pub user: Option<String>,
    /// How user IDs in the container map to those of the host.
    pub user_namespace: UserNamespace,
    /// Whether the program gets the caller's terminal.
    pub terminal: Terminal,
}

/// A program that runs in its own container. Dropping the value removes the container.
#[derive(Debug)]
pub struct Tool {
    guard: Guard,
}

/// The reason why a program could not be run in its own container.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// The backend, the image or the folder can't be used, or the container could not be recorded.
    #[error(transparent)]
    Prepare(#[from] StartError),
    /// The engine failed to run the container.
    #[error("failed to run the tool's container")]
    Run(#[source] ociman::CommandError),
}

impl ToolError {
    /// Returns a hint on what the user can do about the error, if there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Prepare(error) => error.hint(),
            Self::Run(_) => None,
        }
    }
}

impl Definition {
    /// Runs a program of the image in its own container, with the caller's standard streams. The container uses the
    /// network of the engine's machine, so that the program reaches servers on the loopback interface of that machine.
    /// If the image is absent, it is pulled.
    ///
    /// The returned process is the engine's client. Once it has ended, pass its status to [`Tool::ended`].
    ///
    /// The host backend has no containers; see [`Definition::installed_program`] for that.
    ///
    /// # Errors
    /// Returns an error if the container can't be started. Nothing is left behind then.
    pub async fn run_tool(&self, spec: ToolSpec) -> Result<(Tool, Process), ToolError> {
        let look_up = async |backend: &ociman::Backend| {
            refuse_remote_folder(backend, Some(&spec.folder))?;
            reap::reap_recorded(&self.folders, backend, LateStarts::Hurry).await;
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
        // An empty `tmpfs` is created faster than a volume.
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

    /// Returns the path of a program in the PostgreSQL installation on this machine that fits the definition. Does not
    /// check that the program exists.
    ///
    /// # Errors
    /// Returns an error if no fitting PostgreSQL is installed.
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
    /// Returns the container that the program runs in.
    pub fn container(&self) -> &Container {
        self.guard.container()
    }

    /// Cleans up after the engine's client has ended with this status. If the client exited by itself, the engine has
    /// already removed the container. Otherwise, for example if the client was killed, this removes it.
    ///
    /// # Errors
    /// Returns an error if the backend fails to remove the container. The next command tries again.
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
