//! `platform support`: prints which backends work on this machine.

use std::sync::Arc;

use ociman::{Kind, System};
use pg_ephemeral_core::{Folders, doctor};
use serde::Serialize;

use crate::args::{Format, Global};
use crate::output::{Failure, print_json, print_line};

/// A backend, as `platform support --format json` shows it.
#[derive(Debug, Serialize)]
struct Support {
    /// The name of the backend.
    backend: &'static str,
    /// Whether the backend works on this machine.
    works: bool,
    /// The version of the engine or, for `host`, the installed versions of PostgreSQL.
    version: Option<String>,
    /// Why the backend does not work.
    reason: Option<String>,
}

pub(crate) async fn support(global: &Global) -> Result<(), Failure> {
    let folders = Folders::of_user()?;
    let mut rows = Vec::new();
    for kind in Kind::ALL {
        rows.push(support_of(kind, &folders).await);
    }
    match global.format {
        Format::Json => print_json(&rows),
        _ => {
            for row in rows {
                let works = if row.works { "works" } else { "does not work" };
                let detail = row.version.or(row.reason).unwrap_or_default();
                print_line(&format!("{}: {works}: {detail}", row.backend))?;
            }
            Ok(())
        }
    }
}

async fn support_of(kind: Kind, folders: &Folders) -> Support {
    let found = doctor::support(kind, folders, Arc::new(System)).await.found.map(|(_, version)| version);
    let (version, reason) = match found {
        Ok(version) => (Some(version), None),
        Err(reason) => (None, Some(reason)),
    };
    Support { backend: kind.as_str(), works: version.is_some(), version, reason }
}
