//! Runs commands on a session.

use ociman::Kind;
use pg_ephemeral_core::Server;
use pg_ephemeral_core::session::{Name, Session};

use super::find::find;
use crate::args::{Global, Wrapped};
use crate::commands::context::Context;
use crate::commands::working_folder::current_folder;
use crate::commands::wrapped::{self, Form};
use crate::output::Failure;
use crate::process::{Signals, until_signal};

/// The database of a session that a command runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Copy {
    /// The seeded database.
    Seeded,
    /// A copy of the seeded database, made for the command.
    Fresh,
}

/// Runs a command on a session. The session keeps running when the command ends.
pub(super) async fn run(
    global: &Global,
    name: &Name,
    copy: Copy,
    wrapped: &Wrapped,
    form: Form,
    signals: &mut Signals,
) -> Result<u8, Failure> {
    let context = Context::load(global)?;
    let session = until_signal(signals, find(&context, name)).await??;
    if form == Form::Bare && session.container().backend().kind() != Kind::Host {
        refuse_folder_outside(&session)?;
    }
    let mut server = Server::attach(&session, &context.folders)?;
    if copy == Copy::Seeded {
        return wrapped::run_on(&server, wrapped, form, signals).await;
    }
    let database = until_signal(signals, server.single_database()).await??;
    server.set_database(&database);
    let ended = wrapped::run_on(&server, wrapped, form, signals).await;
    let closed = database.close().await;
    let status = ended?;
    closed?;
    Ok(status)
}

/// Returns an error if the session's container does not see the working directory, which a command in the bare form
/// needs.
fn refuse_folder_outside(session: &Session) -> Result<(), Failure> {
    let here = current_folder()?;
    let mounted = session.summary().labels.get(&pg_ephemeral_core::label::FOLDER_KEY).map(ToString::to_string);
    let outside = |mounted: &str| {
        Failure::message(
            format!("the session {} does not see the working directory {}", session.name(), here.display()),
            format!("{mounted}, or use the `host` or `container` form of the command"),
        )
    };
    match mounted {
        Some(folder) if here.starts_with(&folder) => Ok(()),
        Some(folder) => Err(outside(&format!("change to {folder}"))),
        None => Err(outside(match session.container().backend().remote_host() {
            Some(_) => "nothing of this machine is on that of its engine",
            None => "start the session in a folder that can be mounted",
        })),
    }
}
