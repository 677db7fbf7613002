//! Snapshots of sessions. A snapshot is an image like a layer, but made from a running session. It can be restored into
//! the session, or be the start of another session. Committing the files of a server and starting a server from them is
//! done by the `server` module.

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

/// The minimum age at which [`sweep`] removes a nameless image. A younger one may belong to a command that is about to
/// use it.
const PASSING: std::time::Duration = std::time::Duration::from_mins(10);

/// The state of a session at one moment, stored as an image.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The name of the snapshot.
    pub name: Name,
    /// The session that the snapshot was taken of.
    pub session: session::Name,
    /// The image of the snapshot.
    pub image: Reference,
    /// When the image was created; `None` if that is unknown.
    pub created: Option<SystemTime>,
    /// The size in bytes, including the layers below.
    pub size: u64,
    /// The metadata in the labels of the image.
    pub metadata: Metadata,
}

/// Returns all snapshots on a backend, or those of one session, sorted by session and name. Runs two engine commands.
/// Leaves out images whose labels can't be read, because a later version may have made them.
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
/// Returns [`SnapshotError::List`] if the images can't be listed.
pub async fn list(backend: &Backend, session: Option<&session::Name>) -> Result<Vec<Snapshot>, SnapshotError> {
    let images = images(backend, Scope::All).await.map_err(SnapshotError::List)?;
    let mut snapshots: Vec<Snapshot> = images.into_iter().filter_map(named).collect();
    snapshots.retain(|snapshot| session.is_none_or(|session| snapshot.session == *session));
    snapshots.sort_by(|one, other| (&one.session, &one.name).cmp(&(&other.session, &other.name)));
    Ok(snapshots)
}

/// Removes the nameless images that forks and replaced snapshots have left, if nothing runs on them and they are at
/// least ten minutes old. Returns the removed images.
///
/// # Errors
/// Returns [`SnapshotError::List`] if the images can't be listed, and [`SnapshotError::Replace`] if one can't be
/// removed.
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

/// Removes an image, unless a container runs on it. Returns `true` if the image is gone.
async fn discard(backend: &Backend, image: &Reference) -> Result<bool, SnapshotError> {
    match backend.remove_image(image).await {
        Ok(()) | Err(ociman::CommandError::ImageNotFound { .. }) => Ok(true),
        Err(ociman::CommandError::ImageInUse { .. }) => Ok(false),
        Err(source) => Err(SnapshotError::Replace { image: image.to_string(), source }),
    }
}

/// Converts an image to a snapshot; `None` if its name is not that of a snapshot.
fn named(layer: CachedLayer) -> Option<Snapshot> {
    let LayerTag::Snapshot(tag) = &layer.tag else { return None };
    let metadata = labels::read_image(&layer.labels).ok()?;
    let label = metadata.snapshot.clone()?;
    let name = label.name?;
    // A snapshot that was replaced has lost the name of its image, but its label still says it.
    let image = layer.names.first().filter(|_| *tag == SnapshotTag::of(&label.session, &name))?.clone();
    Some(Snapshot { name, session: label.session, image, created: layer.created, size: layer.size, metadata })
}

/// Removes a snapshot. The session that it was taken of need not exist any more.
///
/// # Errors
/// Returns [`SnapshotError::NotFound`] if there is no such snapshot, [`SnapshotError::InUse`] if a session runs on it,
/// and another error if the backend or a lock fails.
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
    use std::path::Path;

    use pg_ephemeral_testkit::{FakeBackend, FakeContainer, FakeImage, FakeLife};

    use super::super::recover::lock_if_free;
    use super::*;
    use crate::model::layer_image::{image_reference, snapshot_reference};
    use crate::server::{Definition, StartError};
    use crate::session::Session;
    use crate::state::handover::Stopped;

    const BASE: &str = "docker.io/library/postgres:17";
    const REVIEW: session::Name = crate::session_name!("review");
    /// Seconds since the Unix epoch, far in the past.
    const LONG_AGO: u64 = 1_000_000_000;

    fn engines() -> [FakeBackend; 2] {
        [FakeBackend::docker(), FakeBackend::podman()]
    }

    fn nameless() -> FakeImage {
        let tag = SnapshotTag::of_random([0; 32]);
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
    async fn a_nameless_image_that_was_just_made_is_not_swept() {
        let fake = FakeBackend::podman().with_image(nameless());
        let made = images(&fake.backend(), Scope::All).await.unwrap();
        assert!(matches!(&made[..], [image] if image.created.is_some()), "{made:?}");
        assert!(sweep(&fake.backend()).await.unwrap().is_empty());
        assert_eq!(fake.images().len(), 1);
    }

    #[tokio::test]
    async fn only_old_nameless_snapshots_that_nothing_runs_on_are_swept() {
        for fake in engines() {
            let fake = fake
                .with_image(nameless().created(LONG_AGO))
                .with_image(named_snapshot(&REVIEW, "clean").created(LONG_AGO))
                .with_image(layer().created(LONG_AGO))
                .with_image(FakeImage::new("localhost/somebody-elses:1").created(LONG_AGO));
            let snapshots = list(&fake.backend(), None).await.unwrap();
            assert_eq!(snapshots.iter().map(|snapshot| snapshot.name.as_str()).collect::<Vec<_>>(), ["clean"]);
            let unnamed = |image: &CachedLayer| {
                matches!(image.tag, LayerTag::Snapshot(_)) && image.names[0] != snapshots[0].image
            };
            let images = images(&fake.backend(), Scope::All).await.unwrap();
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

    /// Returns `true` if starting the session `review` fails because the name is taken.
    async fn keeps_its_name(fake: &FakeBackend, home: &Path) -> bool {
        let definition = Definition::in_folders(Folders::at(home)).backend(fake.backend());
        // No server of a fake backend accepts connections, so no session starts even if the name is free.
        let definition = definition.image("17".parse().unwrap()).wait_available_timeout(std::time::Duration::ZERO);
        matches!(definition.start_session(&REVIEW, None).await, Err(StartError::SessionExists { .. }))
    }

    #[tokio::test]
    async fn a_session_that_a_running_command_has_stopped_keeps_its_name_while_its_container_exists() {
        let name = REVIEW;
        for fake in engines() {
            let (home, own) = (tempfile::tempdir().unwrap(), name.container_name().as_str());
            let (folders, backend) = (Folders::at(home.path()), fake.backend());
            let fake = fake.with_container(container(own, "n"));
            let session = Session::find_any(&backend, &REVIEW).await.unwrap().unwrap();
            // The lock shows that the command still runs.
            let _lock = lock_if_free(&folders, &backend, &REVIEW).unwrap().unwrap();
            Stopped::beginning(&folders, &REVIEW, session.container(), "n").write().unwrap();
            assert!(keeps_its_name(&fake, home.path()).await);
            assert_eq!(fake.containers(), [own]);

            session.stop().await.unwrap();
            let fake = fake.with_container(container(own, "another"));
            assert!(!keeps_its_name(&fake, home.path()).await, "the note is of a session that is gone");
            assert!(fake.containers().is_empty());
        }
    }

    #[tokio::test]
    async fn a_session_that_a_running_command_replaces_keeps_its_name_while_its_successor_exists() {
        let name = REVIEW;
        for fake in engines() {
            let (home, own) = (tempfile::tempdir().unwrap(), name.container_name().as_str());
            let (folders, backend) = (Folders::at(home.path()), fake.backend());
            let fake = fake.with_container(container(own, "n"));
            let session = Session::find_any(&backend, &REVIEW).await.unwrap().unwrap();
            let _lock = lock_if_free(&folders, &backend, &REVIEW).unwrap().unwrap();
            let successor = "pg-ephemeral-pending-1".parse().unwrap();
            let stopped = Stopped::beginning(&folders, &REVIEW, session.container(), "n");
            stopped.write_successor(&successor, "later").unwrap();
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
