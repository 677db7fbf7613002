//! What an examination is given and what it finds.

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
    /// What runs servers.
    Backend,
    /// Engines of a user who is not root.
    Rootless,
    /// Free space.
    Disk,
    /// PostgreSQL's programs on this machine.
    Programs,
    /// Who may read and write what.
    Permissions,
    /// What killed commands left behind.
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

/// What a finding means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// All is well.
    Ok,
    /// Worth knowing; nothing needs it.
    Note,
    /// It works, and something should be done.
    Warning,
    /// Something that is needed is missing.
    Missing,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What it is about.
    pub area: Area,
    /// What was looked at, such as `docker` or a path.
    pub subject: String,
    /// What it means.
    pub level: Level,
    /// What was found.
    pub message: String,
    /// What to do about it.
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

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Whether nothing that is needed is missing.
    pub healthy: bool,
    /// The findings, area by area.
    pub findings: Vec<Finding>,
}

/// What to examine.
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
    /// Of the machine as it is without a configuration.
    pub fn new(folders: Folders) -> Self {
        Self { folders, executor: Arc::new(ociman::System), choice: None, config_file: Ok(None) }
    }

    /// Executes engine commands by something else than the operating system; for tests.
    #[must_use]
    pub fn executor(mut self, executor: Arc<dyn Executor>) -> Self {
        self.executor = executor;
        self
    }

    /// The backend that the caller has chosen.
    #[must_use]
    pub fn choice(mut self, choice: Option<BackendChoice>) -> Self {
        self.choice = choice;
        self
    }

    /// The configuration that counts.
    #[must_use]
    pub fn config_file(mut self, path: Option<PathBuf>) -> Self {
        self.config_file = Ok(path);
        self
    }

    /// A configuration that was found and is refused.
    #[must_use]
    pub fn refused_config_file(mut self, refused: UntrustedConfig) -> Self {
        self.config_file = Err(Arc::new(refused));
        self
    }
}

/// A backend that answers, with what it tells of itself.
#[derive(Debug)]
pub(super) struct Working {
    pub(super) backend: Backend,
    pub(super) info: Option<ociman::EngineInfo>,
}

/// The path itself, or the nearest of its parents that is there.
pub(super) fn nearest(path: &Path) -> Option<&Path> {
    path.ancestors().find(|folder| folder.exists())
}
