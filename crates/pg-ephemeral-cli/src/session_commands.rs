//! `session …`: starting, listing, comparing and stopping named servers, and running commands against one.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::error::ErrorKind;
use ociman::{Backend, Kind, Variable};
use pg_ephemeral_core::reap::{self, Patience, reap_recorded};
use pg_ephemeral_core::session::{Divergence, ExpectedState, Name, Session};
use pg_ephemeral_core::snapshot::{self, Existing, Restored, State};
use pg_ephemeral_core::{InstanceName, Server};
use serde::Serialize;

use crate::arguments::{Format, Global, SessionArguments, SessionCommand, Wrapped, wrong_usage};
use crate::cache_views::rfc3339;
use crate::context::{Context, current_folder};
use crate::failure::Failure;
use crate::listing::{print_json, print_line, print_table, working_backends};
use crate::progress::{Progress, say};
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
        SessionCommand::List => until_signal(signals, list(global)).await?,
        SessionCommand::Status => until_signal(signals, status(global, name)).await?,
        SessionCommand::Stop { all } => {
            let name = match name {
                Some(name) if *all => {
                    wrong_usage(ErrorKind::ArgumentConflict, &format!("--all or --name {name}: not both"))
                }
                None if *all => None,
                name => Some(required(name)),
            };
            until_signal(signals, stop(global, name)).await?
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
        SessionCommand::Restore { from } => {
            until_signal(signals, snapshot_commands::restore(global, required(name), from)).await?
        }
        SessionCommand::Reset => {
            until_signal(signals, snapshot_commands::reset(global, required(name), progress)).await?
        }
        SessionCommand::Fork { to, from, ttl } => {
            let ttl = ttl.map(Duration::from);
            until_signal(signals, snapshot_commands::fork(global, required(name), to, from.as_ref(), ttl)).await?
        }
        SessionCommand::Url => until_signal(signals, url(global, required(name))).await?,
        SessionCommand::Env => until_signal(signals, env(global, required(name))).await?,
    };
    told.map(|()| 0)
}

/// The name that was given; without one this is wrong usage, and ends so.
fn required(name: Option<&Name>) -> &Name {
    match name {
        Some(name) => name,
        None => wrong_usage(ErrorKind::MissingRequiredArgument, "which session? It is named by `--name <NAME>`"),
    }
}

async fn start(
    global: &Global,
    name: &Name,
    ttl: Option<humantime::Duration>,
    progress: &Progress,
) -> Result<(), Failure> {
    let definition = Context::load(global)?.definition(global)?.observer(progress.observer());
    let backend = definition.find_backend().await?;
    let is_here = backend.remote_host().is_none();
    let mut definition = definition.backend(backend);
    if let Some(folder) = wrapped::mountable_folder()?.filter(|_| is_here) {
        definition = definition.transparent_workdir(folder);
    }
    let session = definition.start_session(name, ttl.map(Duration::from)).await?;
    match global.format {
        Format::Json => print_json(&ListedSession::of(&session)),
        _ => print_line(&format!("session {name} runs on {}", session.container().backend().kind())),
    }
}

/// One session, as `session list --format json` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct ListedSession {
    /// Its name.
    name: String,
    /// Its instance.
    instance: Option<String>,
    /// The backend it runs on.
    backend: &'static str,
    /// Its base image.
    image: Option<String>,
    /// How long it has run, in seconds.
    age: Option<u64>,
    /// In how many seconds it ends; `null` when it does not by itself.
    expires_in: Option<u64>,
    /// Its port on this machine.
    port: Option<u16>,
}

impl ListedSession {
    pub(crate) fn of(session: &Session) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Whole seconds: those that have passed, and those that are still to come.
        let next = now.as_secs() + u64::from(now.subsec_nanos() > 0);
        let labels = &session.summary().labels;
        let text = |key| labels.get(&key).map(ToString::to_string);
        let seconds = |key| text(key).and_then(|text| text.parse::<u64>().ok());
        Self {
            name: session.name().to_string(),
            instance: text(pg_ephemeral_core::label::INSTANCE),
            backend: session.container().backend().kind().as_str(),
            image: text(pg_ephemeral_core::label::IMAGE),
            age: seconds(pg_ephemeral_core::label::STARTED).map(|started| now.as_secs().saturating_sub(started)),
            expires_in: seconds(pg_ephemeral_core::label::EXPIRES).map(|end| end.saturating_sub(next)),
            port: session.summary().ports.first().map(|port| port.published.port()),
        }
    }
}

async fn list(global: &Global) -> Result<(), Failure> {
    let sessions = all_sessions(global, &Context::load(global)?).await?;
    let listed: Vec<_> = sessions.iter().map(ListedSession::of).collect();
    match global.format {
        Format::Json => print_json(&listed),
        _ => {
            let rows = listed.into_iter().map(|session| {
                [
                    session.name,
                    session.instance.unwrap_or_default(),
                    session.backend.to_owned(),
                    session.image.unwrap_or_default(),
                    session.age.map(shown).unwrap_or_default(),
                    session.expires_in.map_or_else(|| "never".to_owned(), shown),
                    session.port.map(|port| port.to_string()).unwrap_or_default(),
                ]
            });
            print_table(["NAME", "INSTANCE", "BACKEND", "IMAGE", "AGE", "EXPIRES IN", "PORT"], rows)
        }
    }
}

fn shown(seconds: u64) -> String {
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}

/// How one session stands, as `session status --format json` shows it.
#[derive(Debug, Serialize)]
struct Standing {
    /// Its name.
    name: String,
    /// Its instance.
    instance: String,
    /// `sync`, `diverged` or `unknown-instance`.
    status: &'static str,
    /// What differs first.
    reason: Option<String>,
    /// What it was put back to last, or forked from; `null` when it never was.
    restored: Option<RestoredView>,
}

/// What a session was put back to, in `session status`.
#[derive(Debug, Serialize)]
struct RestoredView {
    /// `seeds`, `snapshot` or `session`.
    to: &'static str,
    /// The session that the snapshot is of, or that it was forked from.
    session: Option<String>,
    /// The snapshot.
    snapshot: Option<String>,
    /// When (RFC 3339).
    at: Option<String>,
}

impl RestoredView {
    fn of(restored: &Restored) -> Self {
        let (to, session, snapshot) = match &restored.to {
            State::Seeds => ("seeds", None, None),
            State::Snapshot { session, name } => ("snapshot", Some(session.to_string()), Some(name.to_string())),
            State::Session { session, .. } => ("session", Some(session.to_string()), None),
        };
        Self { to, session, snapshot, at: restored.time().map(rfc3339) }
    }

    /// In words, for the session of this name.
    fn words(&self, name: &str) -> String {
        let when = self.at.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
        match (&self.session, &self.snapshot) {
            (Some(session), Some(snapshot)) if session == name => format!("restored from {snapshot}{when}"),
            (Some(session), Some(snapshot)) => format!("forked from {snapshot} of {session}{when}"),
            (Some(session), None) => format!("forked from {session}{when}"),
            (None, _) => format!("reset to its seeds{when}"),
        }
    }
}

async fn status(global: &Global, name: Option<&Name>) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let sessions = match name {
        Some(name) => vec![find(global, &context, name).await?],
        None => all_sessions(global, &context).await?,
    };
    // Each instance is loaded once, however many sessions it has.
    let mut expected: BTreeMap<(&'static str, InstanceName), ExpectedState> = BTreeMap::new();
    let mut standings = Vec::new();
    for session in &sessions {
        let metadata = session.listed_metadata().map_err(Failure::new)?;
        let backend = session.container().backend();
        let key = (backend.kind().as_str(), metadata.instance.clone());
        let known = context.config.instances().contains_key(&metadata.instance);
        if known && !expected.contains_key(&key) {
            let definition = context.definition_of(&metadata.instance)?.backend(backend.clone());
            expected.insert(key.clone(), definition.expected_state().await?);
        }
        let difference = expected.get(&key).map(|expected| expected.divergence(&metadata));
        let restored = metadata.restored.as_ref().map(RestoredView::of);
        standings.push(Standing { restored, ..standing(session.name(), &metadata.instance, difference) });
    }
    match global.format {
        Format::Json => print_json(&standings),
        _ => {
            let rows = standings.into_iter().map(|standing| {
                let restored = standing.restored.map(|restored| restored.words(&standing.name));
                let reason = standing.reason.into_iter().chain(restored).collect::<Vec<_>>().join("; ");
                [standing.name, standing.instance, standing.status.to_owned(), reason]
            });
            print_table(["NAME", "INSTANCE", "STATUS", "REASON"], rows)
        }
    }
}

fn standing(name: &Name, instance: &InstanceName, difference: Option<Option<Divergence>>) -> Standing {
    let (status, reason) = match difference {
        None => ("unknown-instance", None),
        Some(None) => ("sync", None),
        Some(Some(difference)) => ("diverged", Some(difference.to_string())),
    };
    Standing { name: name.to_string(), instance: instance.to_string(), status, reason, restored: None }
}

/// Stops one session, or all of them.
async fn stop(global: &Global, name: Option<&Name>) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let sessions = match name {
        Some(name) => vec![find(global, &context, name).await?],
        None => all_sessions(global, &context).await?,
    };
    for session in sessions {
        let name = session.name().clone();
        session.clone().stop().await.map_err(Failure::new)?;
        reap::forget(&context.folders, &session);
        if !global.quiet {
            say(&format!("session {name} is stopped"));
        }
    }
    Ok(())
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
    let mut server = Server::attach(&session, &context.folders).map_err(Failure::new)?;
    if copy == Copy::Seeded {
        return wrapped::run_on(&server, wrapped, place, signals).await;
    }
    let database = until_signal(signals, server.single_database()).await??;
    server.lead_to(&database);
    let ended = wrapped::run_on(&server, wrapped, place, signals).await;
    let closed = database.close().await;
    let status = ended?;
    closed?;
    Ok(status)
}

/// A command with the working directory at hand needs that to be in what the session's container sees.
fn refuse_folder_outside(session: &Session) -> Result<(), Failure> {
    let here = current_folder()?;
    let mounted = session.summary().labels.get(&pg_ephemeral_core::label::FOLDER).map(ToString::to_string);
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
    let mut server = Server::attach(&session, &context.folders).map_err(Failure::new)?;
    server.keep_ca_file(&session, &context.folders).map_err(Failure::new)?;
    Ok(server)
}

/// The session of this name on any backend that works; the error says which sessions there are.
pub(crate) async fn find(global: &Global, context: &Context, name: &Name) -> Result<Session, Failure> {
    let backends = backends(global, context).await?;
    if let Some(session) = find_on(context, &backends, name).await? {
        return Ok(session);
    }
    let known: Vec<_> =
        sessions_on(context, &backends).await?.iter().map(|session| session.name().to_string()).collect();
    let hint = if known.is_empty() {
        format!("no session runs; `pg-ephemeral session start --name {name}` starts one")
    } else {
        format!("these run: {}", known.join(", "))
    };
    Err(Failure::message(format!("no session {name} runs"), hint))
}

/// The session of this name on one of these backends.
pub(crate) async fn find_on(context: &Context, backends: &[Backend], name: &Name) -> Result<Option<Session>, Failure> {
    for backend in backends {
        snapshot::put_back(&context.folders, backend, name).await.map_err(Failure::new)?;
    }
    if let Some(session) = look_on(context, backends, name).await? {
        return Ok(Some(session));
    }
    let mut look_again = false;
    for backend in backends {
        look_again |= snapshot::settled(&context.folders, backend, name).await.map_err(Failure::new)?;
    }
    if look_again { look_on(context, backends, name).await } else { Ok(None) }
}

async fn look_on(context: &Context, backends: &[Backend], name: &Name) -> Result<Option<Session>, Failure> {
    for backend in backends {
        let found = Session::find(backend, name).await.map_err(Failure::new)?;
        if let Some(session) = living(context, found).await?.pop() {
            return Ok(Some(session));
        }
    }
    Ok(None)
}

async fn all_sessions(global: &Global, context: &Context) -> Result<Vec<Session>, Failure> {
    sessions_on(context, &backends(global, context).await?).await
}

/// The backends to look at, without what killed starts have left there and without sessions whose time is over.
pub(crate) async fn backends(global: &Global, context: &Context) -> Result<Vec<Backend>, Failure> {
    let backends = working_backends(global, context).await?;
    for backend in &backends {
        reap_recorded(&context.folders, backend, Patience::Hurry).await;
    }
    Ok(backends)
}

async fn sessions_on(context: &Context, backends: &[Backend]) -> Result<Vec<Session>, Failure> {
    let mut sessions = Vec::new();
    for backend in backends {
        let listed = Session::list(backend).await.map_err(Failure::new)?;
        sessions.extend(living(context, listed).await?);
    }
    Ok(sessions)
}

/// Those whose time is not over. The others are removed, whoever started them.
async fn living(context: &Context, sessions: impl IntoIterator<Item = Session>) -> Result<Vec<Session>, Failure> {
    let (expired, living): (Vec<_>, Vec<_>) = sessions.into_iter().partition(Session::has_expired);
    for session in expired {
        reap::remove_expired(&context.folders, &session).await.map_err(Failure::new)?;
    }
    Ok(living)
}
