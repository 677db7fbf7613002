//! Finding an engine that answers. Which of several to prefer, and what the host backend needs, is the caller's business.

use std::path::PathBuf;
use std::sync::Arc;

use etcetera::BaseStrategy;

use crate::command::Executor;
use crate::engine::Engine;
use crate::{Backend, CommandError};

/// Name of the environment variable that chooses a backend.
pub const BACKEND_VARIABLE: &str = "OCIMAN_BACKEND";

impl Backend {
    /// Docker, when its engine answers. A program called `docker` that is Podman in disguise gives a Podman backend.
    ///
    /// # Errors
    /// [`CommandError::Unreachable`] when there is no such program or its engine does not answer.
    pub async fn detect_docker(executor: Arc<dyn Executor>) -> Result<Self, CommandError> {
        let docker = Engine::docker(executor.clone());
        let version = docker.version().await?;
        let engine = if Engine::speaks_podman(&version) { Engine::podman_as_docker(executor) } else { docker };
        Ok(Self::engine(engine))
    }

    /// Podman, when it answers.
    ///
    /// # Errors
    /// [`CommandError::Unreachable`] when there is no such program or it does not work.
    pub async fn detect_podman(executor: Arc<dyn Executor>) -> Result<Self, CommandError> {
        let podman = Engine::podman(executor);
        podman.version().await?;
        Ok(Self::engine(podman))
    }
}

/// Why the user's `ociman.toml` could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UserConfigError {
    /// It could not be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is not valid TOML, or holds something else than a text `default_backend`.
    #[error("read {}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        #[source]
        source: Box<toml::de::Error>,
    },
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct UserConfig {
    default_backend: Option<String>,
}

/// What `default_backend` says in `$XDG_CONFIG_HOME/ociman.toml`, with the file it stands in; `None` without such a
/// file or without the key.
///
/// # Errors
/// [`UserConfigError`] when the file is there and can't be used.
pub fn default_backend() -> Result<Option<(String, PathBuf)>, UserConfigError> {
    let Ok(strategy) = etcetera::choose_base_strategy() else { return Ok(None) };
    let path = strategy.config_dir().join("ociman.toml");
    let text = match crate::files::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(UserConfigError::Read { path, source }),
    };
    match toml::from_str::<UserConfig>(&text) {
        Ok(config) => Ok(config.default_backend.map(|backend| (backend, path))),
        Err(source) => Err(UserConfigError::Parse { path, source: Box::new(source) }),
    }
}
