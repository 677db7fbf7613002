//! Examines this machine for problems that keep pg-ephemeral from working now or later. The result is a list of typed
//! findings, each with advice. An examination starts, removes and writes nothing.

mod backends;
mod configuration;
mod disk;
mod finding;
mod leftovers;
mod locales;
mod permissions;
mod programs;
mod rootless;

use crate::config::Config;

pub use backends::{Support, support};
pub use finding::{Area, Examination, Finding, Level, Report};

impl Examination {
    /// Examines every [`Area`] and returns what was found.
    pub async fn run(&self) -> Report {
        let config_file = self.config_file.as_ref().ok().and_then(|path| path.as_deref());
        let (config, mut configuration) = match &self.config_file {
            Ok(_) => configuration::examine(config_file),
            Err(refused) => (None, vec![configuration::refused(refused)]),
        };
        let configured = config.as_ref().and_then(Config::backend).unwrap_or_default();
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
