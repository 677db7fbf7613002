//! Choosing a backend. An explicitly chosen backend is used, and it is an error if it does not work. Without an
//! explicit choice, the first backend that works is used.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use ociman::command::Executor;
use ociman::{BACKEND_VARIABLE, Backend, Host, Kind};

use crate::config::{BackendChoice, BackendChoiceError};
use crate::postgres::host_image::{self, FindError};
use crate::state::Folders;

/// The source of the choice of a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChoiceSource {
    /// The caller: an option of the command line, or [`crate::Definition::backend_choice`].
    Caller,
    /// The environment variable `OCIMAN_BACKEND`.
    Environment,
    /// The configuration of the project.
    Configuration,
    /// The user's `ociman.toml`, with its path.
    UserConfig(PathBuf),
    /// No choice was made: the first backend that works is used.
    Automatic,
}

impl fmt::Display for ChoiceSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caller => formatter.write_str("explicitly"),
            Self::Environment => write!(formatter, "by {BACKEND_VARIABLE}"),
            Self::Configuration => formatter.write_str("in the configuration"),
            Self::UserConfig(path) => write!(formatter, "in {}", path.display()),
            Self::Automatic => formatter.write_str("automatically"),
        }
    }
}

/// A backend that was tried and does not work.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The kind of the backend.
    pub backend: Kind,
    /// Why the backend does not work.
    pub reason: String,
}

/// The reason why there is no backend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChooseError {
    /// The choice is not the name of a backend.
    #[error("failed to choose a backend {origin}")]
    Name {
        /// The source of the choice.
        origin: ChoiceSource,
        /// Why the choice is invalid.
        #[source]
        source: BackendChoiceError,
    },
    /// The user's configuration can't be read.
    #[error(transparent)]
    UserConfig(#[from] ociman::UserConfigError),
    /// The explicitly chosen backend does not work.
    #[error("the {} backend, chosen {origin}, does not work: {}", attempt.backend, attempt.reason)]
    Chosen {
        /// The source of the choice.
        origin: ChoiceSource,
        /// The backend, and why it does not work.
        attempt: Attempt,
    },
    /// None of the backends works.
    #[error("no backend works: {}", list(.0))]
    Nothing(Vec<Attempt>),
}

impl ChooseError {
    /// Returns a hint on what the user can do about the error.
    pub fn hint(&self) -> String {
        match self {
            Self::Name { .. } | Self::UserConfig(_) => "the backends are auto, docker, podman and host".to_owned(),
            Self::Chosen { attempt, .. } => remedy(attempt.backend, &attempt.reason).to_owned(),
            Self::Nothing(attempts) => {
                let remedies: Vec<&str> =
                    attempts.iter().map(|attempt| remedy(attempt.backend, &attempt.reason)).collect();
                remedies.join("; or ")
            }
        }
    }
}

/// Returns a hint on how to make a backend work that does not work for this reason.
pub(crate) fn remedy(backend: Kind, reason: &str) -> &'static str {
    let is_installed = !reason.starts_with("no program ");
    let is_denied = reason.to_ascii_lowercase().contains("permission denied");
    match backend {
        Kind::Docker if is_denied => {
            "let your user use the Docker engine: `sudo usermod -aG docker \"$USER\"`, and log in again; members of this \
             group can do what root can"
        }
        Kind::Docker if is_installed => "start the Docker engine, and check that `docker version` answers",
        Kind::Docker => "install the Docker engine and start it, and check that `docker version` answers",
        Kind::Podman if is_installed => "check that `podman info` answers",
        Kind::Podman => "install podman, and check that `podman info` answers",
        Kind::Host => {
            "install PostgreSQL's server (Debian: `apt-get install postgresql`, macOS: `brew install postgresql`), or name its folder in PG_EPHEMERAL_BIN_DIR"
        }
    }
}

fn list(attempts: &[Attempt]) -> String {
    let texts: Vec<String> =
        attempts.iter().map(|attempt| format!("{}: {}", attempt.backend, attempt.reason)).collect();
    texts.join("; ")
}

/// Returns the effective choice of a backend and its source. The choice of the caller comes first, then that of the
/// environment variable `OCIMAN_BACKEND`, then `configured`, then the user's `ociman.toml`.
///
/// # Errors
/// Returns [`ChooseError::Name`] if the choice is not the name of a backend, and [`ChooseError::UserConfig`] if the
/// user's configuration can't be read.
pub fn effective_choice(
    caller: Option<BackendChoice>,
    configured: BackendChoice,
) -> Result<(BackendChoice, ChoiceSource), ChooseError> {
    if let Some(choice) = caller {
        return Ok((choice, ChoiceSource::Caller));
    }
    if let Some(text) = std::env::var_os(BACKEND_VARIABLE).filter(|text| !text.is_empty()) {
        return named(&text.to_string_lossy(), ChoiceSource::Environment);
    }
    if configured != BackendChoice::Auto {
        return Ok((configured, ChoiceSource::Configuration));
    }
    match ociman::default_backend()? {
        Some((text, path)) => named(&text, ChoiceSource::UserConfig(path)),
        None => Ok((BackendChoice::Auto, ChoiceSource::Automatic)),
    }
}

fn named(text: &str, origin: ChoiceSource) -> Result<(BackendChoice, ChoiceSource), ChooseError> {
    match text.parse() {
        Ok(choice) => Ok((choice, origin)),
        Err(source) => Err(ChooseError::Name { origin, source }),
    }
}

/// Returns the backend for a choice. Without an explicit choice, this is Docker if its engine answers, otherwise Podman
/// if that answers, otherwise the host backend if PostgreSQL is installed.
///
/// # Errors
/// Returns [`ChooseError::Chosen`] if the explicitly chosen backend does not work, and [`ChooseError::Nothing`] if
/// there is no explicit choice and no backend works.
pub async fn backend(
    choice: BackendChoice,
    origin: ChoiceSource,
    folders: &Folders,
    executor: Arc<dyn Executor>,
) -> Result<Backend, ChooseError> {
    if let BackendChoice::Only(kind) = choice {
        let tried = attempt(kind, folders, executor).await;
        return tried.map_err(|reason| ChooseError::Chosen { origin, attempt: Attempt { backend: kind, reason } });
    }
    let mut attempts = Vec::new();
    for kind in Kind::ALL {
        match attempt(kind, folders, executor.clone()).await {
            Ok(backend) => return Ok(backend),
            Err(reason) => attempts.push(Attempt { backend: kind, reason }),
        }
    }
    Err(ChooseError::Nothing(attempts))
}

/// Checks whether one backend works, and returns it.
///
/// # Errors
/// If the backend does not work, returns the reason as a text for the user.
pub async fn attempt(kind: Kind, folders: &Folders, executor: Arc<dyn Executor>) -> Result<Backend, String> {
    let detected = match kind {
        Kind::Docker => Backend::detect_docker(executor).await,
        Kind::Podman => Backend::detect_podman(executor).await,
        Kind::Host => return host(folders).map_err(|error| error.to_string()),
    };
    detected.map_err(|error| match error {
        ociman::CommandError::Unreachable { detail, .. } => detail,
        other => other.to_string(),
    })
}

fn host(folders: &Folders) -> Result<Backend, FindError> {
    host_image::Installations::find(folders)?;
    Ok(Backend::host(Host::at(folders.host())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_depends_on_why_a_backend_does_not_work() {
        let docker = |reason| remedy(Kind::Docker, reason);
        assert!(docker("no program \"docker\" on PATH").starts_with("install "));
        assert!(docker("Cannot connect to the Docker daemon at unix:///run/docker.sock").starts_with("start "));
        let denied = "permission denied while trying to connect to the Docker daemon socket at unix:///run/docker.sock";
        assert!(docker(denied).contains("usermod -aG docker"));
        assert!(remedy(Kind::Podman, "no program \"podman\" on PATH").starts_with("install "));
        assert!(remedy(Kind::Podman, "cannot connect to Podman").starts_with("check "));
    }
}
