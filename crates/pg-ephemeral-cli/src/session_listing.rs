//! What `session list` and `session status` show of sessions, as tables and as JSON.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pg_ephemeral_core::label::Metadata;
use pg_ephemeral_core::session::{Divergence, MetadataError, Name, Session, divergence};
use pg_ephemeral_core::snapshot::{Restored, State};
use pg_ephemeral_core::{Folders, InstanceName, MadeWith, StartError};
use serde::Serialize;

use crate::arguments::{Format, Global};
use crate::cache_views::rfc3339;
use crate::context::Context;
use crate::failure::Failure;
use crate::listing::{print_json, print_table};
use crate::session_commands::{all_sessions, find};

/// What a session that was started with another secret is listed with.
const OTHER_SECRET: &str = "other";

/// Which secret a session was started with, as listings show it.
fn secret_of(session: &Session, folders: &Folders) -> Result<&'static str, Failure> {
    Ok(match session.made_with(folders).map_err(Failure::secret)? {
        MadeWith::ThisSecret => "own",
        MadeWith::AnotherSecret => OTHER_SECRET,
    })
}

/// The name of a session in a table. Other commands refuse a session of another secret.
fn name_in_table(name: String, secret: &str) -> String {
    if secret == OTHER_SECRET { format!("{name} (of another secret)") } else { name }
}

/// One session, as `session list --format json` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct ListedSession {
    /// Its name.
    name: String,
    /// Its instance.
    instance: Option<String>,
    /// The backend it runs on.
    backend: &'static str,
    /// Its base image.
    image: Option<String>,
    /// How long it has run, in seconds.
    age: Option<u64>,
    /// In how many seconds it ends; `null` when it does not by itself.
    expires_in: Option<u64>,
    /// Its port on this machine.
    port: Option<u16>,
    /// Which secret its password was derived with: `own` or `other`.
    secret: &'static str,
}

impl ListedSession {
    pub(crate) fn of(session: &Session, folders: &Folders) -> Result<Self, Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Whole seconds: those that have passed, and those that are still to come.
        let next = now.as_secs() + u64::from(now.subsec_nanos() > 0);
        let labels = &session.summary().labels;
        let text = |key| labels.get(&key).map(ToString::to_string);
        let seconds = |key| text(key).and_then(|text| text.parse::<u64>().ok());
        Ok(Self {
            name: session.name().to_string(),
            instance: text(pg_ephemeral_core::label::INSTANCE_KEY),
            backend: session.container().backend().kind().as_str(),
            image: text(pg_ephemeral_core::label::IMAGE_KEY),
            age: seconds(pg_ephemeral_core::label::STARTED_KEY).map(|started| now.as_secs().saturating_sub(started)),
            expires_in: seconds(pg_ephemeral_core::label::EXPIRES_KEY).map(|end| end.saturating_sub(next)),
            port: session.summary().ports.first().map(|port| port.published.port()),
            secret: secret_of(session, folders)?,
        })
    }
}

pub(crate) async fn list(global: &Global, name: Option<&Name>) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let sessions = match name {
        Some(name) => vec![find(global, &context, name).await?],
        None => all_sessions(global, &context).await?,
    };
    let listed = sessions.iter().map(|session| ListedSession::of(session, &context.folders));
    let listed: Vec<_> = listed.collect::<Result<_, _>>()?;
    match global.format {
        Format::Json => print_json(&listed),
        _ => {
            let rows = listed.into_iter().map(|session| {
                [
                    name_in_table(session.name, session.secret),
                    session.instance.unwrap_or_default(),
                    session.backend.to_owned(),
                    session.image.unwrap_or_default(),
                    session.age.map(shown).unwrap_or_default(),
                    session.expires_in.map_or_else(|| "never".to_owned(), shown),
                    session.port.map(|port| port.to_string()).unwrap_or_default(),
                ]
            });
            print_table(["NAME", "INSTANCE", "BACKEND", "IMAGE", "AGE", "EXPIRES IN", "PORT"], rows)
        }
    }
}

fn shown(seconds: u64) -> String {
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}

/// How one session stands, as `session status --format json` shows it.
#[derive(Debug, Serialize)]
struct Standing {
    /// Its name.
    name: String,
    /// Its instance.
    instance: String,
    /// `sync`, `diverged` or `unknown-instance`.
    status: &'static str,
    /// What differs first.
    reason: Option<String>,
    /// What it was put back to last, or forked from; `null` when it never was.
    restored: Option<RestoredView>,
    /// Which secret its password was derived with: `own` or `other`.
    secret: &'static str,
}

/// What a session was put back to, in `session status`.
#[derive(Debug, Serialize)]
struct RestoredView {
    /// `seeds`, `snapshot` or `session`.
    to: &'static str,
    /// The session that the snapshot is of, or that it was forked from.
    session: Option<String>,
    /// The snapshot.
    snapshot: Option<String>,
    /// When (RFC 3339).
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

    /// In words, for the session of this name.
    fn words(&self, name: &str) -> String {
        let when = self.at.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
        match (&self.session, &self.snapshot) {
            (Some(session), Some(snapshot)) if session == name => format!("restored from {snapshot}{when}"),
            (Some(session), Some(snapshot)) => format!("forked from {snapshot} of {session}{when}"),
            (Some(session), None) => format!("forked from {session}{when}"),
            (None, _) => format!("reset to its seeds{when}"),
        }
    }
}

pub(crate) async fn status(global: &Global, name: Option<&Name>) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let sessions = match name {
        Some(name) => vec![find(global, &context, name).await?],
        None => all_sessions(global, &context).await?,
    };
    // Each instance is loaded once, however many sessions it has.
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
                let restored = standing.restored.map(|restored| restored.words(&standing.name));
                let reason = standing.reason.into_iter().chain(restored).collect::<Vec<_>>().join("; ");
                let name = name_in_table(standing.name, standing.secret);
                [name, standing.instance, standing.status.to_owned(), reason]
            });
            print_table(["NAME", "INSTANCE", "STATUS", "REASON"], rows)
        }
    }
}

/// One of the sessions that a status is about has labels that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the status of the session {session} can't be told")]
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
