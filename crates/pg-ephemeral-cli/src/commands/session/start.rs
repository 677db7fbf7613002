//! `session start`: starts a session.

use std::time::Duration;

use pg_ephemeral_core::session::Name;

use super::view::show;
use crate::args::Global;
use crate::commands::context::Context;
use crate::commands::working_folder::mountable_folder;
use crate::output::{Failure, Progress};

pub(super) async fn start(
    global: &Global,
    name: &Name,
    ttl: Option<Duration>,
    progress: &Progress,
) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let definition = context.definition()?.observer(progress.observer());
    let backend = definition.find_backend().await?;
    let is_here = backend.remote_host().is_none();
    let mut definition = definition.backend(backend);
    if let Some(folder) = mountable_folder()?.filter(|_| is_here) {
        definition = definition.transparent_workdir(folder);
    }
    let session = definition.start_session(name, ttl).await?;
    let line = format!("session {name} runs on {}", session.container().backend().kind());
    show(&context, &session, &line)
}
