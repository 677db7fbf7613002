//! Sessions that go back in time. A snapshot is a layer like those of seeds, made of a session while that runs; a session
//! is put back to it in its place, or another one begins with it. How a server's files are committed and a server is
//! started from them is the server module's business.

mod error;
mod label;
mod name;
mod revive;
mod stopped;
mod take;

use std::time::SystemTime;

use ociman::{Backend, Reference};

pub use error::SnapshotError;
pub(crate) use label::{LayerLabel, SettingsLabel};
pub use label::{Restored, SnapshotLabel, State};
pub use name::{Name, SnapshotTag};
pub use revive::{AnotherSecret, ForkOptions};
pub(crate) use stopped::{FOLDER as STOPPED_FOLDER, Replaced, Stopped, is_successor};
pub use take::{Existing, Manner, Taken};

use crate::cache::{self, LayerTag, Scope};
use crate::folders::Folders;
use crate::label::{self as labels, Metadata};
use crate::lock::{Lock, LockError};
use crate::session;

/// How long after it was made an image without a name is some command's that is about to use it.
const PASSING: std::time::Duration = std::time::Duration::from_mins(10);

/// A session's state of some moment, kept as an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its name.
    pub name: Name,
    /// The session it was taken of.
    pub session: session::Name,
    /// Its image.
    pub image: Reference,
    /// When it was made, as far as that is known.
    pub created: Option<SystemTime>,
    /// Size in bytes, with everything that is under it.
    pub size: u64,
    /// What the labels of its image say.
    pub metadata: Metadata,
}

/// All snapshots of a backend, or those of one session, by session and name. Two engine commands. An image that can't be
/// read is left out: it may be a later version's.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use pg_ephemeral_core::snapshot;
/// use pg_ephemeral_testkit::FakeBackend;
///
/// assert!(snapshot::list(&FakeBackend::podman().backend(), None).await?.is_empty());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`SnapshotError::List`].
pub async fn list(backend: &Backend, session: Option<&session::Name>) -> Result<Vec<Snapshot>, SnapshotError> {
    let images = cache::images(backend, Scope::All).await?;
    let mut snapshots: Vec<Snapshot> = images.into_iter().filter_map(named).collect();
    snapshots.retain(|snapshot| session.is_none_or(|session| snapshot.session == *session));
    snapshots.sort_by(|one, other| (&one.session, &one.name).cmp(&(&other.session, &other.name)));
    Ok(snapshots)
}

/// Removes the images of forks that are gone and of snapshots that were replaced, once nothing runs on them any more.
/// Returns those that went.
///
/// # Errors
/// [`SnapshotError::List`], and [`SnapshotError::Replace`] when the backend does not remove one.
pub async fn sweep(backend: &Backend) -> Result<Vec<Reference>, SnapshotError> {
    let mut removed = Vec::new();
    for image in cache::images(backend, Scope::All).await? {
        let is_snapshot = matches!(image.tag, LayerTag::Snapshot(_));
        let age = image.created.and_then(|created| SystemTime::now().duration_since(created).ok());
        if !is_snapshot || age.is_none_or(|age| age < PASSING) || named(image.clone()).is_some() {
            continue;
        }
        for name in image.names {
            if discard(backend, &name).await? {
                removed.push(name);
            }
        }
    }
    Ok(removed)
}

/// Removes an image unless something runs on it. Whether it is gone.
async fn discard(backend: &Backend, image: &Reference) -> Result<bool, SnapshotError> {
    match backend.remove_image(image).await {
        Ok(()) | Err(ociman::CommandError::ImageNotFound { .. }) => Ok(true),
        Err(ociman::CommandError::ImageInUse { .. }) => Ok(false),
        Err(source) => Err(SnapshotError::Replace { image: image.to_string(), source }),
    }
}

/// A layer as the snapshot that its name says it is.
fn named(layer: cache::CachedLayer) -> Option<Snapshot> {
    let LayerTag::Snapshot(tag) = &layer.tag else { return None };
    let metadata = labels::read_image(&layer.labels).ok()?;
    let label = metadata.snapshot.clone()?;
    let name = label.name?;
    // One that was replaced has lost its name, and kept its label.
    let image = layer.names.first().filter(|_| *tag == SnapshotTag::of(&label.session, &name))?.clone();
    Some(Snapshot { name, session: label.session, image, created: layer.created, size: layer.size, metadata })
}

/// Waits until nobody of this user saves a session or puts it back, and tells whether anybody ever has. While it is put back
/// it can't be found for a moment: who does not find it waits so, and looks again when this is true. A server that a killed
/// command had stopped for a snapshot is started again.
///
/// # Errors
/// [`SnapshotError::Lock`] and [`SnapshotError::PutBack`].
pub async fn settled(folders: &Folders, backend: &Backend, session: &session::Name) -> Result<bool, SnapshotError> {
    let was_taken = Lock::wait(folders, &lock_name(backend, session)).await?;
    let was_stopped = put_back(folders, backend, session).await?;
    Ok(was_taken || was_stopped)
}

/// Starts a session's server again that a killed command had stopped for a snapshot, or was about to, and tells whether there
/// was one. While a command has it stopped, this waits for that command's end. It is only a look for a file unless a server
/// is stopped.
///
/// # Errors
/// [`SnapshotError::Lock`] and [`SnapshotError::PutBack`].
pub async fn put_back(folders: &Folders, backend: &Backend, session: &session::Name) -> Result<bool, SnapshotError> {
    let was_stopped = stopped::is_noted(folders, backend, session);
    if was_stopped {
        let _lock = lock(folders, backend, session).await?;
        stopped::put_back(folders, backend, session).await?;
    }
    Ok(was_stopped)
}

/// Gives up starting the server of a session again that a killed command had stopped, or replacing it, so that the session can be
/// stopped. Returns whether there was anything to give up. While a command that is alive has the server stopped, this waits for the
/// end of that command.
///
/// # Errors
/// [`SnapshotError::Lock`] and [`SnapshotError::Abandon`].
pub async fn abandon(folders: &Folders, backend: &Backend, session: &session::Name) -> Result<bool, SnapshotError> {
    if !stopped::is_noted(folders, backend, session) {
        return Ok(false);
    }
    let _lock = lock(folders, backend, session).await?;
    stopped::abandon(folders, backend, session).await
}

/// The sessions of a backend whose server a command has stopped, to start it again.
#[must_use]
pub fn stopped(folders: &Folders, backend: &Backend) -> Vec<session::Name> {
    stopped::noted(folders, backend)
}

/// Puts every session of a backend right whose server a killed command had stopped. It is only a look into a folder unless a
/// server is stopped.
///
/// # Errors
/// As [`put_back`], for the first one that stays as it is. The others are put right.
pub async fn put_all_back(folders: &Folders, backend: &Backend, whose: Whose) -> Result<(), SnapshotError> {
    let mut ended = Ok(());
    for session in stopped::noted(folders, backend) {
        let lock = match whose {
            Whose::Dead => lock_if_free(folders, backend, &session),
            Whose::Any => lock(folders, backend, &session).await.map(Some),
        };
        let put = match lock {
            Ok(Some(_lock)) => stopped::put_back(folders, backend, &session).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error.into()),
        };
        ended = ended.and(put);
    }
    ended
}

/// Whose stopped servers are seen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Those of commands that were killed.
    Dead,
    /// Those of commands that still run too: their end is waited for.
    Any,
}

/// Whether a command has stopped a session's server to start it again, killed or not.
pub(crate) async fn is_stopped(folders: &Folders, backend: &Backend, session: &session::Name) -> bool {
    stopped::is_noted(folders, backend, session) && stopped::is_there(folders, backend, session).await
}

/// Removes a snapshot of a session, which need not run any more. One that a session runs on stays, which is an error.
///
/// # Errors
/// [`SnapshotError::NotFound`], [`SnapshotError::InUse`], and what the backend or a lock ends with.
pub async fn remove(
    folders: &Folders,
    backend: &Backend,
    session: &session::Name,
    name: &Name,
) -> Result<Snapshot, SnapshotError> {
    let mut snapshots = list(backend, Some(session)).await?.into_iter();
    let not_found = || SnapshotError::NotFound { session: session.clone(), name: name.clone() };
    let snapshot = snapshots.find(|snapshot| snapshot.name == *name).ok_or_else(not_found)?;
    let _layers = Lock::of_build(folders, backend.kind(), &snapshot.metadata.instance).await?;
    match discard(backend, &snapshot.image).await? {
        true => Ok(snapshot),
        false => Err(SnapshotError::InUse { session: session.clone(), name: name.clone() }),
    }
}

/// Whether there is a note of a session, whose server a command has stopped for a moment.
pub(crate) fn is_noted(folders: &Folders, backend: &Backend, session: &session::Name) -> bool {
    stopped::is_noted(folders, backend, session)
}

/// The lock of a session, unless somebody saves it or replaces its server.
pub(crate) fn lock_if_free(
    folders: &Folders,
    backend: &Backend,
    session: &session::Name,
) -> Result<Option<Lock>, LockError> {
    Lock::take_if_free(folders, &lock_name(backend, session))
}

/// The lock that whoever saves or replaces the server of a session holds.
async fn lock(folders: &Folders, backend: &Backend, session: &session::Name) -> Result<Lock, LockError> {
    Lock::take(folders, &lock_name(backend, session)).await
}

/// No instance's name has a colon.
fn lock_name(backend: &Backend, session: &session::Name) -> String {
    format!("{}:{session}", backend.kind())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pg_ephemeral_testkit::{FakeBackend, FakeContainer, FakeImage, FakeLife};

    use super::*;
    use crate::definition::Definition;
    use crate::layer::{image_reference, snapshot_reference};
    use crate::server::StartError;
    use crate::session::Session;

    const BASE: &str = "docker.io/library/postgres:17";
    const REVIEW: session::Name = crate::session_name!("review");
    /// Seconds since the Unix epoch, far in the past.
    const LONG_AGO: u64 = 1_000_000_000;

    fn engines() -> [FakeBackend; 2] {
        [FakeBackend::docker(), FakeBackend::podman()]
    }

    fn nameless() -> FakeImage {
        let tag = SnapshotTag::nameless().unwrap();
        let image = snapshot_reference(None, &"main".parse().unwrap(), &tag).unwrap();
        FakeImage::new(image.to_string()).label(labels::VERSION_KEY.as_str(), "0.1.0")
    }

    fn named_snapshot(session: &session::Name, name: &str) -> FakeImage {
        let tag = SnapshotTag::of(session, &name.parse().unwrap());
        let image = snapshot_reference(None, &"main".parse().unwrap(), &tag).unwrap();
        let snapshot = format!(r#"{{"session": "{session}", "name": "{name}", "nonce": "n"}}"#);
        let all = [
            (labels::VERSION_KEY, "0.1.0"),
            (labels::INSTANCE_KEY, "main"),
            (labels::IMAGE_KEY, BASE),
            (labels::SEEDS_KEY, "[]"),
            (labels::SUPERUSER_USER_KEY, "postgres"),
            (labels::SUPERUSER_DATABASE_KEY, "postgres"),
            (labels::SNAPSHOT_KEY, &snapshot),
        ];
        all.iter().fold(FakeImage::new(image.to_string()), |image, (key, text)| image.label(key.as_str(), text))
    }

    fn layer() -> FakeImage {
        let image = image_reference(None, &"main".parse().unwrap(), &"a".repeat(64).parse().unwrap()).unwrap();
        FakeImage::new(image.to_string()).label(labels::VERSION_KEY.as_str(), "0.1.0")
    }

    #[tokio::test]
    async fn an_image_without_a_name_that_was_just_made_is_not_swept() {
        let fake = FakeBackend::podman().with_image(nameless());
        let made = cache::images(&fake.backend(), Scope::All).await.unwrap();
        assert!(matches!(&made[..], [image] if image.created.is_some()), "{made:?}");
        assert!(sweep(&fake.backend()).await.unwrap().is_empty());
        assert_eq!(fake.images().len(), 1);
    }

    #[tokio::test]
    async fn of_old_images_only_snapshots_without_a_name_that_nothing_runs_on_are_swept() {
        for fake in engines() {
            let fake = fake
                .with_image(nameless().created(LONG_AGO))
                .with_image(named_snapshot(&REVIEW, "clean").created(LONG_AGO))
                .with_image(layer().created(LONG_AGO))
                .with_image(FakeImage::new("localhost/somebody-elses:1").created(LONG_AGO));
            let snapshots = list(&fake.backend(), None).await.unwrap();
            assert_eq!(snapshots.iter().map(|snapshot| snapshot.name.as_str()).collect::<Vec<_>>(), ["clean"]);
            let unnamed = |image: &cache::CachedLayer| {
                matches!(image.tag, LayerTag::Snapshot(_)) && image.names[0] != snapshots[0].image
            };
            let images = cache::images(&fake.backend(), Scope::All).await.unwrap();
            let unnamed = images.into_iter().find(unnamed).unwrap().names;
            let container = FakeContainer::new("pg-ephemeral-x", unnamed[0].to_string());
            let fake = fake.with_container(container);
            assert!(sweep(&fake.backend()).await.unwrap().is_empty());
            assert_eq!(fake.images().len(), 4);
            fake.backend().container("pg-ephemeral-x".parse().unwrap()).remove_force().await.unwrap();
            assert_eq!(sweep(&fake.backend()).await.unwrap(), unnamed);
            assert_eq!(fake.images().len(), 3);
            assert!(sweep(&fake.backend()).await.unwrap().is_empty());
        }
    }

    fn container(name: &str, nonce: &str) -> FakeContainer {
        let all = [(labels::SESSION_KEY, "review"), (labels::VERSION_KEY, "0.1.0"), (labels::NONCE_KEY, nonce)];
        let container = FakeContainer::new(name, BASE).life(FakeLife::Exited(0));
        all.iter().fold(container, |container, (key, text)| container.label(key.as_str(), text))
    }

    /// Whether a session can't be started because one of the name is there.
    async fn keeps_its_name(fake: &FakeBackend, home: &Path) -> bool {
        let definition = Definition::in_folders(Folders::at(home)).backend(fake.backend());
        // Nothing answers in a fake, so that no session is started anyway.
        let definition = definition.image("17".parse().unwrap()).wait_available_timeout(std::time::Duration::ZERO);
        matches!(definition.start_session(&REVIEW, None).await, Err(StartError::SessionExists { .. }))
    }

    #[tokio::test]
    async fn a_session_whose_server_a_running_command_has_stopped_keeps_its_name_as_long_as_its_container_is_there() {
        let name = REVIEW;
        for fake in engines() {
            let (home, own) = (tempfile::tempdir().unwrap(), name.container_name().as_str());
            let (folders, backend) = (Folders::at(home.path()), fake.backend());
            let fake = fake.with_container(container(own, "n"));
            let session = Session::find_any(&backend, &REVIEW).await.unwrap().unwrap();
            // The lock says that the command runs.
            let _lock = lock_if_free(&folders, &backend, &REVIEW).unwrap().unwrap();
            Stopped::beginning(&folders, &session).write().unwrap();
            assert!(keeps_its_name(&fake, home.path()).await);
            assert_eq!(fake.containers(), [own]);

            session.stop().await.unwrap();
            let fake = fake.with_container(container(own, "another"));
            assert!(!keeps_its_name(&fake, home.path()).await, "the note is of a session that is gone");
            assert!(fake.containers().is_empty());
        }
    }

    #[tokio::test]
    async fn a_session_that_a_running_command_replaces_keeps_its_name_as_long_as_its_successor_is_there() {
        let name = REVIEW;
        for fake in engines() {
            let (home, own) = (tempfile::tempdir().unwrap(), name.container_name().as_str());
            let (folders, backend) = (Folders::at(home.path()), fake.backend());
            let fake = fake.with_container(container(own, "n"));
            let session = Session::find_any(&backend, &REVIEW).await.unwrap().unwrap();
            let _lock = lock_if_free(&folders, &backend, &REVIEW).unwrap().unwrap();
            let successor = "pg-ephemeral-pending-1".parse().unwrap();
            Stopped::beginning(&folders, &session).make_room_for(&successor, "later").await.unwrap();
            session.stop().await.unwrap();
            let fake = fake.with_container(container(successor.as_str(), "later"));
            assert!(keeps_its_name(&fake, home.path()).await);
            assert_eq!(fake.containers(), [successor.as_str()]);

            backend.container(successor.clone()).remove_force().await.unwrap();
            assert!(!keeps_its_name(&fake, home.path()).await, "neither of the two containers is there");
            let fake = fake.with_container(container(successor.as_str(), "another"));
            assert!(!keeps_its_name(&fake, home.path()).await, "a container only has the name of the successor");
        }
    }
}
