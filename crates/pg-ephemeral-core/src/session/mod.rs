//! Named sessions: servers that outlive the command that started them. Here they are found, listed, compared and
//! stopped; that one is started is [`Definition::start_session`](crate::Definition::start_session)'s business.

mod status;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ociman::backend::ContainerListWithNameError;
use ociman::label::{Filter, Labels};
use ociman::{
    Backend, CommandError, Container, ContainerName, ContainerNameError, ContainerState, ContainerSummary, Reference,
};

/// Set for the commands that run on a session: its name.
pub const SESSION_VARIABLE: &str = "PG_EPHEMERAL_SESSION";

pub use crate::model::session::Name;
pub use status::{Divergence, SeedStatus, compute_seed_status, divergence};

use crate::model::layer_image::snapshot_name;
use crate::model::session::PENDING_PREFIX;
use crate::model::snapshot::State;
use crate::model::{Metadata, Owner, ReadError, Restored, SnapshotLabel, label};
use crate::postgres::tls::ServerIdentity;
use crate::state::record::Lifetime;
use crate::state::{Folders, MachineSecret, MadeWith, SecretError, Stopped, secret};

/// A session that is to be started.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) name: Name,
    /// When it ends, in seconds since the Unix epoch.
    pub(crate) expires: Option<u64>,
    /// The process that it ends with.
    pub(crate) process: Option<Owner>,
    pub(crate) inherited: Inherited,
}

/// What a session has from another: from the one in whose place it comes, or whose state it begins with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inherited {
    /// What the password is derived from.
    pub(crate) credential: Option<String>,
    /// Its port on this machine.
    pub(crate) port: Option<u16>,
    /// Labels, on top of a start's own.
    pub(crate) labels: Labels,
    /// The session of the same name that it takes over.
    pub(crate) replaces: Option<Stopped>,
}

impl Request {
    pub(crate) fn new(name: Name, ttl: Option<Duration>) -> Self {
        // An end that no clock can show never comes.
        let end = ttl.and_then(|ttl| SystemTime::now().checked_add(ttl));
        // A clock before 1970 leaves nothing to count. A part of a second counts as a whole: never before its time.
        let whole = |since: Duration| since.as_secs().saturating_add(u64::from(since.subsec_nanos() > 0));
        let expires = end.map(|end| end.duration_since(UNIX_EPOCH).map_or(0, whole));
        Self { name, expires, process: None, inherited: Inherited::default() }
    }

    /// The labels that only a session has.
    pub(crate) fn labels(&self) -> Labels {
        let name = [(label::SESSION_KEY, label::value(self.name.as_str()))];
        let expires = self.expires.map(|end| (label::EXPIRES_KEY, label::value(&end.to_string())));
        let process = self.process.iter().map(|process| (label::PROCESS_KEY, label::json_value(process)));
        let inherited = self.inherited.labels.clone();
        name.into_iter().chain(expires).chain(process).chain(inherited).collect()
    }

    /// How long it is wanted once it runs; `None` when that is until somebody stops it.
    pub(crate) fn lifetime(&self) -> Option<Lifetime> {
        let process = self.process.clone().map(Lifetime::Process);
        process.or_else(|| self.expires.map(Lifetime::Expires))
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
    #[error("failed to list session containers")]
    ListWithName(#[source] ContainerListWithNameError),
    /// A container has a session's label, and not the name of a session's container.
    #[error(
        "container {container_name} matched session label filter but name does not start with \"{}\"",
        Name::OCI_PREFIX
    )]
    MissingOciPrefix {
        /// The container.
        container_name: ContainerName,
    },
    /// A container has a session's label and prefix, and no name of a session behind that.
    #[error("session container name suffix is not a valid session name")]
    InvalidSessionName(#[source] ContainerNameError),
}

/// Why a session could not be looked for.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The backend did not list its containers, or one of them is no session's.
    #[error(transparent)]
    List(#[from] ListError),
    /// Several containers claim to be the session.
    #[error("multiple containers ({count}) carry the same session label value")]
    MultipleMatches {
        /// How many.
        count: usize,
    },
}

/// Why it could not be told what a session is.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// The backend did not tell its container's labels.
    #[error("failed to read session container labels")]
    ReadLabels(#[from] ociman::label::ContainerError),
    /// The labels are not those of a server.
    #[error("failed to decode pg-ephemeral metadata from session labels")]
    Decode(#[from] ReadError),
}

/// Why a session could not be stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// The backend did not remove its container.
    #[error("failed to remove session container")]
    Remove(#[source] CommandError),
}

impl Session {
    /// The sessions on a backend, by name, with those whose server has ended. One engine command.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn list_all(backend: &Backend) -> Result<Vec<Self>, ListError> {
        let mut sessions = existing(backend, Filter::key_only(&label::SESSION_KEY)).await?;
        sessions.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(sessions)
    }

    /// The session of this name, when it runs or its server has ended. One engine command.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn find_any(backend: &Backend, name: &Name) -> Result<Option<Self>, FindError> {
        only(existing(backend, named(name)).await?, name)
    }

    /// The session of this name, when its server runs, as the backend has it now. One engine command.
    ///
    /// # Errors
    /// [`FindError`].
    pub(crate) async fn running(backend: &Backend, name: &Name) -> Result<Option<Self>, FindError> {
        Ok(Self::find_any(backend, name).await?.filter(|session| !session.has_ended()))
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
        Ok(label::read_container(&self.container.labels().await?)?)
    }

    /// What its labels said when it was listed.
    ///
    /// # Errors
    /// [`MetadataError::Decode`].
    pub fn listed_metadata(&self) -> Result<Metadata, MetadataError> {
        Ok(label::read_container(&self.summary.labels)?)
    }

    /// What tells it from earlier and later sessions of its name.
    pub(crate) fn nonce(&self) -> &str {
        self.summary.labels.get(&label::NONCE_KEY).map(|nonce| nonce.as_str()).unwrap_or_default()
    }

    /// What its password is derived from.
    pub(crate) fn credential(&self) -> &str {
        secret::credential(&self.summary.labels).unwrap_or_default()
    }

    /// What its server is known by.
    pub(crate) fn identity(&self) -> ServerIdentity<'_> {
        ServerIdentity { credential: self.credential(), nonce: self.nonce() }
    }

    /// The session before its server is stopped for a moment. The caller holds its lock.
    pub(crate) fn about_to_stop(&self, folders: &Folders) -> Stopped {
        Stopped::beginning(folders, &self.name, &self.container, self.nonce())
    }

    /// Which secret its password was derived with. Only the one in these folders makes its password.
    ///
    /// # Errors
    /// [`SecretError`] when the secret can't be read.
    pub fn made_with(&self, folders: &Folders) -> Result<MadeWith, SecretError> {
        Ok(secret::made_with(&self.summary.labels, MachineSecret::load(folders)?.as_ref()))
    }

    /// Whether its server has ended, so that the next command removes it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.summary.state == ContainerState::Exited
    }

    /// Whether its time to live is over, so that the next command removes it.
    #[must_use]
    pub fn has_expired(&self) -> bool {
        let end = label::expires(&self.summary.labels);
        label::is_own_container(&self.summary.name, &self.summary.labels)
            && matches!(end, Ok(Some(end)) if end <= SystemTime::now())
    }

    /// Removes it. Afterwards it is gone from the backend.
    ///
    /// # Errors
    /// [`StopError::Remove`].
    pub async fn stop(self) -> Result<(), StopError> {
        self.container.remove_force_if(&self.summary.id).await.map_err(StopError::Remove)?;
        self.discard_its_image().await;
        Ok(())
    }

    /// Removes the image that was made for this session alone, once the session is gone.
    pub(crate) async fn discard_its_image(&self) {
        let restored = label::json::<Restored>(&self.summary.labels, label::RESTORED_KEY);
        if let Ok(Some(Restored { to: State::Session { image, session }, .. })) = restored
            && let Ok(image) = image.parse()
            && self.is_nameless_snapshot(&image, &session).await
        {
            // What stays is swept when nothing runs on it any more.
            let _ = self.container.backend().remove_image(&image).await;
        }
    }

    /// Whether an image is what its name and its labels have to be for it to be a fork's: a label can name any image.
    async fn is_nameless_snapshot(&self, image: &Reference, session: &Name) -> bool {
        if image.domain().is_some() || snapshot_name(image).is_none() {
            return false;
        }
        let found = self.container.backend().inspect_images(std::slice::from_ref(image)).await.unwrap_or_default();
        let labels = found.into_iter().flatten().next().map(|info| info.labels).unwrap_or_default();
        let snapshot = label::json::<SnapshotLabel>(&labels, label::SNAPSHOT_KEY);
        matches!(snapshot, Ok(Some(snapshot)) if snapshot.name.is_none() && snapshot.session == *session)
    }
}

fn named(name: &Name) -> Filter {
    Filter::exact(&label::SESSION_KEY, &label::value(name.as_str()))
}

/// A label alone does not make a container the session: its name must be the derived one.
fn only(mut matches: Vec<Session>, name: &Name) -> Result<Option<Session>, FindError> {
    match matches.len() {
        0 | 1 => Ok(matches.pop().filter(|session| session.name == *name)),
        count => Err(FindError::MultipleMatches { count }),
    }
}

/// Those that run, and those whose server has ended.
async fn existing(backend: &Backend, filter: Filter) -> Result<Vec<Session>, ListError> {
    let containers = backend.list(&[filter], &label::ALL).await;
    let containers = containers.map_err(|error| ListError::ListWithName(error.into()))?;
    let is_session = |container: &ContainerSummary| {
        let states = [ContainerState::Running, ContainerState::Paused, ContainerState::Exited];
        states.contains(&container.state) && !container.name.starts_with(PENDING_PREFIX)
    };
    containers.into_iter().filter(is_session).map(|container| session(backend, container)).collect()
}

fn session(backend: &Backend, summary: ContainerSummary) -> Result<Session, ListError> {
    let invalid = |source| ContainerListWithNameError::Name { name: summary.name.clone(), source };
    let container_name: ContainerName =
        summary.name.parse().map_err(|source| ListError::ListWithName(invalid(source)))?;
    let Some(plain) = container_name.as_str().strip_prefix(Name::OCI_PREFIX) else {
        return Err(ListError::MissingOciPrefix { container_name });
    };
    let name: Name = plain.parse().map_err(ListError::InvalidSessionName)?;
    Ok(Session { name, container: backend.container(container_name), summary })
}
