//! `session list`: prints the running sessions.

use pg_ephemeral_core::session::Name;

use super::find::sessions;
use super::view::ListedSession;
use crate::args::{Format, Global};
use crate::commands::context::Context;
use crate::output::{Failure, print_json, print_table};

pub(super) async fn list(global: &Global, name: Option<&Name>) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let sessions = sessions(&context, name).await?;
    let listed = sessions.iter().map(|session| ListedSession::of(session, &context.folders));
    let listed: Vec<_> = listed.collect::<Result<_, _>>()?;
    match global.format {
        Format::Json => print_json(&listed),
        _ => {
            let rows = listed.into_iter().map(ListedSession::into_row);
            print_table(["NAME", "INSTANCE", "BACKEND", "IMAGE", "AGE", "EXPIRES IN", "PORT"], rows)
        }
    }
}
