//! Restoring a session to an earlier state, and starting a session with the state of another.

use std::path::PathBuf;
use std::time::Duration;

use ociman::label::{Key, Labels};
use ociman::{Backend, Kind, Reference, Secret};

use super::take::{nameless, nameless_tag};
use super::{Name, Restored, Snapshot, SnapshotError, SnapshotTag, State, discard};
use crate::lifecycle::recover::{lock, put_back_locked};
use crate::lifecycle::start::{self, refuse_existing};
use crate::model::layer_image::{image_reference, snapshot_reference};
use crate::model::{InstanceName, LayerLabel, Metadata, SeedHash, SslConfig, label};
use crate::postgres::tls::session_ca_file;
use crate::server::resolve::data_volume;
use crate::server::{Definition, Server, SettingsLabel, StartError, StartFromImage};
use crate::session::{self, Inherited, Request, Session, divergence};
use crate::state::{Folders, MachineSecret, MadeWith, background};

/// The longest time that dropping the future of a restore, reset or fork blocks.
const LIMIT: Duration = Duration::from_secs(60);
/// Labels that describe the content of a server. They are copied to the new server together with the content.
const OF_CONTENT: [Key; 3] = [label::IMAGE_KEY, label::SEEDS_KEY, label::LAYER_KEY];

/// Options for a session that starts with the state of another session.
#[derive(Debug, Clone, Default)]
pub struct ForkOptions {
    /// The time to live of the new session; `None` means no time limit.
    pub ttl: Option<Duration>,
    /// The folder that is visible at the same path inside the container; see [`Definition::transparent_workdir`].
    pub transparent_workdir: Option<PathBuf>,
}

/// What to do with a session that was started with another secret, if its server is to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AnotherSecret {
    /// Fail, and leave the session unchanged.
    #[default]
    Refuse,
    /// Replace the server. The session gets a password that is derived from this secret, and the old password becomes
    /// invalid.
    TakeOver,
}

impl Session {
    /// Restores the session to a snapshot: a new server replaces the session's server, with the same name, port,
    /// password and expiry. Connections to the old server are closed. A restore that has begun is completed: dropping
    /// the future blocks until then, for at most a minute. Concurrent restores of one session run one after the other.
    ///
    /// # Errors
    /// Returns [`SnapshotError::Lost`] if the session is gone. After any other error the session is as it was before.
    pub async fn restore(&self, folders: &Folders, from: &Name, foreign: AnotherSecret) -> Result<Self, SnapshotError> {
        let (session, folders, from) = (self.clone(), folders.clone(), from.clone());
        let restored =
            background::on_own_thread(async move || restore(&session, &folders, &from, foreign).await, LIMIT);
        restored.await.map_err(SnapshotError::System)?
    }

    /// Restores the session to the state after the seeds that it was started with, in the same way as
    /// [`Session::restore`]. If no layer has this state, for example because a seed is not cached, the seeds are
    /// applied again. The image and seeds of the definition must then be those that the session was started with.
    ///
    /// # Errors
    /// As [`Session::restore`].
    pub async fn reset(&self, definition: &Definition, foreign: AnotherSecret) -> Result<Self, SnapshotError> {
        let (session, definition) = (self.clone(), definition.clone());
        let reset = background::on_own_thread(async move || reset(&session, definition, foreign).await, LIMIT);
        reset.await.map_err(SnapshotError::System)?
    }

    /// Starts another session with the state of this one. The state is that of the snapshot `from`, or the current one
    /// if
    /// `from` is `None`. The new session has its own port, password and expiry. This session keeps running; its server
    /// is restarted if the returned manner is [`Manner::Stopped`](super::Manner::Stopped).
    ///
    /// # Errors
    /// Returns an error if the snapshot or the new session can't be made. Nothing of the new session is left then.
    pub async fn fork(
        &self,
        folders: &Folders,
        to: &session::Name,
        from: Option<&Name>,
        options: &ForkOptions,
    ) -> Result<(Self, super::Manner), SnapshotError> {
        let backend = self.container().backend();
        // Checked first, so that no snapshot is made for nothing.
        refuse_existing(folders, backend, to).await?;
        let secret = MachineSecret::load_or_create(folders)?;
        let instance = self.listed_metadata()?.instance;
        if let Some(name) = from {
            let source = Source::of_snapshot(backend, &secret, &instance, self.name(), name, self.image()).await?;
            let state = State::Snapshot { session: self.name().clone(), name: name.clone() };
            let session = begin(folders, backend, to, source, options, state).await?;
            return Ok((session, super::Manner::Live));
        }
        let (session, own_folders) = (self.clone(), folders.clone());
        let taken = background::on_own_thread(async move || nameless(&session, &own_folders).await, LIMIT);
        let taken = taken.await.map_err(SnapshotError::System)??;
        let state = State::Session { session: self.name().clone(), image: taken.image.to_string() };
        let started = async {
            let source = Source::of_image(backend, &secret, &taken.image, self.image()).await?;
            let source = source.ok_or_else(|| gone(&taken.image))?;
            begin(folders, backend, to, source, options, state).await
        };
        match started.await {
            Ok(session) => Ok((session, taken.manner)),
            Err(error) => {
                // If the image can't be removed now, `sweep` removes it later.
                let _ = discard(backend, &taken.image).await;
                Err(error)
            }
        }
    }

    /// Returns the base image that the session's label names.
    fn image(&self) -> Option<Reference> {
        self.summary().labels.get(&label::IMAGE_KEY)?.as_str().parse().ok()
    }
}

impl Snapshot {
    /// Starts a session with the state of this snapshot. The session that the snapshot was taken of need not exist any
    /// more.
    ///
    /// # Errors
    /// As [`Session::fork`].
    pub async fn start_session(
        &self,
        backend: &Backend,
        folders: &Folders,
        to: &session::Name,
        options: &ForkOptions,
    ) -> Result<Session, SnapshotError> {
        refuse_existing(folders, backend, to).await?;
        let secret = MachineSecret::load_or_create(folders)?;
        let source = Source::of_image(backend, &secret, &self.image, Some(self.metadata.image.clone())).await?;
        let source =
            source.ok_or_else(|| SnapshotError::NotFound { session: self.session.clone(), name: self.name.clone() })?;
        let state = State::Snapshot { session: self.session.clone(), name: self.name.clone() };
        begin(folders, backend, to, source, options, state).await
    }
}

/// An image to start a server from, with everything that the start needs to know about it.
struct Source {
    image: Reference,
    key: SeedHash,
    labels: Labels,
    metadata: Metadata,
    data_volume: Option<String>,
    password: Secret,
}

impl Source {
    async fn of_snapshot(
        backend: &Backend,
        secret: &MachineSecret,
        instance: &InstanceName,
        session: &session::Name,
        name: &Name,
        base: Option<Reference>,
    ) -> Result<Self, SnapshotError> {
        let tag = SnapshotTag::of(session, name);
        let image = snapshot_reference(None, instance, &tag).map_err(SnapshotError::ImageName)?;
        let found = Self::of_image(backend, secret, &image, base).await?;
        let is_asked_for = |source: &Self| {
            let label = source.metadata.snapshot.as_ref();
            label.is_some_and(|label| label.session == *session && label.name.as_ref() == Some(name))
        };
        // The label decides: an image may have this name but hold the snapshot of another session or name.
        let found = found.filter(is_asked_for);
        found.ok_or_else(|| SnapshotError::NotFound { session: session.clone(), name: name.clone() })
    }

    /// Reads the labels of an image; `None` if there is no such image. `base` is the expected base image. Runs one
    /// engine command, and a second one if the base image is a different one.
    async fn of_image(
        backend: &Backend,
        secret: &MachineSecret,
        image: &Reference,
        base: Option<Reference>,
    ) -> Result<Option<Self>, SnapshotError> {
        let asked: Vec<Reference> = std::iter::once(image.clone()).chain(base.clone()).collect();
        let mut found = backend.inspect_images(&asked).await.map_err(SnapshotError::LookUp)?.into_iter();
        let Some(info) = found.next().flatten() else { return Ok(None) };
        let labels = |source| SnapshotError::Labels { of: image.to_string(), source: Box::new(source) };
        let metadata = label::read_image(&info.labels).map_err(labels)?;
        let mut base_info = found.next().flatten();
        if base.as_ref() != Some(&metadata.image) && backend.kind() != Kind::Host {
            let asked = std::slice::from_ref(&metadata.image);
            base_info =
                backend.inspect_images(asked).await.map_err(SnapshotError::LookUp)?.into_iter().flatten().next();
        }
        let layer: Option<LayerLabel> = label::json(&info.labels, label::LAYER_KEY).map_err(labels)?;
        let (key, password) = match (&metadata.snapshot, layer) {
            (Some(snapshot), _) => {
                let name = snapshot.name.as_ref();
                let tag = name.map_or_else(nameless_tag, |name| Ok(SnapshotTag::of(&snapshot.session, name)))?;
                (tag.hash().clone(), secret.server_password(&snapshot.nonce))
            }
            (None, Some(layer)) => (layer.key, secret.layer_password(&layer.password)),
            (None, None) => {
                return Err(labels(label::ReadError::Missing { key: label::SNAPSHOT_KEY }));
            }
        };
        let data_volume = base_info.as_ref().and_then(data_volume);
        Ok(Some(Self { image: image.clone(), key, labels: info.labels, metadata, data_volume, password }))
    }

    fn start(self, definition: Definition, request: Request, backend: &Backend) -> StartFromImage {
        StartFromImage {
            definition,
            request,
            backend: backend.clone(),
            base: self.metadata.image,
            image: self.image,
            key: self.key,
            data_volume: self.data_volume,
            password: self.password,
        }
    }
}

async fn restore(
    session: &Session,
    folders: &Folders,
    from: &Name,
    foreign: AnotherSecret,
) -> Result<Session, SnapshotError> {
    let backend = session.container().backend();
    let _lock = lock(folders, backend, session.name()).await?;
    let session = still_there(session, folders, foreign).await?;
    let metadata = session.listed_metadata()?;
    let secret = MachineSecret::load_or_create(folders)?;
    let source =
        Source::of_snapshot(backend, &secret, &metadata.instance, session.name(), from, session.image()).await?;
    let of = |metadata: &Metadata| (metadata.superuser.clone(), metadata.database.clone());
    if of(&source.metadata) != of(&metadata) {
        return Err(SnapshotError::OtherServer { session: session.name().clone(), name: from.clone() });
    }
    let state = State::Snapshot { session: session.name().clone(), name: from.clone() };
    replace(folders, &session, &metadata, source, state).await
}

async fn reset(session: &Session, definition: Definition, foreign: AnotherSecret) -> Result<Session, SnapshotError> {
    let backend = session.container().backend();
    let folders = definition.folders.clone();
    let _lock = lock(&folders, backend, session.name()).await?;
    let session = still_there(session, &folders, foreign).await?;
    let metadata = session.listed_metadata()?;
    let layer: Option<LayerLabel> = read(&session, label::LAYER_KEY)?;
    if let Some(layer) = layer.filter(|layer| layer.complete) {
        let image = image_reference(None, &metadata.instance, &layer.key).map_err(SnapshotError::ImageName)?;
        let found = backend.inspect_images(&[image.clone(), metadata.image.clone()]).await;
        let mut found = found.map_err(SnapshotError::LookUp)?.into_iter();
        if found.next().flatten().is_some_and(|info| label::has_key(&info.labels, layer.key.as_str())) {
            let secret = MachineSecret::load_or_create(&folders)?;
            let source = Source {
                image,
                password: secret.layer_password(&layer.password),
                key: layer.key,
                labels: only(&session.summary().labels, &OF_CONTENT),
                metadata: metadata.clone(),
                data_volume: found.next().flatten().as_ref().and_then(data_volume),
            };
            return replace(&folders, &session, &metadata, source, State::Seeds).await;
        }
    }
    again(&session, &metadata, definition).await
}

/// Replaces the session's server by one that applies the seeds again.
async fn again(session: &Session, metadata: &Metadata, definition: Definition) -> Result<Session, SnapshotError> {
    let backend = session.container().backend();
    let folders = &definition.folders.clone();
    let definition = definition.backend(backend.clone());
    let seeds = definition.load_seeds(backend).await.map_err(StartError::from)?;
    if let Some(difference) = divergence(&metadata.image, &metadata.seeds, seeds.image(), &seeds) {
        return Err(SnapshotError::Diverged { session: session.name().clone(), difference: Box::new(difference) });
    }
    let settings: SettingsLabel = read(session, label::SETTINGS_KEY)?.unwrap_or_default();
    let labels = only(&session.summary().labels, &[label::STARTED_KEY]);
    let request = successor(folders, session, labels, State::Seeds)?;
    let mut definition = settings.apply(definition);
    definition.transparent_workdir = folder(session);
    let ended = start::start_in_place(&definition, &request).await;
    ended_or_lost(folders, session, ended).await
}

/// Replaces the session's server by one that is started from an image.
async fn replace(
    folders: &Folders,
    session: &Session,
    metadata: &Metadata,
    source: Source,
    state: State,
) -> Result<Session, SnapshotError> {
    let backend = session.container().backend();
    let settings: SettingsLabel = read(session, label::SETTINGS_KEY)?.unwrap_or_default();
    let mut labels = only(&source.labels, &OF_CONTENT);
    labels.extend(only(&session.summary().labels, &[label::STARTED_KEY]));
    let request = successor(folders, session, labels, state)?;
    let mut definition = settings.apply(definition_of(folders, backend, metadata));
    definition.transparent_workdir = folder(session);
    let ended = Server::start_from_image(source.start(definition, request, backend)).await;
    ended_or_lost(folders, session, ended).await
}

/// Starts a new session from an image.
async fn begin(
    folders: &Folders,
    backend: &Backend,
    to: &session::Name,
    source: Source,
    options: &ForkOptions,
    state: State,
) -> Result<Session, SnapshotError> {
    let labels = |error| SnapshotError::Labels { of: source.image.to_string(), source: Box::new(error) };
    let settings: Option<SettingsLabel> = label::json(&source.labels, label::SETTINGS_KEY).map_err(labels)?;
    let mut labels = only(&source.labels, &OF_CONTENT);
    labels.insert(label::RESTORED_KEY, label::json_value(&Restored::now(state)));
    let mut request = Request::new(to.clone(), options.ttl);
    request.inherited = Inherited { labels, ..Inherited::default() };
    let definition = definition_of(folders, backend, &source.metadata);
    let mut definition = settings.unwrap_or_default().apply(definition);
    definition.transparent_workdir = options.transparent_workdir.clone().filter(|_| backend.kind() != Kind::Host);
    match Server::start_from_image(source.start(definition, request, backend)).await {
        Err(StartError::Run(ociman::CommandError::NameTaken { .. })) => {
            Err(StartError::SessionExists { name: to.clone() }.into())
        }
        ended => Ok(ended?),
    }
}

/// Looks up the session again, now that its lock is held: another process may have replaced its server in the meantime.
async fn still_there(session: &Session, folders: &Folders, foreign: AnotherSecret) -> Result<Session, SnapshotError> {
    let found = Session::running(session.container().backend(), session.name()).await?;
    let found = found.ok_or_else(|| SnapshotError::Ended { session: session.name().clone() })?;
    match (found.made_with(folders)?, foreign) {
        (MadeWith::AnotherSecret, AnotherSecret::Refuse) => {
            Err(SnapshotError::AnotherSecret { session: session.name().clone() })
        }
        _ => Ok(found),
    }
}

/// Returns the request for the server that is to replace the session's server.
fn successor(folders: &Folders, session: &Session, labels: Labels, state: State) -> Result<Request, SnapshotError> {
    let mut labels = labels;
    labels.insert(label::RESTORED_KEY, label::json_value(&Restored::now(state)));
    let port = session.summary().ports.first().map(|port| port.published.port());
    let credential = Some(session.credential().to_owned());
    let inherited = Inherited { credential, port, labels, replaces: Some(session.about_to_stop(folders)) };
    let expires: Option<u64> =
        session.summary().labels.get(&label::EXPIRES_KEY).and_then(|end| end.as_str().parse().ok());
    let process = read(session, label::PROCESS_KEY)?;
    Ok(Request { name: session.name().clone(), expires, process, inherited })
}

async fn ended_or_lost(
    folders: &Folders,
    before: &Session,
    ended: Result<Session, StartError>,
) -> Result<Session, SnapshotError> {
    match ended {
        Ok(session) => {
            before.discard_its_image().await;
            // A server with TLS has a new certificate authority now, and clients read it from the same file as before.
            if let Some(pem) = session.summary().labels.get(&label::SSL_CA_CERT_PEM_KEY) {
                let kind = session.container().backend().kind();
                session_ca_file(folders, kind, session.credential(), pem.as_str()).map_err(StartError::from)?;
            }
            Ok(session)
        }
        Err(source) => match put_back_locked(folders, before.container().backend(), before.name()).await {
            Ok(()) => Err(source.into()),
            Err(_) => Err(SnapshotError::Lost { session: before.name().clone(), source: Box::new(source) }),
        },
    }
}

fn definition_of(folders: &Folders, backend: &Backend, metadata: &Metadata) -> Definition {
    let mut definition = Definition::in_folders(folders.clone());
    definition.ssl_config = metadata.ssl.as_ref().map(|ssl| SslConfig { hostname: ssl.hostname.clone() });
    definition
        .backend(backend.clone())
        .instance(metadata.instance.clone())
        .superuser(metadata.superuser.clone())
        .database(metadata.database.clone())
}

fn folder(session: &Session) -> Option<PathBuf> {
    session.summary().labels.get(&label::FOLDER_KEY).map(|folder| PathBuf::from(folder.as_str()))
}

fn read<T: serde::de::DeserializeOwned>(session: &Session, key: Key) -> Result<Option<T>, SnapshotError> {
    let read = label::json(&session.summary().labels, key);
    read.map_err(|source| SnapshotError::Labels {
        of: format!("the session {}", session.name()),
        source: Box::new(source),
    })
}

fn only(labels: &Labels, keys: &[Key]) -> Labels {
    keys.iter().filter_map(|key| Some((key.clone(), labels.get(key)?.clone()))).collect()
}

fn gone(image: &Reference) -> SnapshotError {
    SnapshotError::LookUp(ociman::CommandError::ImageNotFound { image: image.to_string() })
}
