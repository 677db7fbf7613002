//! `session snapshot` and `session snapshots`: take, list and remove snapshots.

use ociman::Reference;
use pg_ephemeral_core::session::Name;
use pg_ephemeral_core::snapshot::{self, Existing, Manner, Snapshot, SnapshotError};
use serde::Serialize;

use super::find::{backends, find};
use super::view::tell_of_stop;
use crate::args::{Format, Global};
use crate::commands::context::Context;
use crate::output::{Failure, print_json, print_line, print_table, rfc3339};

/// A snapshot that was taken, as `session snapshot --format json` shows it.
#[derive(Debug, Serialize)]
struct TakenView<'a> {
    /// The session.
    session: &'a str,
    /// The name of the snapshot.
    name: &'a str,
    /// The image that holds the snapshot.
    image: Reference,
    /// Whether the server was stopped for the snapshot, which cut its connections.
    server_was_stopped: bool,
}

/// Takes a snapshot.
pub(super) async fn take(
    global: &Global,
    name: &Name,
    snapshot: &snapshot::Name,
    existing: Existing,
) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let session = find(&context, name).await?;
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

/// A snapshot, as `session snapshots --format json` shows it.
#[derive(Debug, Serialize)]
struct ListedSnapshot {
    /// The session.
    session: String,
    /// The name of the snapshot.
    name: String,
    /// The instance.
    instance: String,
    /// The backend that the snapshot is on.
    backend: &'static str,
    /// The base image.
    base_image: String,
    /// When the snapshot was taken (RFC 3339), if known.
    created: Option<String>,
    /// The size in bytes, including the layers below.
    size: u64,
    /// The image that holds the snapshot.
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

/// Prints the snapshots of one session, or all snapshots if `name` is `None`.
pub(super) async fn list(global: &Global, name: Option<&Name>) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let mut listed = Vec::new();
    for backend in backends(&context).await? {
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

/// Removes a snapshot from the first backend that has it.
pub(super) async fn remove(global: &Global, name: &Name, snapshot: &snapshot::Name) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let mut missing = None;
    for backend in backends(&context).await? {
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
