//! Sessions: named servers that outlive the command that started them. This module finds, lists, compares and stops
//! them. [`Definition::start_session`](crate::Definition::start_session) starts one.

mod status;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ociman::backend::ContainerListWithNameError;
use ociman::label::{Filter, Labels};
use ociman::{
    Backend, CommandError, Container, ContainerName, ContainerNameError, ContainerState, ContainerSummary, Reference,
};

/// The environment variable that holds the session's name in commands that run on a session.
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

/// A session to be started.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) name: Name,
    /// When the session expires, in seconds since the Unix epoch.
    pub(crate) expires: Option<u64>,
    /// The process at whose end the session ends too.
    pub(crate) process: Option<Owner>,
    pub(crate) inherited: Inherited,
}

/// Properties that a new session takes from another session: the session that it replaces, or the session whose state
/// it starts with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inherited {
    /// The value that the password is derived from.
    pub(crate) credential: Option<String>,
    /// The port on this machine.
    pub(crate) port: Option<u16>,
    /// Labels in addition to those of every start.
    pub(crate) labels: Labels,
    /// The session of the same name that is replaced.
    pub(crate) replaces: Option<Stopped>,
}

impl Request {
    pub(crate) fn new(name: Name, ttl: Option<Duration>) -> Self {
        // A time to live that `SystemTime` can't represent never ends.
        let end = ttl.and_then(|ttl| SystemTime::now().checked_add(ttl));
        // If the end is before 1970, it becomes 0. A fraction of a second is rounded up, so that the session does not
        // expire early.
        let whole = |since: Duration| since.as_secs().saturating_add(u64::from(since.subsec_nanos() > 0));
        let expires = end.map(|end| end.duration_since(UNIX_EPOCH).map_or(0, whole));
        Self { name, expires, process: None, inherited: Inherited::default() }
    }

    /// Returns the labels that only sessions have.
    pub(crate) fn labels(&self) -> Labels {
        let name = [(label::SESSION_KEY, label::value(self.name.as_str()))];
        let expires = self.expires.map(|end| (label::EXPIRES_KEY, label::value(&end.to_string())));
        let process = self.process.iter().map(|process| (label::PROCESS_KEY, label::json_value(process)));
        let inherited = self.inherited.labels.clone();
        name.into_iter().chain(expires).chain(process).chain(inherited).collect()
    }

    /// Returns when the running session is to be removed; `None` if only a stop ends it.
    pub(crate) fn lifetime(&self) -> Option<Lifetime> {
        let process = self.process.clone().map(Lifetime::Process);
        process.or_else(|| self.expires.map(Lifetime::Expires))
    }
}

/// A session on a backend. Its server runs, is paused, or has ended.
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

/// The reason why sessions could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The backend failed to list its containers.
    #[error("failed to list session containers")]
    ListWithName(#[source] ContainerListWithNameError),
    /// A container has the label of a session, but its name lacks the prefix of session containers.
    #[error(
        "container {container_name} matched session label filter but name does not start with \"{}\"",
        Name::OCI_PREFIX
    )]
    MissingOciPrefix {
        /// The name of the container.
        container_name: ContainerName,
    },
    /// A container has the label and the prefix of a session, but the rest of its name is not a valid session name.
    #[error("session container name suffix is not a valid session name")]
    InvalidSessionName(#[source] ContainerNameError),
}

/// The reason why the search for a session failed.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The session containers could not be listed.
    #[error(transparent)]
    List(#[from] ListError),
    /// Several containers carry the label of the session.
    #[error("multiple containers ({count}) carry the same session label value")]
    MultipleMatches {
        /// The number of containers.
        count: usize,
    },
}

/// The reason why the metadata of a session could not be read.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// The backend failed to return the labels of the container.
    #[error("failed to read session container labels")]
    ReadLabels(#[from] ociman::label::ContainerError),
    /// The labels are not valid labels of a pg-ephemeral server.
    #[error("failed to decode pg-ephemeral metadata from session labels")]
    Decode(#[from] ReadError),
}

/// The reason why a session could not be stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// The backend failed to remove the container.
    #[error("failed to remove session container")]
    Remove(#[source] CommandError),
}

impl Session {
    /// Returns all sessions on a backend, sorted by name, including those whose server has ended. Runs one engine
    /// command.
    ///
    /// # Errors
    /// Returns an error if the backend fails to list its containers, or if one of them has the label of a session but
    /// not a valid name for a session container.
    pub async fn list_all(backend: &Backend) -> Result<Vec<Self>, ListError> {
        let mut sessions = existing(backend, Filter::key_only(&label::SESSION_KEY)).await?;
        sessions.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(sessions)
    }

    /// Returns the session of this name, even if its server has ended; `None` if there is no such session. Runs one
    /// engine command.
    ///
    /// # Errors
    /// Returns an error if the session containers can't be listed, or if several of them carry the label of this
    /// session.
    pub async fn find_any(backend: &Backend, name: &Name) -> Result<Option<Self>, FindError> {
        only(existing(backend, named(name)).await?, name)
    }

    /// Returns the session of this name if its server has not ended. Does not finish what a killed command has begun,
    /// unlike [`Session::find`]. Runs one engine command.
    ///
    /// # Errors
    /// As [`Session::find_any`].
    pub(crate) async fn running(backend: &Backend, name: &Name) -> Result<Option<Self>, FindError> {
        Ok(Self::find_any(backend, name).await?.filter(|session| !session.has_ended()))
    }

    /// Returns the name of the session.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Returns the container that the session runs in.
    #[must_use]
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// Converts the session into its container, without stopping it.
    #[must_use]
    pub fn into_ociman_container(self) -> Container {
        self.container
    }

    /// Returns the state, ports and labels of the container at the time when the session was listed.
    #[must_use]
    pub fn summary(&self) -> &ContainerSummary {
        &self.summary
    }

    /// Reads the labels of the container from the backend and returns the metadata in them.
    ///
    /// # Errors
    /// Returns an error if the backend fails to return the labels, or if they are not valid.
    pub async fn metadata(&self) -> Result<Metadata, MetadataError> {
        Ok(label::read_container(&self.container.labels().await?)?)
    }

    /// Returns the metadata in the labels that the container had when the session was listed.
    ///
    /// # Errors
    /// Returns [`MetadataError::Decode`] if the labels are not valid.
    pub fn listed_metadata(&self) -> Result<Metadata, MetadataError> {
        Ok(label::read_container(&self.summary.labels)?)
    }

    /// Returns the nonce that distinguishes this session from earlier and later sessions of the same name.
    pub(crate) fn nonce(&self) -> &str {
        self.summary.labels.get(&label::NONCE_KEY).map(|nonce| nonce.as_str()).unwrap_or_default()
    }

    /// Returns the value that the password is derived from.
    pub(crate) fn credential(&self) -> &str {
        secret::credential(&self.summary.labels).unwrap_or_default()
    }

    /// Returns the values that identify the session's server.
    pub(crate) fn identity(&self) -> ServerIdentity<'_> {
        ServerIdentity { credential: self.credential(), nonce: self.nonce() }
    }

    /// Returns the handover note to write before the session's server is stopped temporarily. The caller holds the
    /// session's lock.
    pub(crate) fn about_to_stop(&self, folders: &Folders) -> Stopped {
        Stopped::beginning(folders, &self.name, &self.container, self.nonce())
    }

    /// Tells whether the session's password was derived from the secret in these folders. A password that was derived
    /// from another secret can't be computed with these folders.
    ///
    /// # Errors
    /// Returns an error if the secret can't be read.
    pub fn made_with(&self, folders: &Folders) -> Result<MadeWith, SecretError> {
        Ok(secret::made_with(&self.summary.labels, MachineSecret::load(folders)?.as_ref()))
    }

    /// Returns `true` if the session's server has ended. The next command removes such a session.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.summary.state == ContainerState::Exited
    }

    /// Returns `true` if the session's time to live is over. The next command removes such a session.
    #[must_use]
    pub fn has_expired(&self) -> bool {
        let end = label::expires(&self.summary.labels);
        label::is_own_container(&self.summary.name, &self.summary.labels)
            && matches!(end, Ok(Some(end)) if end <= SystemTime::now())
    }

    /// Stops the session's server and removes its container.
    ///
    /// # Errors
    /// Returns [`StopError::Remove`] if the backend fails to remove the container.
    pub async fn stop(self) -> Result<(), StopError> {
        self.container.remove_force_if(&self.summary.id).await.map_err(StopError::Remove)?;
        self.discard_its_image().await;
        Ok(())
    }

    /// Removes the nameless snapshot that was made for this session alone, if there is one. Called once the session's
    /// container is gone.
    pub(crate) async fn discard_its_image(&self) {
        let restored = label::json::<Restored>(&self.summary.labels, label::RESTORED_KEY);
        if let Ok(Some(Restored { to: State::Session { image, session }, .. })) = restored
            && let Ok(image) = image.parse()
            && self.is_nameless_snapshot(&image, &session).await
        {
            // If the image is still in use, `snapshot::sweep` removes it later.
            let _ = self.container.backend().remove_image(&image).await;
        }
    }

    /// Returns `true` if the name and the labels of an image show that it is a nameless snapshot of `session`. The
    /// caller checks this before it removes an image, because a label could name any image.
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

/// Returns the only match, if its name is the one that was searched for. The label alone is not enough.
fn only(mut matches: Vec<Session>, name: &Name) -> Result<Option<Session>, FindError> {
    match matches.len() {
        0 | 1 => Ok(matches.pop().filter(|session| session.name == *name)),
        count => Err(FindError::MultipleMatches { count }),
    }
}

/// Returns the sessions whose container runs, is paused, or has ended.
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
