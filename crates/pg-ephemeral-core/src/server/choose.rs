//! Which backend to use: an explicit choice is kept or is an error, and only without one is the first that works taken.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use ociman::command::Executor;
use ociman::{BACKEND_VARIABLE, Backend, Host, Kind};

use crate::config::{BackendChoice, BackendChoiceError};
use crate::postgres::host_image::{self, FindError};
use crate::state::Folders;

/// Where a choice of a backend was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChoiceSource {
    /// By the caller: an option of the command line, or [`crate::Definition::backend`].
    Caller,
    /// By the environment variable `OCIMAN_BACKEND`.
    Environment,
    /// In the project's configuration.
    Configuration,
    /// In the user's `ociman.toml`.
    UserConfig(PathBuf),
    /// Nowhere.
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

/// One backend that was tried, and why it does not work.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The backend.
    pub backend: Kind,
    /// Why it does not work.
    pub reason: String,
}

/// Why there is no backend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChooseError {
    /// A choice is not the name of a backend.
    #[error("choose a backend {origin}")]
    Name {
        /// Where the choice was made.
        origin: ChoiceSource,
        /// What is wrong with it.
        #[source]
        source: BackendChoiceError,
    },
    /// The user's configuration can't be read.
    #[error(transparent)]
    UserConfig(#[from] ociman::UserConfigError),
    /// The backend that was chosen does not work.
    #[error("the {} backend, chosen {origin}, does not work: {}", attempt.backend, attempt.reason)]
    Chosen {
        /// Where the choice was made.
        origin: ChoiceSource,
        /// What was tried.
        attempt: Attempt,
    },
    /// No backend works at all.
    #[error("no backend works: {}", list(.0))]
    Nothing(Vec<Attempt>),
}

impl ChooseError {
    /// What the user can do about it.
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

/// What makes a backend work that does not for this reason.
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

/// The choice that counts: the caller's, then the environment's, then that of `configured`, then the user's.
///
/// # Errors
/// [`ChooseError::Name`] and [`ChooseError::UserConfig`].
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

/// The backend for a choice. Automatic means: Docker if its engine answers, then Podman, then the host if PostgreSQL
/// is installed.
///
/// # Errors
/// [`ChooseError::Chosen`] when an explicit choice does not work, [`ChooseError::Nothing`] when nothing does.
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

/// Tries one backend; the error is why it does not work.
///
/// # Errors
/// A text for a person.
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
    fn what_to_do_follows_from_why_a_backend_does_not_work() {
        let docker = |reason| remedy(Kind::Docker, reason);
        assert!(docker("no program \"docker\" on PATH").starts_with("install "));
        assert!(docker("Cannot connect to the Docker daemon at unix:///run/docker.sock").starts_with("start "));
        let denied = "permission denied while trying to connect to the Docker daemon socket at unix:///run/docker.sock";
        assert!(docker(denied).contains("usermod -aG docker"));
        assert!(remedy(Kind::Podman, "no program \"podman\" on PATH").starts_with("install "));
        assert!(remedy(Kind::Podman, "cannot connect to Podman").starts_with("check "));
    }
}
