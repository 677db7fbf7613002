//! The environment of the measurements: a state folder and instances that are removed at the end.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::process::Command;

use crate::Failure;
use crate::command::{output, program};
use crate::options::Backend;

/// The command that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Runs a command on this machine, which can reach the server over TCP.
    Host,
    /// Runs a command inside the container.
    Bare,
    /// Only checks that the backend works.
    Probe,
}

impl Form {
    pub(crate) fn words(self) -> &'static [&'static str] {
        match self {
            Self::Host => &["host", "run-env", "--", "true"],
            Self::Bare => &["run-env", "--", "true"],
            Self::Probe => &["list"],
        }
    }
}

pub(crate) struct Stage {
    pub(crate) id: String,
    binary: PathBuf,
    base: TempDir,
    chains: Vec<usize>,
}

/// A boot to measure: the length of the chain, and the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Boot {
    pub(crate) form: Form,
    /// The number of seeds.
    pub(crate) seeds: usize,
}

impl Stage {
    pub(crate) fn set(binary: &Path, chains: &[usize]) -> Result<Self, Failure> {
        let id = format!("bench-{}", std::process::id());
        let base = tempfile::Builder::new().prefix("pgb").tempdir_in("/tmp")?;
        let work = base.path().join("work");
        std::fs::create_dir(&work)?;
        let instances: String = chains.iter().map(|seeds| instance(&id, *seeds)).collect();
        std::fs::write(work.join("database.toml"), instances)?;
        // Servers of another user need to read files below this folder.
        std::fs::set_permissions(base.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let binary = binary.canonicalize().map_err(|error| format!("{}: {error}", binary.display()))?;
        Ok(Self { id, binary, base, chains: chains.to_vec() })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.base.path()
    }

    /// Returns the name of the image for the floor of an engine.
    pub(crate) fn floor_image(&self) -> String {
        format!("localhost/pg-ephemeral-floor/{}:1", self.id)
    }

    /// Returns the name of the container for the floor of an engine.
    pub(crate) fn floor_container(&self) -> String {
        format!("pg-ephemeral-floor-{}", self.id)
    }

    fn command(&self, backend: Backend, seeds: usize, words: &[&str]) -> Command {
        let mut command = program(&self.binary);
        command
            .args(["--quiet", "--backend", backend.name(), "--instance", &instance_name(&self.id, seeds)])
            .args(words)
            .current_dir(self.folder().join("work"))
            .env("XDG_STATE_HOME", self.folder().join("state"))
            .env_remove("OCIMAN_BACKEND");
        command
    }

    /// Runs pg-ephemeral once, and returns the time from the start of the process to its end.
    pub(crate) async fn boot(&self, backend: Backend, boot: Boot) -> Result<Duration, Failure> {
        let command = self.command(backend, boot.seeds, boot.form.words());
        let begin = Instant::now();
        output(command).await?;
        Ok(begin.elapsed())
    }

    /// Returns the folder of PostgreSQL's programs that the host backend uses. It is the last folder of its commands'
    /// `PATH`.
    pub(crate) async fn host_programs(&self) -> Result<PathBuf, Failure> {
        let path = output(self.command(Backend::Host, self.shortest(), &["run-env", "--", "printenv", "PATH"])).await?;
        std::env::split_paths(&path).last().ok_or_else(|| "the host backend has no programs".into())
    }

    /// Returns the official image from which the layers of an engine were built.
    pub(crate) async fn base_image(&self, backend: Backend) -> Result<String, Failure> {
        let images = self.images(backend).await?;
        let layer = images.first().ok_or("there is no layer image")?;
        let mut inspect = program(backend.name());
        inspect.args(["image", "inspect", "--format", r#"{{index .Config.Labels "pg-ephemeral.image"}}"#, layer]);
        output(inspect).await
    }

    /// Returns the length of the shortest chain.
    pub(crate) fn shortest(&self) -> usize {
        self.chains.first().copied().unwrap_or_default()
    }

    async fn images(&self, backend: Backend) -> Result<Vec<String>, Failure> {
        let mut images = Vec::new();
        for seeds in &self.chains {
            images.extend(backend.images(&instance_name(&self.id, *seeds)).await?);
        }
        Ok(images)
    }

    /// Removes the containers and images of this bench from the engines. The folder is removed when the stage is
    /// dropped.
    pub(crate) async fn clear(&self) {
        for backend in [Backend::Podman, Backend::Docker] {
            // Errors are ignored: the backend may not be installed, or the container may not exist.
            let _ = output(self.command(backend, self.shortest(), &["gc"])).await;
            let mut remove = program(backend.name());
            remove.args(["rm", "--force", "--volumes", &self.floor_container()]);
            let _ = output(remove).await;
            let mut images = vec![self.floor_image()];
            // An image can only be removed after the images built from it, and a listing does not order images of the
            // same second. So try several times.
            for _ in 0..3 {
                images.extend(self.images(backend).await.unwrap_or_default());
                for image in images.drain(..) {
                    backend.remove_image(&image).await;
                }
            }
        }
    }
}

fn instance_name(id: &str, seeds: usize) -> String {
    format!("{id}-{seeds}")
}

/// Returns the TOML table of an instance with a chain of small seeds.
fn instance(id: &str, seeds: usize) -> String {
    let name = instance_name(id, seeds);
    let table = |number| {
        format!(
            "s{number} = {{ type = \"sql-statement\", statement = \"CREATE TABLE t{number} AS SELECT {number} AS id\" }}\n"
        )
    };
    let tables: String = (1..=seeds).map(table).collect();
    format!("[instances.{name}]\n[instances.{name}.seeds]\n{tables}")
}
