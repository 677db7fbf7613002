//! `session …`: manages sessions, which are named servers that outlive the command.

use clap::error::ErrorKind;
use pg_ephemeral_core::session::Name;
use pg_ephemeral_core::snapshot::{AnotherSecret, Existing};

use super::wrapped::Form;
use crate::args::{Global, SessionArguments, SessionCommand};
use crate::output::{Failure, Progress, wrong_usage};
use crate::process::{Signals, until_signal};

mod attached;
mod env;
pub(crate) mod find;
mod fork;
mod list;
mod restore;
mod snapshot;
mod start;
mod status;
mod stop;
mod view;

use attached::Copy;

/// Runs a session command and returns the exit status.
pub(crate) async fn run(
    global: &Global,
    arguments: &SessionArguments,
    progress: &Progress,
    signals: &mut Signals,
) -> Result<u8, Failure> {
    let name = arguments.name.as_ref();
    let copy = match (arguments.fresh_database, arguments.command.wraps()) {
        (false, _) => Copy::Seeded,
        (true, true) => Copy::Fresh,
        (true, false) => {
            wrong_usage(ErrorKind::ArgumentConflict, "--fresh-database is for commands that run on a session")
        }
    };
    let (wrapped, form) = match &arguments.command {
        SessionCommand::Attached(wrapped) => (wrapped, Form::Bare),
        SessionCommand::Host { wrapped } => (wrapped, Form::Host),
        SessionCommand::Container { wrapped } => (wrapped, Form::Container),
        command => return until_signal(signals, carry_out(global, name, command, progress)).await?.map(|()| 0),
    };
    attached::run(global, required(name), copy, wrapped, form, signals).await
}

/// Runs a session command that does not wrap another command.
async fn carry_out(
    global: &Global,
    name: Option<&Name>,
    command: &SessionCommand,
    progress: &Progress,
) -> Result<(), Failure> {
    match command {
        SessionCommand::Start { ttl } => start::start(global, required(name), *ttl, progress).await,
        SessionCommand::List => list::list(global, name).await,
        SessionCommand::Status => status::status(global, name).await,
        SessionCommand::Stop { all, force } => {
            let name = match name {
                Some(name) if *all => {
                    wrong_usage(ErrorKind::ArgumentConflict, &format!("--all or --name {name}: not both"))
                }
                None if *all => None,
                name => Some(required(name)),
            };
            stop::stop(global, name, foreign(*force)).await
        }
        SessionCommand::Snapshot { snapshot: Some(snapshot), replace, .. } => {
            let existing = if *replace { Existing::Replace } else { Existing::Refuse };
            snapshot::take(global, required(name), snapshot, existing).await
        }
        SessionCommand::Snapshot { remove: Some(snapshot), .. } => {
            snapshot::remove(global, required(name), snapshot).await
        }
        SessionCommand::Snapshots => snapshot::list(global, name).await,
        SessionCommand::Restore { from, force } => {
            restore::restore(global, required(name), from, foreign(*force)).await
        }
        SessionCommand::Reset { force } => restore::reset(global, required(name), foreign(*force), progress).await,
        SessionCommand::Fork { to, from, ttl } => fork::fork(global, required(name), to, from.as_ref(), *ttl).await,
        SessionCommand::Url => env::url(global, required(name)).await,
        SessionCommand::Env => env::env(global, required(name)).await,
        // Unreachable: the argument parser requires a snapshot to take or to remove, and `run` handles wrapped
        // commands.
        SessionCommand::Snapshot { .. }
        | SessionCommand::Attached(_)
        | SessionCommand::Host { .. }
        | SessionCommand::Container { .. } => Ok(()),
    }
}

/// Returns what to do with a session of another secret, depending on `--force`.
fn foreign(force: bool) -> AnotherSecret {
    if force { AnotherSecret::TakeOver } else { AnotherSecret::Refuse }
}

/// Returns the session name. Exits with a usage error if there is none.
fn required(name: Option<&Name>) -> &Name {
    match name {
        Some(name) => name,
        None => wrong_usage(ErrorKind::MissingRequiredArgument, "which session? It is named by `--name <NAME>`"),
    }
}
