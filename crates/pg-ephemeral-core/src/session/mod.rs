//! Named sessions: servers that outlive the command that started them. Here they are found, listed, compared and
//! stopped; that one is started is [`Definition::start_session`](crate::Definition::start_session)'s business.

mod name;
mod status;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ociman::label::{Filter, Labels};
use ociman::{Backend, Container, ContainerNameError, ContainerState, ContainerSummary};

pub use name::Name;
pub use status::{Divergence, SeedState, SeedStatus, compute_seed_status, divergence};

use crate::label::{self, LabelError, Metadata};
use crate::owner::Owner;
use crate::record::Tenure;
use crate::snapshot::{Restored, State};

/// What a session of a definition would be if it were started now; [`Definition::expected_state`] tells it.
///
/// [`Definition::expected_state`]: crate::Definition::expected_state
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedState {
    /// The base image.
    pub image: String,
    /// The seeds, in order.
    pub seeds: Vec<SeedState>,
}

impl ExpectedState {
    /// What differs first from a session; `None` when nothing does.
    #[must_use]
    pub fn divergence(&self, session: &Metadata) -> Option<Divergence> {
        let state = |seed: &label::SeedEntry| SeedState { name: seed.name.clone(), hash: seed.hash.clone() };
        let stored: Vec<_> = session.seeds.iter().map(state).collect();
        divergence(&session.image.to_string(), &stored, &self.image, &self.seeds)
    }
}

/// A session that is to be started.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) name: Name,
    /// When it ends, in seconds since the Unix epoch.
    pub(crate) expires: Option<u64>,
    /// The process that it ends with.
    pub(crate) process: Option<Owner>,
    pub(crate) heritage: Heritage,
}

/// What a session has from another: from the one in whose place it comes, or whose state it begins with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heritage {
    /// Its nonce, and with that the password.
    pub(crate) nonce: Option<String>,
    /// Its port on this machine.
    pub(crate) port: Option<u16>,
    /// Labels, on top of a start's own.
    pub(crate) labels: Labels,
    /// Whether it comes in the place of the one with its name and nonce, which is removed as late as can be; becomes
    /// true then.
    pub(crate) replaces: Option<Arc<AtomicBool>>,
}

impl Request {
    pub(crate) fn new(name: Name, ttl: Option<Duration>) -> Self {
        // An end that no clock can show never comes.
        let end = ttl.and_then(|ttl| SystemTime::now().checked_add(ttl));
        // A clock before 1970 leaves nothing to count. A part of a second counts as a whole: never before its time.
        let whole = |since: Duration| since.as_secs().saturating_add(u64::from(since.subsec_nanos() > 0));
        let expires = end.map(|end| end.duration_since(UNIX_EPOCH).map_or(0, whole));
        Self { name, expires, process: None, heritage: Heritage::default() }
    }

    /// The labels that only a session has.
    pub(crate) fn labels(&self) -> Labels {
        let name = [(label::SESSION, label::value(self.name.as_str()))];
        let expires = self.expires.map(|end| (label::EXPIRES, label::value(&end.to_string())));
        let process = self.process.iter().map(|process| (label::PROCESS, label::json_value(process)));
        let inherited = self.heritage.labels.clone();
        name.into_iter().chain(expires).chain(process).chain(inherited).collect()
    }

    /// How long it is wanted once it runs; `None` when that is until somebody stops it.
    pub(crate) fn tenure(&self) -> Option<Tenure> {
        let process = self.process.clone().map(Tenure::Process);
        process.or_else(|| self.expires.map(Tenure::Expires))
    }
}

/// A session that runs, or was paused by somebody.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use pg_ephemeral_core::session::Session;
/// use pg_ephemeral_core::session_name;
/// use pg_ephemeral_testkit::FakeBackend;
///
/// let fake = FakeBackend::podman().with_session("review", "docker.io/library/postgres:17", &[]);
/// let backend = fake.backend();
/// for session in Session::list(&backend).await? {
///     println!("{} in {}", session.name(), session.container().name());
/// }
/// if let Some(session) = Session::find(&backend, &session_name!("review")).await? {
///     session.stop().await?;
/// }
/// assert!(Session::list(&backend).await?.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Session {
    name: Name,
    container: Container,
    summary: ContainerSummary,
}

/// Why sessions could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The backend did not list its containers.
    #[error("list sessions")]
    ListWithName(#[source] ociman::Error),
    /// A container has a session's label, and not the name of a session's container.
    #[error(
        "the container {container_name} has the label {} and not the prefix {} in its name",
        label::SESSION,
        Name::OCI_PREFIX
    )]
    MissingOciPrefix {
        /// The container.
        container_name: String,
    },
    /// A container has a session's label and prefix, and no name of a session behind that.
    #[error("the container {container_name} is not named after a session")]
    InvalidSessionName {
        /// The container.
        container_name: String,
        /// What is wrong with the name.
        #[source]
        source: ContainerNameError,
    },
}

/// Why a session could not be looked for.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The backend did not list its containers, or one of them is no session's.
    #[error(transparent)]
    List(#[from] ListError),
    /// Several containers claim to be the session.
    #[error("{count} containers claim to be the session {name}")]
    MultipleMatches {
        /// The session.
        name: Name,
        /// How many.
        count: usize,
    },
}

/// Why it could not be told what a session is.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// The backend did not tell its container's labels.
    #[error("read the labels of the session {session}")]
    ReadLabels {
        /// The session.
        session: Name,
        /// What the backend said.
        #[source]
        source: ociman::Error,
    },
    /// The labels are not those of a server.
    #[error("read the labels of the session {session}")]
    Decode {
        /// The session.
        session: Name,
        /// Which label, and what is wrong with it.
        #[source]
        source: Box<LabelError>,
    },
}

/// Why a session could not be stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// The backend did not remove its container.
    #[error("remove the session's container")]
    Remove(#[source] ociman::Error),
}

impl Session {
    /// The sessions that run on a backend, by name. One engine command.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn list(backend: &Backend) -> Result<Vec<Self>, ListError> {
        let mut sessions = matching(backend, Filter::Key(label::SESSION)).await?;
        sessions.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(sessions)
    }

    /// The session of this name, when it runs. One engine command.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn find(backend: &Backend, name: &Name) -> Result<Option<Self>, FindError> {
        let mut matches = matching(backend, Filter::KeyValue(label::SESSION, label::value(name.as_str()))).await?;
        match matches.len() {
            // A label alone does not make a container the session: its name must be the derived one.
            0 | 1 => Ok(matches.pop().filter(|session| session.name == *name)),
            count => Err(FindError::MultipleMatches { name: name.clone(), count }),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The container it runs in.
    #[must_use]
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// The container, without the session.
    #[must_use]
    pub fn into_ociman_container(self) -> Container {
        self.container
    }

    /// What the listing told of its container: state, ports and labels.
    #[must_use]
    pub fn summary(&self) -> &ContainerSummary {
        &self.summary
    }

    /// What its labels say, asked of the backend anew.
    ///
    /// # Errors
    /// [`MetadataError`].
    pub async fn metadata(&self) -> Result<Metadata, MetadataError> {
        let info = self.container.inspect().await;
        let info = info.map_err(|source| MetadataError::ReadLabels { session: self.name.clone(), source })?;
        self.decode(&info.labels)
    }

    /// What its labels said when it was listed.
    ///
    /// # Errors
    /// [`MetadataError::Decode`].
    pub fn listed_metadata(&self) -> Result<Metadata, MetadataError> {
        self.decode(&self.summary.labels)
    }

    fn decode(&self, labels: &Labels) -> Result<Metadata, MetadataError> {
        let decoded = label::read_container(labels);
        decoded.map_err(|source| MetadataError::Decode { session: self.name.clone(), source: Box::new(source) })
    }

    /// What tells it from earlier and later sessions of its name.
    pub(crate) fn nonce(&self) -> &str {
        self.summary.labels.get(&label::NONCE).map(|nonce| nonce.as_str()).unwrap_or_default()
    }

    /// Whether its time to live is over, so that the next command removes it.
    #[must_use]
    pub fn has_expired(&self) -> bool {
        let end = label::expires(&self.summary.labels);
        matches!(end, Ok(Some(end)) if end <= SystemTime::now())
    }

    /// Removes it. Afterwards it is gone from the backend.
    ///
    /// # Errors
    /// [`StopError::Remove`].
    pub async fn stop(self) -> Result<(), StopError> {
        self.container.remove_forced().await.map_err(StopError::Remove)?;
        self.discard_its_image().await;
        Ok(())
    }

    /// Removes the image that was made for this session alone, once the session is gone.
    pub(crate) async fn discard_its_image(&self) {
        let restored = label::json::<Restored>(&self.summary.labels, label::RESTORED);
        if let Ok(Some(Restored { to: State::Session { image, .. }, .. })) = restored
            && let Ok(image) = image.parse()
        {
            // What stays is swept when nothing runs on it any more.
            let _ = self.container.backend().remove_image(&image).await;
        }
    }
}

async fn matching(backend: &Backend, filter: Filter) -> Result<Vec<Session>, ListError> {
    let containers = backend.list(&[filter], &label::ALL).await.map_err(ListError::ListWithName)?;
    let alive =
        |container: &ContainerSummary| matches!(container.state, ContainerState::Running | ContainerState::Paused);
    containers.into_iter().filter(alive).map(|container| session(backend, container)).collect()
}

fn session(backend: &Backend, summary: ContainerSummary) -> Result<Session, ListError> {
    let container_name = || summary.name.clone();
    let Some(plain) = summary.name.strip_prefix(Name::OCI_PREFIX) else {
        return Err(ListError::MissingOciPrefix { container_name: container_name() });
    };
    let name: Name =
        plain.parse().map_err(|source| ListError::InvalidSessionName { container_name: container_name(), source })?;
    let container = backend.container(name.container_name().clone());
    Ok(Session { name, container, summary })
}
