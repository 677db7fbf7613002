//! `session restore` and `session reset`: put a session back to a snapshot, or to its seeds.

use pg_ephemeral_core::session::Name;
use pg_ephemeral_core::snapshot::{self, AnotherSecret};

use super::find::find;
use super::view::show;
use crate::args::Global;
use crate::commands::context::Context;
use crate::output::{Failure, Progress};

/// Puts a session back to a snapshot.
pub(super) async fn restore(
    global: &Global,
    name: &Name,
    from: &snapshot::Name,
    foreign: AnotherSecret,
) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let session = find(&context, name).await?;
    let restored = session.restore(&context.folders, from, foreign).await?;
    show(&context, &restored, &format!("session {name} is back at {from}"))
}

/// Puts a session back to its seeds.
pub(super) async fn reset(
    global: &Global,
    name: &Name,
    foreign: AnotherSecret,
    progress: &Progress,
) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let session = find(&context, name).await?;
    let instance = session.listed_metadata().map_err(Failure::new)?.instance;
    let definition = progress.watch(context.definition_of(&instance)?);
    let reset = session.reset(&definition, foreign).await?;
    show(&context, &reset, &format!("session {name} is back at its seeds"))
}
