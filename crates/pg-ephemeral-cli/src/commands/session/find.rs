//! Finding sessions on all backends: what killed commands left is put right first, and what has ended is removed.

use std::time::{Duration, Instant};

use ociman::{Backend, ContainerState};
use pg_ephemeral_core::MadeWith;
use pg_ephemeral_core::Server;
use pg_ephemeral_core::reap::{self, Patience, reap_recorded};
use pg_ephemeral_core::session::{Name, Session};
use pg_ephemeral_core::snapshot::{self, Whose};

use crate::commands::backends::working_backends;
use crate::commands::context::Context;
use crate::output::{Failure, tell};

/// How long a session is waited for whose server an engine holds still, as it does while a snapshot is made of it.
const PAUSE_LIMIT: Duration = Duration::from_secs(5);
const PAUSE_STEP: Duration = Duration::from_millis(100);

/// What is printed of it stays good after this command.
pub(crate) async fn attach_for_output(context: &Context<'_>, name: &Name) -> Result<Server, Failure> {
    let session = find(context, name).await?;
    let mut server = Server::attach(&session, &context.folders)?;
    server.keep_ca_file(&session, &context.folders).map_err(Failure::new)?;
    Ok(server)
}

/// The session of this name on any backend that works; the error says which sessions there are.
pub(super) async fn find(context: &Context<'_>, name: &Name) -> Result<Session, Failure> {
    let backends = backends(context).await?;
    match find_on(context, &backends, name).await?.running.pop() {
        Some(session) => Ok(session),
        None => Err(not_running(context, &backends, name).await?),
    }
}

pub(super) async fn not_running(context: &Context<'_>, backends: &[Backend], name: &Name) -> Result<Failure, Failure> {
    let running = sessions_on(context, backends).await?.running;
    let known: Vec<_> = running.iter().map(|session| session.name().to_string()).collect();
    let hint = if known.is_empty() {
        format!("none runs at all; `pg-ephemeral session start --name {name}` starts this one")
    } else {
        format!("these run: {}", known.join(", "))
    };
    Ok(Failure::message(format!("no session {name} runs"), hint))
}

/// The sessions that were looked for.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    /// Those that run.
    pub(super) running: Vec<Session>,
    /// Those whose server has ended, which have been removed.
    ended: Vec<Name>,
    /// Those whose server has ended, and that were started with another secret.
    pub(super) foreign_ended: Vec<Session>,
}

impl Lookup {
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty() && self.ended.is_empty() && self.foreign_ended.is_empty()
    }

    fn add(&mut self, other: Self) {
        self.running.extend(other.running);
        self.ended.extend(other.ended);
        self.foreign_ended.extend(other.foreign_ended);
    }
}

/// The session of this name on one of these backends.
pub(super) async fn find_on(context: &Context<'_>, backends: &[Backend], name: &Name) -> Result<Lookup, Failure> {
    for backend in backends {
        snapshot::put_back(&context.folders, backend, name).await?;
    }
    let found = look_up_on(context, backends, name).await?;
    if !found.is_empty() {
        return Ok(found);
    }
    let mut look_again = false;
    for backend in backends {
        look_again |= snapshot::settled(&context.folders, backend, name).await?;
    }
    if look_again { look_up_on(context, backends, name).await } else { Ok(found) }
}

fn is_paused(session: &Session) -> bool {
    session.summary().state == ContainerState::Paused
}

async fn look_up_on(context: &Context<'_>, backends: &[Backend], name: &Name) -> Result<Lookup, Failure> {
    for backend in backends {
        let mut session = Session::find_any(backend, name).await.map_err(Failure::new)?;
        let deadline = Instant::now() + PAUSE_LIMIT;
        while session.as_ref().is_some_and(is_paused) && Instant::now() < deadline {
            tokio::time::sleep(PAUSE_STEP).await;
            session = Session::find_any(backend, name).await.map_err(Failure::new)?;
        }
        let found = classify(context, session).await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Lookup::default())
}

/// The session of this name, or all that run.
pub(super) async fn sessions(context: &Context<'_>, name: Option<&Name>) -> Result<Vec<Session>, Failure> {
    match name {
        Some(name) => Ok(vec![find(context, name).await?]),
        None => Ok(sessions_on(context, &backends(context).await?).await?.running),
    }
}

/// The backends to look at, without what killed starts have left there and without sessions whose time is over. A command
/// that has stopped the server of a session for a moment is waited for.
pub(super) async fn backends(context: &Context<'_>) -> Result<Vec<Backend>, Failure> {
    let backends = working_backends(context).await?;
    for backend in &backends {
        reap_recorded(&context.folders, backend, Patience::Hurry).await;
    }
    Ok(backends)
}

pub(super) async fn sessions_on(context: &Context<'_>, backends: &[Backend]) -> Result<Lookup, Failure> {
    let mut all = Lookup::default();
    for backend in backends {
        if let Err(error) = snapshot::put_all_back(&context.folders, backend, Whose::Any).await {
            // The others can be listed all the same.
            let failure = Failure::from(error);
            let hint = failure.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
            tell(context.global, &format!("warning: {}{hint}", failure.in_one_line()));
        }
        let listed = Session::list_all(backend).await.map_err(Failure::new)?;
        all.add(classify(context, listed).await?);
    }
    Ok(all)
}

/// Those that run. Those whose time is over are removed, whoever started them, and so are those whose server has ended.
async fn classify(context: &Context<'_>, sessions: impl IntoIterator<Item = Session>) -> Result<Lookup, Failure> {
    let mut found = Lookup::default();
    for session in sessions {
        if session.has_expired() {
            reap::remove_expired(&context.folders, &session).await.map_err(Failure::new)?;
        } else if !session.has_ended() {
            found.running.push(session);
        } else if session.made_with(&context.folders).map_err(Failure::secret)? == MadeWith::AnotherSecret {
            found.foreign_ended.push(session);
        } else if reap::remove_ended(&context.folders, &session).await.map_err(Failure::new)? {
            tell(context.global, &format!("session {} is removed: its server had ended", session.name()));
            found.ended.push(session.name().clone());
        }
    }
    Ok(found)
}
