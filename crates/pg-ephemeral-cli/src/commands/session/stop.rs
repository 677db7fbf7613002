//! `session stop`: stops sessions.

use pg_ephemeral_core::MadeWith;
use pg_ephemeral_core::reap;
use pg_ephemeral_core::session::Name;
use pg_ephemeral_core::snapshot::{self, AnotherSecret, SnapshotError};

use super::find::{backends, find_on, not_running, sessions_on};
use crate::args::Global;
use crate::commands::context::Context;
use crate::output::{Failure, tell};

/// Stops one session, or all sessions if `name` is `None`.
pub(super) async fn stop(global: &Global, name: Option<&Name>, foreign: AnotherSecret) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let backends = backends(&context).await?;
    let mut was_abandoned = false;
    for backend in &backends {
        let stopped = name.map_or_else(|| snapshot::stopped(&context.folders, backend), |name| vec![name.clone()]);
        for session in stopped {
            was_abandoned |= snapshot::abandon(&context.folders, backend, &session).await?;
        }
    }
    let found = match name {
        Some(name) => find_on(&context, &backends, name).await?,
        None => sessions_on(&context, &backends).await?,
    };
    for session in found.running.iter().chain(&found.foreign_ended) {
        let other = session.made_with(&context.folders).map_err(Failure::secret)? == MadeWith::AnotherSecret;
        if other && foreign == AnotherSecret::Refuse {
            if name.is_some() {
                return Err(SnapshotError::AnotherSecret { session: session.name().clone() }.into());
            }
            tell(global, &format!("session {} is left alone: it was started with another secret", session.name()));
            continue;
        }
        session.clone().stop().await.map_err(Failure::new)?;
        reap::forget(&context.folders, session);
        tell(global, &format!("session {} is stopped", session.name()));
    }
    match name {
        Some(name) if found.is_empty() && was_abandoned => {
            tell(global, &format!("session {name} is stopped"));
            Ok(())
        }
        Some(name) if found.is_empty() => Err(not_running(&context, &backends, name).await?),
        _ => Ok(()),
    }
}
