//! Sessions that go back in time. A snapshot is a layer like those of seeds, made of a session while that runs; a session
//! is put back to it in its place, or another one begins with it. How a server's files are committed and a server is
//! started from them is the server module's business.

mod commit;
mod restore;
mod take;

use std::time::SystemTime;

use ociman::{Backend, Reference};

pub use super::error::SnapshotError;
pub use super::recover::{Whose, abandon, put_all_back, put_back, settled, stopped};
pub use crate::model::snapshot::{Name, Restored, SnapshotLabel, SnapshotTag, State};
pub use restore::{AnotherSecret, ForkOptions};
pub use take::{Existing, Manner, Taken};

use crate::model::label as labels;
use crate::model::{Metadata, session};
use crate::server::layer_images::{CachedLayer, LayerTag, Scope, images};
use crate::state::{Folders, Lock};

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
    let images = images(backend, Scope::All).await.map_err(SnapshotError::List)?;
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
    for image in images(backend, Scope::All).await.map_err(SnapshotError::List)? {
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
fn named(layer: CachedLayer) -> Option<Snapshot> {
    let LayerTag::Snapshot(tag) = &layer.tag else { return None };
    let metadata = labels::read_image(&layer.labels).ok()?;
    let label = metadata.snapshot.clone()?;
    let name = label.name?;
    // One that was replaced has lost its name, and kept its label.
    let image = layer.names.first().filter(|_| *tag == SnapshotTag::of(&label.session, &name))?.clone();
    Some(Snapshot { name, session: label.session, image, created: layer.created, size: layer.size, metadata })
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

#[cfg(test)]
mod tests {
    use pg_ephemeral_testkit::{FakeBackend, FakeImage};

    use super::*;
    use crate::model::layer_image::snapshot_reference;

    #[tokio::test]
    async fn an_image_without_a_name_that_was_just_made_is_not_swept() {
        let tag = SnapshotTag::of_random([0; 32]);
        let image = snapshot_reference(None, &"main".parse().unwrap(), &tag).unwrap().to_string();
        let image = FakeImage::new(image).label(labels::VERSION_KEY.as_str(), "1");
        let fake = FakeBackend::podman().with_image(image);
        let made = images(&fake.backend(), Scope::All).await.unwrap();
        assert!(matches!(&made[..], [image] if image.created.is_some()), "{made:?}");
        assert!(sweep(&fake.backend()).await.unwrap().is_empty());
        assert_eq!(fake.images().len(), 1);
    }
}
