//! Checks which backends work. A backend that does not work is a problem only if it was chosen or if no backend works.

use std::sync::Arc;

use ociman::command::Executor;
use ociman::{Backend, Host, Kind};

use super::finding::{Area, Examination, Finding, Level, Working};
use crate::config::BackendChoice;
use crate::postgres::host_image::Installations;
use crate::server::choose::{self, effective_choice, remedy};
use crate::state::Folders;

/// Whether a backend works on this machine.
#[derive(Debug)]
#[non_exhaustive]
pub struct Support {
    /// Which backend this is about.
    pub kind: Kind,
    /// The backend and its version (for the host, the versions of PostgreSQL), or the reason why it does not work.
    pub found: Result<(Backend, String), String>,
}

/// Checks whether a backend works, by asking for its version. Writes and starts nothing.
pub async fn support(kind: Kind, folders: &Folders, executor: Arc<dyn Executor>) -> Support {
    let found = match kind {
        Kind::Host => installed(folders),
        Kind::Docker | Kind::Podman => match choose::attempt(kind, folders, executor).await {
            Ok(backend) => match backend.version().await {
                Ok(version) => Ok((backend, version.server.unwrap_or(version.client))),
                Err(error) => Err(error.to_string()),
            },
            Err(reason) => Err(reason),
        },
    };
    Support { kind, found }
}

fn installed(folders: &Folders) -> Result<(Backend, String), String> {
    let installations = Installations::look(folders).map_err(|error| error.to_string())?;
    let versions: Vec<_> = installations.all().iter().map(|found| found.version.as_str()).collect();
    Ok((Backend::host(Host::at(folders.host())), format!("PostgreSQL {}", versions.join(", "))))
}

pub(super) async fn examine(examination: &Examination, configured: BackendChoice) -> (Vec<Working>, Vec<Finding>) {
    let mut findings = Vec::new();
    let chosen = match effective_choice(examination.choice, configured) {
        Ok((BackendChoice::Only(kind), origin)) => Some((kind, origin)),
        Ok(_) => None,
        Err(error) => {
            let (message, hint) = (with_causes(&error), error.hint());
            findings.push(Finding::new(Area::Backend, "choice", Level::Missing, message).advice(hint));
            None
        }
    };
    let mut supports = Vec::new();
    for kind in Kind::ALL {
        supports.push(support(kind, &examination.folders, examination.executor.clone()).await);
    }
    let none_works = supports.iter().all(|support| support.found.is_err());
    let mut working = Vec::new();
    for Support { kind, found } in supports {
        let is_chosen = chosen.as_ref().is_some_and(|(chosen, _)| *chosen == kind);
        match found {
            Ok((backend, version)) => {
                let info = match kind {
                    Kind::Host => None,
                    Kind::Docker | Kind::Podman => backend.engine_info().await.ok(),
                };
                let at = info.as_ref().and_then(|info| info.endpoint.as_ref());
                let at = at.map(|endpoint| format!(" at {endpoint}")).unwrap_or_default();
                findings.push(Finding::new(Area::Backend, kind.as_str(), Level::Ok, format!("works: {version}{at}")));
                working.push(Working { backend, info });
            }
            Err(reason) => {
                let level = if is_chosen || none_works { Level::Missing } else { Level::Note };
                let origin =
                    chosen.as_ref().filter(|_| is_chosen).map(|(_, origin)| format!(", and was chosen {origin}"));
                let message = format!("does not work{}: {reason}", origin.unwrap_or_default());
                findings.push(Finding::new(Area::Backend, kind.as_str(), level, message).advice(remedy(kind, &reason)));
            }
        }
    }
    (working, findings)
}

/// Returns an error and its causes as one text, separated by colons.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
