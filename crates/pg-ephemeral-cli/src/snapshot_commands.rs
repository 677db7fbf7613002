//! `session snapshot`, `snapshots`, `restore`, `reset` and `fork`: sessions that go back in time.

use std::time::Duration;

use ociman::Reference;
use pg_ephemeral_core::Folders;
use pg_ephemeral_core::session::{Name, Session};
use pg_ephemeral_core::snapshot::{self, AnotherSecret, Existing, ForkOptions, Manner, Snapshot, SnapshotError};
use serde::Serialize;

use crate::arguments::{Format, Global};
use crate::cache_views::rfc3339;
use crate::context::Context;
use crate::failure::Failure;
use crate::listing::{print_json, print_line, print_table};
use crate::progress::{Progress, say};
use crate::session_commands::{backends, find, find_on};
use crate::session_listing::ListedSession;
use crate::wrapped::mountable_folder;

/// A snapshot that was taken, as `session snapshot --format json` shows it.
#[derive(Debug, Serialize)]
struct TakenView<'a> {
    /// The session.
    session: &'a str,
    /// The snapshot.
    name: &'a str,
    /// Its image.
    image: Reference,
    /// Whether the server was stopped for it, and connections were cut.
    server_was_stopped: bool,
}

/// Takes a snapshot.
pub(crate) async fn take(
    global: &Global,
    name: &Name,
    snapshot: &snapshot::Name,
    existing: Existing,
) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let session = find(global, &context, name).await?;
    let taken = session.snapshot(&context.folders, snapshot, existing).await?;
    tell_of_stop(global, name, taken.manner);
    match global.format {
        Format::Json => print_json(&TakenView {
            session: name.as_str(),
            name: snapshot.as_str(),
            image: taken.image,
            server_was_stopped: taken.manner == Manner::Stopped,
        }),
        _ => print_line(&format!("session {name} is saved as {snapshot}")),
    }
}

fn tell_of_stop(global: &Global, name: &Name, manner: Manner) {
    if manner == Manner::Stopped && !global.quiet {
        say(&format!(
            "the server of session {name} was stopped for a moment to keep UNLOGGED tables; connections to it were cut"
        ));
    }
}

/// One snapshot, as `session snapshots --format json` shows it.
#[derive(Debug, Serialize)]
struct ListedSnapshot {
    /// The session.
    session: String,
    /// Its name.
    name: String,
    /// The instance.
    instance: String,
    /// The backend it is on.
    backend: &'static str,
    /// Its base image.
    base_image: String,
    /// When it was made (RFC 3339), as far as that is known.
    created: Option<String>,
    /// Bytes, with everything that is under it.
    size: u64,
    /// Its image.
    image: String,
}

impl ListedSnapshot {
    fn of(snapshot: Snapshot, backend: &'static str) -> Self {
        Self {
            session: snapshot.session.to_string(),
            name: snapshot.name.to_string(),
            instance: snapshot.metadata.instance.to_string(),
            backend,
            base_image: snapshot.metadata.image.to_string(),
            created: snapshot.created.map(rfc3339),
            size: snapshot.size,
            image: snapshot.image.to_string(),
        }
    }
}

/// Lists snapshots.
pub(crate) async fn list(global: &Global, name: Option<&Name>) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let mut listed = Vec::new();
    for backend in backends(global, &context).await? {
        let kind = backend.kind().as_str();
        let found = snapshot::list(&backend, name).await?;
        listed.extend(found.into_iter().map(|snapshot| ListedSnapshot::of(snapshot, kind)));
    }
    match global.format {
        Format::Json => print_json(&listed),
        _ => {
            let rows = listed.into_iter().map(|snapshot| {
                let created = snapshot.created.unwrap_or_default();
                [
                    snapshot.session,
                    snapshot.name,
                    snapshot.instance,
                    snapshot.backend.to_owned(),
                    created,
                    snapshot.image,
                ]
            });
            print_table(["SESSION", "SNAPSHOT", "INSTANCE", "BACKEND", "CREATED", "IMAGE"], rows)
        }
    }
}

/// Removes a snapshot, on whichever backend it is.
pub(crate) async fn remove(global: &Global, name: &Name, snapshot: &snapshot::Name) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let mut missing = None;
    for backend in backends(global, &context).await? {
        match snapshot::remove(&context.folders, &backend, name, snapshot).await {
            Err(error @ SnapshotError::NotFound { .. }) => missing = Some(error),
            Err(error) => return Err(error.into()),
            Ok(removed) => {
                return match global.format {
                    Format::Json => print_json(&ListedSnapshot::of(removed, backend.kind().as_str())),
                    _ => print_line(&format!("the snapshot {snapshot} of session {name} is removed")),
                };
            }
        }
    }
    missing.map_or(Ok(()), |error| Err(error.into()))
}

/// Puts a session back to a snapshot.
pub(crate) async fn restore(
    global: &Global,
    name: &Name,
    from: &snapshot::Name,
    foreign: AnotherSecret,
) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let session = find(global, &context, name).await?;
    let restored = session.restore(&context.folders, from, foreign).await?;
    show(global, &context.folders, &restored, &format!("session {name} is back at {from}"))
}

/// Puts a session back to its seeds.
pub(crate) async fn reset(
    global: &Global,
    name: &Name,
    foreign: AnotherSecret,
    progress: &Progress,
) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let session = find(global, &context, name).await?;
    let instance = session.listed_metadata().map_err(Failure::new)?.instance;
    let definition = context.definition_of(&instance)?;
    let definition = definition.observer(progress.observer()).seed_events(progress.seed_events());
    let reset = session.reset(&definition, foreign).await?;
    show(global, &context.folders, &reset, &format!("session {name} is back at its seeds"))
}

/// Starts another session with the state of one.
pub(crate) async fn fork(
    global: &Global,
    name: &Name,
    to: &Name,
    from: Option<&snapshot::Name>,
    ttl: Option<Duration>,
) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let options = ForkOptions { ttl, transparent_workdir: mountable_folder()? };
    let backends = backends(global, &context).await?;
    let session = match from {
        // It has to run, and the error says which do.
        None => Some(find(global, &context, name).await?),
        Some(_) => find_on(global, &context, &backends, name).await?.running.pop(),
    };
    let forked = match (session, from) {
        (Some(session), from) => {
            let (forked, manner) = session.fork(&context.folders, to, from, &options).await?;
            tell_of_stop(global, name, manner);
            forked
        }
        (None, from) => {
            let mut found = None;
            for backend in &backends {
                let snapshots = snapshot::list(backend, Some(name)).await?;
                let wanted = snapshots.into_iter().find(|snapshot| Some(&snapshot.name) == from);
                found = found.or(wanted.map(|snapshot| (backend, snapshot)));
            }
            let Some((backend, snapshot)) = found else {
                return Err(Failure::message(
                    format!("no session {name} runs, and it left no such snapshot"),
                    "`pg-ephemeral session snapshots` lists all there are",
                ));
            };
            snapshot.start_session(backend, &context.folders, to, &options).await?
        }
    };
    show(global, &context.folders, &forked, &format!("session {to} runs on {}", forked.container().backend().kind()))
}

fn show(global: &Global, folders: &Folders, session: &Session, line: &str) -> Result<(), Failure> {
    match global.format {
        Format::Json => print_json(&ListedSession::of(session, folders)?),
        _ => print_line(line),
    }
}
