//! What of this machine keeps pg-ephemeral from working, or will: typed findings, each with what to do. An examination
//! starts, removes and writes nothing.

mod backends;
mod configuration;
mod disk;
mod leftovers;
mod locales;
mod permissions;
mod programs;
mod rootless;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ociman::Backend;
use ociman::command::Executor;
use serde::Serialize;

use crate::config::{BackendChoice, UntrustedConfig};
use crate::state::folders::Folders;

pub use backends::{Support, support};

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
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
    fn new(area: Area, subject: impl Into<String>, level: Level, message: impl Into<String>) -> Self {
        Self { area, subject: subject.into(), level, message: message.into(), advice: None }
    }

    fn advice(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    folders: Folders,
    executor: Arc<dyn Executor>,
    choice: Option<BackendChoice>,
    config_file: Result<Option<PathBuf>, Arc<UntrustedConfig>>,
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

    /// Looks at everything.
    pub async fn run(&self) -> Report {
        let config_file = self.config_file.as_ref().ok().and_then(|path| path.as_deref());
        let (config, mut configuration) = match &self.config_file {
            Ok(_) => configuration::examine(config_file),
            Err(refused) => (None, vec![configuration::refused(refused)]),
        };
        let configured = config.as_ref().and_then(crate::config::Config::backend).unwrap_or_default();
        let (working, mut findings) = backends::examine(self, configured).await;
        findings.extend(rootless::examine(&working).await);
        findings.extend(disk::examine(&self.folders, &working).await);
        findings.extend(programs::examine(&self.folders));
        findings.extend(locales::examine(&self.folders, config.as_ref()));
        findings.extend(permissions::examine(&self.folders, config_file));
        findings.extend(
            leftovers::examine(&self.folders, &working.iter().map(|one| &one.backend).collect::<Vec<_>>()).await,
        );
        findings.append(&mut configuration);
        Report { healthy: findings.iter().all(|finding| finding.level < Level::Missing), findings }
    }
}

/// A backend that answers, with what it tells of itself.
#[derive(Debug)]
struct Working {
    backend: Backend,
    info: Option<ociman::EngineInfo>,
}

/// The path itself, or the nearest of its parents that is there.
fn nearest(path: &Path) -> Option<&Path> {
    path.ancestors().find(|folder| folder.exists())
}
