//! Taking a snapshot of a session while clients are connected to it.

use std::time::Duration;

use ociman::label::Labels;
use ociman::{CommitSpec, Reference};

use super::{Name, SnapshotError, SnapshotLabel, SnapshotTag, discard};
use crate::io::random::random;
use crate::lifecycle::recover::lock;
use crate::model::label;
use crate::model::layer_image::snapshot_reference;
use crate::server::Server;
use crate::session::Session;
use crate::state::{Folders, Lock, MachineSecret, background};

/// The longest time that dropping the future of a snapshot blocks.
const LIMIT: Duration = Duration::from_secs(60);

/// What to do if the session already has a snapshot of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Existing {
    /// Fail, and keep the existing snapshot.
    #[default]
    Refuse,
    /// Give the name to the new snapshot. The existing one is removed once nothing runs on it.
    Replace,
}

/// Whether the server had to be stopped for a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Manner {
    /// The server was only paused for a moment, and connections stayed open.
    Live,
    /// The server was stopped and started again, to save UNLOGGED tables. This closed all connections.
    Stopped,
}

/// The result of taking a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Taken {
    /// The image of the snapshot.
    pub image: Reference,
    /// Whether the server had to be stopped.
    pub manner: Manner,
}

impl Session {
    /// Takes a snapshot of all databases as they are at one moment, even while clients are working with them. The
    /// snapshot contains every transaction that was committed before the call. A snapshot that has begun is completed:
    /// dropping the future blocks until then, for at most a minute.
    ///
    /// Runs two engine commands if the server need not be stopped. See [`Manner::Stopped`] for when it is.
    ///
    /// # Errors
    /// Returns [`SnapshotError::Exists`] if the session has a snapshot of this name and `existing` is
    /// [`Existing::Refuse`], and another error if the snapshot can't be taken.
    pub async fn snapshot(&self, folders: &Folders, name: &Name, existing: Existing) -> Result<Taken, SnapshotError> {
        let (session, folders, name) = (self.clone(), folders.clone(), name.clone());
        let taken = background::on_own_thread(async move || named(&session, &folders, &name, existing).await, LIMIT);
        taken.await.map_err(SnapshotError::System)?
    }
}

async fn named(session: &Session, folders: &Folders, name: &Name, existing: Existing) -> Result<Taken, SnapshotError> {
    let backend = session.container().backend();
    let instance = session.listed_metadata()?.instance;
    let tag = SnapshotTag::of(session.name(), name);
    let image = snapshot_reference(None, &instance, &tag).map_err(SnapshotError::ImageName)?;
    let _lock = lock(folders, backend, session.name()).await?;
    let _layers = Lock::of_build(folders, backend.kind(), &instance).await?;
    let found = backend.inspect_images(std::slice::from_ref(&image)).await.map_err(SnapshotError::LookUp)?;
    // An image that is not a snapshot is not kept: it loses the name without an error.
    let is_there = found.iter().flatten().any(|info| info.labels.get(&label::SNAPSHOT_KEY).is_some());
    if is_there && existing == Existing::Refuse {
        return Err(SnapshotError::Exists { session: session.name().clone(), name: name.clone() });
    }
    // The commit would leave the existing image without any name, and then it could no longer be recognised as a
    // snapshot.
    let aside = match is_there {
        true => {
            let tag = nameless_tag()?;
            let aside = snapshot_reference(None, &instance, &tag).map_err(SnapshotError::ImageName)?;
            let renamed = backend.tag(&image, &aside).await;
            renamed.map_err(|source| SnapshotError::Replace { image: image.to_string(), source })?;
            Some(aside)
        }
        false => None,
    };
    let taken = commit(session, folders, Some(name), image).await;
    if let Some(aside) = aside {
        discard(backend, &aside).await?;
    }
    taken
}

/// Returns a random tag, for a snapshot without a name.
pub(super) fn nameless_tag() -> Result<SnapshotTag, SnapshotError> {
    let mut bytes = [0; 32];
    random(&mut bytes).map_err(SnapshotError::System)?;
    Ok(SnapshotTag::of_random(bytes))
}

/// Takes a snapshot without a name, for a session that starts from it.
pub(super) async fn nameless(session: &Session, folders: &Folders) -> Result<Taken, SnapshotError> {
    let backend = session.container().backend();
    let instance = session.listed_metadata()?.instance;
    let tag = nameless_tag()?;
    let image = snapshot_reference(None, &instance, &tag).map_err(SnapshotError::ImageName)?;
    let _lock = lock(folders, backend, session.name()).await?;
    let _layers = Lock::of_build(folders, backend.kind(), &instance).await?;
    commit(session, folders, None, image).await
}

async fn commit(
    session: &Session,
    folders: &Folders,
    name: Option<&Name>,
    image: Reference,
) -> Result<Taken, SnapshotError> {
    let server = Server::attach(session, folders)?;
    let stopped = session.about_to_stop(folders);
    let nonce = session.credential().to_owned();
    let secret = Some(MachineSecret::load_or_create(folders)?.fingerprint(&nonce));
    let label = SnapshotLabel { session: session.name().clone(), name: name.cloned(), nonce, secret };
    // An image inherits the labels of its container. Labels that are only true of this server are emptied.
    let own = [
        label::SESSION_KEY,
        label::OWNER_KEY,
        label::EXPIRES_KEY,
        label::PROCESS_KEY,
        label::NONCE_KEY,
        label::CREDENTIAL_KEY,
        label::SECRET_KEY,
        label::STARTED_KEY,
        label::FOLDER_KEY,
        label::RESTORED_KEY,
        label::SSL_CA_CERT_PEM_KEY,
    ];
    let mut labels = Labels::from_iter(own.map(|key| (key, label::value(""))));
    labels.insert(label::SNAPSHOT_KEY, label::json_value(&label));
    labels.extend(image.tag().map(|tag| (label::TAG_KEY, label::value(tag.as_str()))));
    let manner = server.commit_as_it_is(session.name(), CommitSpec { image: image.clone(), labels }, &stopped).await?;
    Ok(Taken { image, manner })
}
