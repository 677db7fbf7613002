//! Detects an engine that answers. Choosing between several engines, and meeting the needs of the host backend, is left
//! to the caller.

use std::path::PathBuf;
use std::sync::Arc;

use etcetera::BaseStrategy;

use crate::command::Executor;
use crate::engine::Engine;
use crate::{Backend, CommandError};

/// The name of the environment variable that selects a backend.
pub const BACKEND_VARIABLE: &str = "OCIMAN_BACKEND";

impl Backend {
    /// Returns a Docker backend if the Docker engine answers. If the `docker` program is Podman under another name,
    /// returns a Podman backend.
    ///
    /// # Errors
    /// Returns [`CommandError::Unreachable`] if the program does not exist or its engine does not answer.
    pub async fn detect_docker(executor: Arc<dyn Executor>) -> Result<Self, CommandError> {
        let docker = Engine::docker(executor.clone());
        let version = docker.version().await?;
        let engine = if Engine::speaks_podman(&version) { Engine::podman_as_docker(executor) } else { docker };
        Ok(Self::engine(engine))
    }

    /// Returns a Podman backend if Podman answers.
    ///
    /// # Errors
    /// Returns [`CommandError::Unreachable`] if the program does not exist or does not work.
    pub async fn detect_podman(executor: Arc<dyn Executor>) -> Result<Self, CommandError> {
        let podman = Engine::podman(executor);
        podman.version().await?;
        Ok(Self::engine(podman))
    }
}

/// Error returned if the user's `ociman.toml` can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UserConfigError {
    /// The file can't be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The file is not valid TOML, or contains anything other than a string `default_backend`.
    #[error("failed to read {}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The parse error, with its position.
        #[source]
        source: Box<toml::de::Error>,
    },
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct UserConfig {
    default_backend: Option<String>,
}

/// Returns the value of `default_backend` in `$XDG_CONFIG_HOME/ociman.toml` together with the path of that file, or
/// `None` if the file or the key does not exist.
///
/// # Errors
/// Returns [`UserConfigError`] if the file exists but can't be used.
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
