//! `session …`: named servers that outlive the command.

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

/// Carries out one session command and gives the exit status.
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
    let attached =
        async |wrapped, form, signals| attached::run(global, required(name), copy, wrapped, form, signals).await;
    let told = match &arguments.command {
        SessionCommand::Attached(wrapped) => return attached(wrapped, Form::Bare, signals).await,
        SessionCommand::Host { wrapped } => return attached(wrapped, Form::Host, signals).await,
        SessionCommand::Container { wrapped } => return attached(wrapped, Form::Container, signals).await,
        SessionCommand::Start { ttl } => {
            until_signal(signals, start::start(global, required(name), *ttl, progress)).await?
        }
        SessionCommand::List => until_signal(signals, list::list(global, name)).await?,
        SessionCommand::Status => until_signal(signals, status::status(global, name)).await?,
        SessionCommand::Stop { all, force } => {
            let name = match name {
                Some(name) if *all => {
                    wrong_usage(ErrorKind::ArgumentConflict, &format!("--all or --name {name}: not both"))
                }
                None if *all => None,
                name => Some(required(name)),
            };
            until_signal(signals, stop::stop(global, name, foreign(*force))).await?
        }
        SessionCommand::Snapshot { snapshot: Some(snapshot), replace, .. } => {
            let existing = if *replace { Existing::Replace } else { Existing::Refuse };
            until_signal(signals, snapshot::take(global, required(name), snapshot, existing)).await?
        }
        SessionCommand::Snapshot { remove: Some(snapshot), .. } => {
            until_signal(signals, snapshot::remove(global, required(name), snapshot)).await?
        }
        // The arguments have been checked: one of the two is there.
        SessionCommand::Snapshot { .. } => Ok(()),
        SessionCommand::Snapshots => until_signal(signals, snapshot::list(global, name)).await?,
        SessionCommand::Restore { from, force } => {
            let foreign = foreign(*force);
            until_signal(signals, restore::restore(global, required(name), from, foreign)).await?
        }
        SessionCommand::Reset { force } => {
            let foreign = foreign(*force);
            until_signal(signals, restore::reset(global, required(name), foreign, progress)).await?
        }
        SessionCommand::Fork { to, from, ttl } => {
            until_signal(signals, fork::fork(global, required(name), to, from.as_ref(), *ttl)).await?
        }
        SessionCommand::Url => until_signal(signals, env::url(global, required(name))).await?,
        SessionCommand::Env => until_signal(signals, env::env(global, required(name))).await?,
    };
    told.map(|()| 0)
}

/// What `--force` asks for.
fn foreign(force: bool) -> AnotherSecret {
    if force { AnotherSecret::TakeOver } else { AnotherSecret::Refuse }
}

/// The name that was given; without one this is wrong usage, and ends so.
fn required(name: Option<&Name>) -> &Name {
    match name {
        Some(name) => name,
        None => wrong_usage(ErrorKind::MissingRequiredArgument, "which session? It is named by `--name <NAME>`"),
    }
}
