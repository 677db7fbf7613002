//! Finds sessions on all backends.

use ociman::Backend;
use pg_ephemeral_core::reap::{LateStarts, reap_recorded};
use pg_ephemeral_core::session::{Name, Session};
use pg_ephemeral_core::{FoundSessions, Server};

use crate::commands::backends::working_backends;
use crate::commands::context::Context;
use crate::output::{Failure, tell};

/// Attaches to a session so that printed connection settings stay valid after this command: the file of the CA
/// certificate is kept.
pub(crate) async fn attach_for_output(context: &Context<'_>, name: &Name) -> Result<Server, Failure> {
    let session = find(context, name).await?;
    let mut server = Server::attach(&session, &context.folders)?;
    server.keep_ca_file(&session, &context.folders).map_err(Failure::new)?;
    Ok(server)
}

/// Returns the session with this name on any backend that works. The error names the running sessions.
pub(super) async fn find(context: &Context<'_>, name: &Name) -> Result<Session, Failure> {
    let backends = backends(context).await?;
    match find_on(context, &backends, name).await?.running.pop() {
        Some(session) => Ok(session),
        None => Err(not_running(context, &backends, name).await?),
    }
}

pub(super) async fn not_running(context: &Context<'_>, backends: &[Backend], name: &Name) -> Result<Failure, Failure> {
    let running = sessions_on(context, backends).await?.running;
    let known: Vec<_> = running.iter().map(|session| session.name().to_string()).collect();
    let hint = if known.is_empty() {
        format!("no session is running; `pg-ephemeral session start --name {name}` starts it")
    } else {
        format!("running sessions: {}", known.join(", "))
    };
    Ok(Failure::message(format!("there is no session {name}"), hint))
}

/// Returns the session with this name on the first of `backends` that has one.
pub(super) async fn find_on(
    context: &Context<'_>,
    backends: &[Backend],
    name: &Name,
) -> Result<FoundSessions, Failure> {
    for backend in backends {
        let found = FoundSessions::named(&context.folders, backend, name).await?;
        tell_removed(context, &found);
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(FoundSessions::default())
}

/// Returns the session with this name, or all running sessions if `name` is `None`.
pub(super) async fn sessions(context: &Context<'_>, name: Option<&Name>) -> Result<Vec<Session>, Failure> {
    match name {
        Some(name) => Ok(vec![find(context, name).await?]),
        None => Ok(sessions_on(context, &backends(context).await?).await?.running),
    }
}

/// Returns the backends to search, after leftovers of killed commands and expired sessions have been removed from them.
/// Waits for a command that has stopped a session's server for a moment.
pub(super) async fn backends(context: &Context<'_>) -> Result<Vec<Backend>, Failure> {
    let backends = working_backends(context).await?;
    for backend in &backends {
        reap_recorded(&context.folders, backend, LateStarts::Hurry).await;
    }
    Ok(backends)
}

pub(super) async fn sessions_on(context: &Context<'_>, backends: &[Backend]) -> Result<FoundSessions, Failure> {
    let mut all = FoundSessions::default();
    for backend in backends {
        let (found, put_back) = FoundSessions::all(&context.folders, backend).await?;
        if let Err(error) = put_back {
            // The other sessions can still be listed.
            let failure = Failure::from(error);
            let hint = failure.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
            tell(context.global, &format!("warning: {}{hint}", failure.in_one_line()));
        }
        tell_removed(context, &found);
        all.add(found);
    }
    Ok(all)
}

fn tell_removed(context: &Context<'_>, found: &FoundSessions) {
    for name in &found.removed {
        tell(context.global, &format!("session {name} is removed: its server had ended"));
    }
}
