//! `session …`: starting, finding and stopping named servers, and running commands against one.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::error::ErrorKind;
use ociman::{Backend, Kind, Variable};
use pg_ephemeral_core::reap::{self, Patience, reap_recorded};
use pg_ephemeral_core::session::{Name, Session};
use pg_ephemeral_core::snapshot::{self, AnotherSecret, Existing, SnapshotError};
use pg_ephemeral_core::{FoundSessions, MadeWith, Server};

use crate::arguments::{Format, Global, SessionArguments, SessionCommand, Wrapped, wrong_usage};
use crate::context::{Context, current_folder};
use crate::failure::Failure;
use crate::listing::{print_json, print_line, working_backends};
use crate::progress::{Progress, say};
use crate::session_listing::{self, ListedSession};
use crate::signals::Signals;
use crate::snapshot_commands;
use crate::wrapped::{self, Place, until_signal};

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
    let attached = async |wrapped, place, signals| attached(global, name, copy, wrapped, place, signals).await;
    let told = match &arguments.command {
        SessionCommand::Attached(wrapped) => return attached(wrapped, Place::Transparent, signals).await,
        SessionCommand::Host { wrapped } => return attached(wrapped, Place::Host, signals).await,
        SessionCommand::Container { wrapped } => return attached(wrapped, Place::Container, signals).await,
        SessionCommand::Start { ttl } => until_signal(signals, start(global, required(name), *ttl, progress)).await?,
        SessionCommand::List => until_signal(signals, session_listing::list(global, name)).await?,
        SessionCommand::Status => until_signal(signals, session_listing::status(global, name)).await?,
        SessionCommand::Stop { all, force } => {
            let name = match name {
                Some(name) if *all => {
                    wrong_usage(ErrorKind::ArgumentConflict, &format!("--all or --name {name}: not both"))
                }
                None if *all => None,
                name => Some(required(name)),
            };
            until_signal(signals, stop(global, name, foreign(*force))).await?
        }
        SessionCommand::Snapshot { snapshot: Some(snapshot), replace, .. } => {
            let existing = if *replace { Existing::Replace } else { Existing::Refuse };
            until_signal(signals, snapshot_commands::take(global, required(name), snapshot, existing)).await?
        }
        SessionCommand::Snapshot { remove: Some(snapshot), .. } => {
            until_signal(signals, snapshot_commands::remove(global, required(name), snapshot)).await?
        }
        // The arguments have been checked: one of the two is there.
        SessionCommand::Snapshot { .. } => Ok(()),
        SessionCommand::Snapshots => until_signal(signals, snapshot_commands::list(global, name)).await?,
        SessionCommand::Restore { from, force } => {
            let foreign = foreign(*force);
            until_signal(signals, snapshot_commands::restore(global, required(name), from, foreign)).await?
        }
        SessionCommand::Reset { force } => {
            let foreign = foreign(*force);
            until_signal(signals, snapshot_commands::reset(global, required(name), foreign, progress)).await?
        }
        SessionCommand::Fork { to, from, ttl } => {
            until_signal(signals, snapshot_commands::fork(global, required(name), to, from.as_ref(), *ttl)).await?
        }
        SessionCommand::Url => until_signal(signals, url(global, required(name))).await?,
        SessionCommand::Env => until_signal(signals, env(global, required(name))).await?,
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

async fn start(global: &Global, name: &Name, ttl: Option<Duration>, progress: &Progress) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let folders = context.folders.clone();
    let definition = context.definition(global)?.observer(progress.observer());
    let backend = definition.find_backend().await?;
    let is_here = backend.remote_host().is_none();
    let mut definition = definition.backend(backend);
    if let Some(folder) = wrapped::mountable_folder()?.filter(|_| is_here) {
        definition = definition.transparent_workdir(folder);
    }
    let session = definition.start_session(name, ttl).await?;
    match global.format {
        Format::Json => print_json(&ListedSession::of(&session, &folders)?),
        _ => print_line(&format!("session {name} runs on {}", session.container().backend().kind())),
    }
}

/// Stops one session, or all of them.
async fn stop(global: &Global, name: Option<&Name>, foreign: AnotherSecret) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let backends = backends(global, &context).await?;
    let mut was_abandoned = false;
    for backend in &backends {
        let stopped = name.map_or_else(|| snapshot::stopped(&context.folders, backend), |name| vec![name.clone()]);
        for session in stopped {
            was_abandoned |= snapshot::abandon(&context.folders, backend, &session).await?;
        }
    }
    let found = match name {
        Some(name) => find_on(global, &context, &backends, name).await?,
        None => sessions_on(global, &context, &backends).await?,
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
        Some(name) if found.is_empty() => Err(not_running(global, &context, &backends, name).await?),
        _ => Ok(()),
    }
}

fn tell(global: &Global, line: &str) {
    if !global.quiet {
        say(line);
    }
}

async fn url(global: &Global, name: &Name) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let server = attach_for_output(global, &context, name).await?;
    print_line(server.url().expose())
}

async fn env(global: &Global, name: &Name) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let variables = attach_for_output(global, &context, name).await?.pg_env();
    match global.format {
        Format::Json => {
            let pairs: BTreeMap<_, _> = variables.iter().map(|variable| (&variable.name, variable.expose())).collect();
            print_json(&pairs)
        }
        Format::Text | Format::Shell => {
            variables.iter().try_for_each(|variable| print_line(&format!("export {}", assignment(variable))))
        }
        Format::Dotenv => variables.iter().try_for_each(|variable| print_line(&dotenv_line(variable))),
    }
}

/// `NAME='value'`: in single quotes a shell takes everything but those as it is.
fn assignment(variable: &Variable) -> String {
    format!("{}='{}'", variable.name, variable.expose().replace('\'', r"'\''"))
}

/// What both a shell and readers of `.env` files take as it is, where there is a way: those know no `'\''`.
fn dotenv_line(variable: &Variable) -> String {
    let value = variable.expose();
    match value.contains('\'') && !value.contains(['"', '$', '`', '\\', '!']) {
        true => format!("{}=\"{value}\"", variable.name),
        false => assignment(variable),
    }
}

/// What of a session a command runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copy {
    /// The seeded database.
    Seeded,
    /// A copy of it that is made for the command.
    Fresh,
}

/// Runs a command against a session. When it ends, the session goes on.
async fn attached(
    global: &Global,
    name: Option<&Name>,
    copy: Copy,
    wrapped: &Wrapped,
    place: Place,
    signals: &mut Signals,
) -> Result<u8, Failure> {
    let context = Context::load(global)?;
    let session = until_signal(signals, find(global, &context, required(name))).await??;
    if place == Place::Transparent && session.container().backend().kind() != Kind::Host {
        refuse_folder_outside(&session)?;
    }
    let mut server = Server::attach(&session, &context.folders)?;
    if copy == Copy::Seeded {
        return wrapped::run_on(&server, wrapped, place, signals).await;
    }
    let database = until_signal(signals, server.single_database()).await??;
    server.set_database(&database);
    let ended = wrapped::run_on(&server, wrapped, place, signals).await;
    let closed = database.close().await;
    let status = ended?;
    closed?;
    Ok(status)
}

/// A command with the working directory at hand needs that to be in what the session's container sees.
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

/// What is printed of it stays good after this command.
pub(crate) async fn attach_for_output(global: &Global, context: &Context, name: &Name) -> Result<Server, Failure> {
    let session = find(global, context, name).await?;
    let mut server = Server::attach(&session, &context.folders)?;
    server.keep_ca_file(&session, &context.folders).map_err(Failure::new)?;
    Ok(server)
}

/// The session of this name on any backend that works; the error says which sessions there are.
pub(crate) async fn find(global: &Global, context: &Context, name: &Name) -> Result<Session, Failure> {
    let backends = backends(global, context).await?;
    match find_on(global, context, &backends, name).await?.running.pop() {
        Some(session) => Ok(session),
        None => Err(not_running(global, context, &backends, name).await?),
    }
}

async fn not_running(
    global: &Global,
    context: &Context,
    backends: &[Backend],
    name: &Name,
) -> Result<Failure, Failure> {
    let running = sessions_on(global, context, backends).await?.running;
    let known: Vec<_> = running.iter().map(|session| session.name().to_string()).collect();
    let hint = if known.is_empty() {
        format!("none runs at all; `pg-ephemeral session start --name {name}` starts this one")
    } else {
        format!("these run: {}", known.join(", "))
    };
    Ok(Failure::message(format!("no session {name} runs"), hint))
}

/// The session of this name on one of these backends.
pub(crate) async fn find_on(
    global: &Global,
    context: &Context,
    backends: &[Backend],
    name: &Name,
) -> Result<FoundSessions, Failure> {
    for backend in backends {
        let found = FoundSessions::named(&context.folders, backend, name).await?;
        tell_removed(global, &found);
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(FoundSessions::default())
}

pub(crate) async fn all_sessions(global: &Global, context: &Context) -> Result<Vec<Session>, Failure> {
    let backends = backends(global, context).await?;
    Ok(sessions_on(global, context, &backends).await?.running)
}

/// The backends to look at, without what killed starts have left there and without sessions whose time is over. A command
/// that has stopped the server of a session for a moment is waited for.
pub(crate) async fn backends(global: &Global, context: &Context) -> Result<Vec<Backend>, Failure> {
    let backends = working_backends(global, context).await?;
    for backend in &backends {
        reap_recorded(&context.folders, backend, Patience::Hurry).await;
    }
    Ok(backends)
}

async fn sessions_on(global: &Global, context: &Context, backends: &[Backend]) -> Result<FoundSessions, Failure> {
    let mut all = FoundSessions::default();
    for backend in backends {
        let (found, put_back) = FoundSessions::all(&context.folders, backend).await?;
        if let Err(error) = put_back {
            // The others can be listed all the same.
            let failure = Failure::from(error);
            let hint = failure.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
            tell(global, &format!("warning: {}{hint}", failure.in_one_line()));
        }
        tell_removed(global, &found);
        all.add(found);
    }
    Ok(all)
}

fn tell_removed(global: &Global, found: &FoundSessions) {
    for name in &found.removed {
        tell(global, &format!("session {name} is removed: its server had ended"));
    }
}
