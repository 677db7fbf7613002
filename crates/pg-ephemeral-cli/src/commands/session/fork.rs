//! `session fork`: starts a new session with the state of an existing one.

use std::time::Duration;

use pg_ephemeral_core::session::Name;
use pg_ephemeral_core::snapshot::{self, ForkOptions};

use super::find::{backends, find, find_on};
use super::view::{show, tell_of_stop};
use crate::args::Global;
use crate::commands::context::Context;
use crate::commands::working_folder::mountable_folder;
use crate::output::Failure;

/// Starts the session `to` with the state of the session `name`, or of its snapshot `from`.
pub(super) async fn fork(
    global: &Global,
    name: &Name,
    to: &Name,
    from: Option<&snapshot::Name>,
    ttl: Option<Duration>,
) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let options = ForkOptions { ttl, transparent_workdir: mountable_folder()? };
    let backends = backends(&context).await?;
    let session = match from {
        // Without a snapshot, the session has to run. The error of `find` names the running sessions.
        None => Some(find(&context, name).await?),
        Some(_) => find_on(&context, &backends, name).await?.running.pop(),
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
                    format!("there is no session {name} and no such snapshot of it"),
                    "`pg-ephemeral session snapshots` lists all there are",
                ));
            };
            snapshot.start_session(backend, &context.folders, to, &options).await?
        }
    };
    show(&context, &forked, &format!("session {to} runs on {}", forked.container().backend().kind()))
}
