//! The inputs and results of an examination.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ociman::Backend;
use ociman::command::Executor;
use serde::Serialize;

use crate::config::{BackendChoice, UntrustedConfig};
use crate::state::Folders;

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Area {
    /// The backends: docker, podman and host.
    Backend,
    /// Prerequisites of engines that run without root.
    Rootless,
    /// Free disk space.
    Disk,
    /// PostgreSQL's programs and the locales on this machine.
    Programs,
    /// Owners and modes of files and folders.
    Permissions,
    /// Leftovers of killed commands.
    Leftovers,
    /// `database.toml` and the user's own configuration.
    Configuration,
}

impl fmt::Display for Area {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Backend => "backend",
            Self::Rootless => "rootless",
            Self::Disk => "disk",
            Self::Programs => "programs",
            Self::Permissions => "permissions",
            Self::Leftovers => "leftovers",
            Self::Configuration => "configuration",
        })
    }
}

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// There is no problem.
    Ok,
    /// Worth knowing, but nothing depends on it.
    Note,
    /// Works, but something should be done about it.
    Warning,
    /// Something that pg-ephemeral needs is missing or unusable.
    Missing,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What the finding is about.
    pub area: Area,
    /// What was checked, such as `docker` or a path.
    pub subject: String,
    /// How serious the finding is.
    pub level: Level,
    /// What was found.
    pub message: String,
    /// What to do about it, if anything.
    pub advice: Option<String>,
}

impl Finding {
    pub(super) fn new(area: Area, subject: impl Into<String>, level: Level, message: impl Into<String>) -> Self {
        Self { area, subject: subject.into(), level, message: message.into(), advice: None }
    }

    pub(super) fn advice(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}

/// The result of an examination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// `true` if no finding has the level [`Level::Missing`].
    pub healthy: bool,
    /// The findings, grouped by area.
    pub findings: Vec<Finding>,
}

/// An examination of this machine: a builder for what to examine.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
///
/// use pg_ephemeral_core::Folders;
/// use pg_ephemeral_core::doctor::{Examination, Level};
/// use pg_ephemeral_testkit::FakeBackend;
///
/// let home = tempfile::tempdir()?;
/// let examination = Examination::new(Folders::at(home.path())).executor(Arc::new(FakeBackend::podman()));
/// let report = examination.run().await;
/// assert!(report.findings.iter().any(|finding| finding.subject == "podman" && finding.level == Level::Ok));
/// assert_eq!(std::fs::read_dir(home.path())?.count(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Examination {
    pub(super) folders: Folders,
    pub(super) executor: Arc<dyn Executor>,
    pub(super) choice: Option<BackendChoice>,
    pub(super) config_file: Result<Option<PathBuf>, Arc<UntrustedConfig>>,
}

impl Examination {
    /// Examines the machine without a configuration file.
    pub fn new(folders: Folders) -> Self {
        Self { folders, executor: Arc::new(ociman::System), choice: None, config_file: Ok(None) }
    }

    /// Sets the executor of engine commands, for tests. The default runs them as processes of this machine.
    #[must_use]
    pub fn executor(mut self, executor: Arc<dyn Executor>) -> Self {
        self.executor = executor;
        self
    }

    /// Sets the backend that the caller has chosen.
    #[must_use]
    pub fn choice(mut self, choice: Option<BackendChoice>) -> Self {
        self.choice = choice;
        self
    }

    /// Sets the configuration file to examine.
    #[must_use]
    pub fn config_file(mut self, path: Option<PathBuf>) -> Self {
        self.config_file = Ok(path);
        self
    }

    /// Sets a configuration file that was found but is not trusted. It is reported and not read.
    #[must_use]
    pub fn refused_config_file(mut self, refused: UntrustedConfig) -> Self {
        self.config_file = Err(Arc::new(refused));
        self
    }
}

/// A backend that works, with the engine's information about itself. The host backend has none.
#[derive(Debug)]
pub(super) struct Working {
    pub(super) backend: Backend,
    pub(super) info: Option<ociman::EngineInfo>,
}

/// Returns the path itself if it exists, otherwise its nearest parent that does.
pub(super) fn nearest(path: &Path) -> Option<&Path> {
    path.ancestors().find(|folder| folder.exists())
}
