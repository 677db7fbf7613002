//! Chooses the backends that a command works on.

use std::sync::Arc;

use ociman::{Backend, Kind, System};
use pg_ephemeral_core::Definition;
use pg_ephemeral_core::choose::{self, effective_choice};
use pg_ephemeral_core::config::BackendChoice;

use super::context::Context;
use crate::output::Failure;
use crate::process::{Signals, until_signal};

/// Returns the chosen backend, or every backend that works if the choice is automatic.
pub(crate) async fn working_backends(context: &Context<'_>) -> Result<Vec<Backend>, Failure> {
    let configured = context.config.backend().unwrap_or_default();
    let (choice, origin) = effective_choice(context.global.backend, configured)?;
    if let BackendChoice::Only(_) = choice {
        return Ok(vec![choose::backend(choice, origin, &context.folders, Arc::new(System)).await?]);
    }
    let mut working = Vec::new();
    for kind in Kind::ALL {
        working.extend(choose::attempt(kind, &context.folders, Arc::new(System)).await);
    }
    Ok(working)
}

/// Returns the backend for a command that concerns no particular instance.
pub(crate) async fn chosen_backend(context: &Context<'_>) -> Result<Backend, Failure> {
    let configured = context.config.backend().unwrap_or_default();
    let (choice, origin) = effective_choice(context.global.backend, configured)?;
    Ok(choose::backend(choice, origin, &context.folders, Arc::new(System)).await?)
}

/// Returns the definition and the kind of its backend. If a backend has to be found for this, the definition uses that
/// backend from then on.
pub(crate) async fn with_kind(definition: Definition, signals: &mut Signals) -> Result<(Definition, Kind), Failure> {
    if let Some(kind) = definition.certain_kind() {
        return Ok((definition, kind));
    }
    let backend = until_signal(signals, definition.find_backend()).await??;
    let kind = backend.kind();
    Ok((definition.backend(backend), kind))
}
