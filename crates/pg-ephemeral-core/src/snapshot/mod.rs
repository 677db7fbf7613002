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
    use pg_ephemeral_testkit::{FakeBackend, FakeImage};

    use super::*;
    use crate::layer::snapshot_reference;

    #[tokio::test]
    async fn an_image_without_a_name_that_was_just_made_is_not_swept() {
        let tag = SnapshotTag::nameless().unwrap();
        let image = snapshot_reference(None, &"main".parse().unwrap(), &tag).unwrap().to_string();
        let image = FakeImage::new(image).label(labels::VERSION_KEY.as_str(), "1");
        let fake = FakeBackend::podman().with_image(image);
        let made = cache::images(&fake.backend(), Scope::All).await.unwrap();
        assert!(matches!(&made[..], [image] if image.created.is_some()), "{made:?}");
        assert!(sweep(&fake.backend()).await.unwrap().is_empty());
        assert_eq!(fake.images().len(), 1);
    }
}
