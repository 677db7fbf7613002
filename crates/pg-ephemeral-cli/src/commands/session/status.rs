//! `session status`: prints whether sessions still match the configuration.

use std::collections::BTreeMap;

use pg_ephemeral_core::label::Metadata;
use pg_ephemeral_core::session::{Divergence, MetadataError, Name, Session, divergence};
use pg_ephemeral_core::snapshot::{Restored, State};
use pg_ephemeral_core::{InstanceName, StartError};
use serde::Serialize;

use super::find::sessions;
use super::view::{name_in_table, secret_of};
use crate::args::{Format, Global};
use crate::commands::context::Context;
use crate::output::{Failure, print_json, print_table, rfc3339};

/// The status of a session, as `session status --format json` shows it.
#[derive(Debug, Serialize)]
struct Standing {
    /// The name of the session.
    name: String,
    /// The session's instance.
    instance: String,
    /// `sync`, `diverged` or `unknown-instance`.
    status: &'static str,
    /// The first difference from the configuration.
    reason: Option<String>,
    /// The state that the session was last put back to or forked from; `null` if it was neither.
    restored: Option<RestoredView>,
    /// The secret from which the session's password was derived: `own` or `other`.
    secret: &'static str,
}

/// The state that a session was put back to or forked from, in `session status`.
#[derive(Debug, Serialize)]
struct RestoredView {
    /// `seeds`, `snapshot` or `session`.
    to: &'static str,
    /// The session of the snapshot, or the session that this one was forked from.
    session: Option<String>,
    /// The snapshot.
    snapshot: Option<String>,
    /// The time of the change (RFC 3339).
    at: Option<String>,
}

impl RestoredView {
    fn of(restored: &Restored) -> Self {
        let (to, session, snapshot) = match &restored.to {
            State::Seeds => ("seeds", None, None),
            State::Snapshot { session, name } => ("snapshot", Some(session.to_string()), Some(name.to_string())),
            State::Session { session, .. } => ("session", Some(session.to_string()), None),
        };
        Self { to, session, snapshot, at: restored.time().map(rfc3339) }
    }

    /// Describes the state in words. `name` is the name of the session that has this state.
    fn describe(&self, name: &str) -> String {
        let when = self.at.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
        match (&self.session, &self.snapshot) {
            (Some(session), Some(snapshot)) if session == name => format!("restored from {snapshot}{when}"),
            (Some(session), Some(snapshot)) => format!("forked from {snapshot} of {session}{when}"),
            (Some(session), None) => format!("forked from {session}{when}"),
            (None, _) => format!("reset to its seeds{when}"),
        }
    }
}

pub(super) async fn status(global: &Global, name: Option<&Name>) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let sessions = sessions(&context, name).await?;
    // Seeds are loaded once per backend and instance, even if several sessions share them.
    let key = |session: &Session, metadata: &Metadata| {
        (session.container().backend().kind().as_str(), metadata.instance.clone())
    };
    let mut definitions = BTreeMap::new();
    for session in &sessions {
        let metadata = metadata_of(session)?;
        if context.config.instances().contains_key(&metadata.instance) {
            let definition = context.definition_of(&metadata.instance)?;
            definitions.insert(key(session, &metadata), (definition, session.container().backend()));
        }
    }
    let mut expected = BTreeMap::new();
    for (key, (definition, backend)) in &definitions {
        expected.insert(key, definition.load_seeds(backend).await.map_err(StartError::from)?);
    }
    let mut standings = Vec::new();
    for session in &sessions {
        let metadata = metadata_of(session)?;
        let expected = expected.get(&key(session, &metadata));
        let difference = expected.map(|seeds| divergence(&metadata.image, &metadata.seeds, seeds.image(), seeds));
        let restored = metadata.restored.as_ref().map(RestoredView::of);
        let secret = secret_of(session, &context.folders)?;
        standings.push(Standing { restored, ..standing(session.name(), &metadata.instance, secret, difference) });
    }
    match global.format {
        Format::Json => print_json(&standings),
        _ => {
            let rows = standings.into_iter().map(|standing| {
                let restored = standing.restored.map(|restored| restored.describe(&standing.name));
                let reason = standing.reason.into_iter().chain(restored).collect::<Vec<_>>().join("; ");
                let name = name_in_table(standing.name, standing.secret);
                [name, standing.instance, standing.status.to_owned(), reason]
            });
            print_table(["NAME", "INSTANCE", "STATUS", "REASON"], rows)
        }
    }
}

/// The status of a session can't be determined, because its labels are invalid.
#[derive(Debug, thiserror::Error)]
#[error("failed to determine the status of the session {session}")]
struct StatusError {
    session: Name,
    source: MetadataError,
}

fn metadata_of(session: &Session) -> Result<Metadata, Failure> {
    let metadata = session.listed_metadata();
    metadata.map_err(|source| Failure::new(StatusError { session: session.name().clone(), source }))
}

fn standing(
    name: &Name,
    instance: &InstanceName,
    secret: &'static str,
    difference: Option<Option<Divergence>>,
) -> Standing {
    let (status, reason) = match difference {
        None => ("unknown-instance", None),
        Some(None) => ("sync", None),
        Some(Some(difference)) => ("diverged", Some(difference.to_string())),
    };
    Standing { name: name.to_string(), instance: instance.to_string(), status, reason, restored: None, secret }
}
