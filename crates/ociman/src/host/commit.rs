//! Creates images from a folder that the caller fills, and from the files of a container.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::lchown;
use std::path::Path;
use std::time::Duration;

use super::end::{self, Persistence};
use super::folder;
use super::lockable::Lockable;
use super::process::{signal, user};
use super::store::Stores;
use super::store::container_record::merge_labels;
use super::store::container_store::LockedContainer;
use super::store::image::{HostImageConfig, RunAs};
use super::store::image_store::Draft;
use super::store::last_commit::LastCommit;
use super::tree::copy;
use super::tree::entry::{Entry, now, survey};
use super::tree::shared_files::SharedFiles;
use crate::command::UserIds;
use crate::error::HostError;
use crate::files::remove;
use crate::{CommandError, CommitSpec, ContainerName, Reference};

/// How long a container may take to shut down cleanly before a commit.
const STOP_LIMIT: Duration = Duration::from_secs(120);

/// Creates a base image from what `fill` puts into a folder.
pub(super) fn create_image(
    stores: &Stores,
    name: &Reference,
    config: &HostImageConfig,
    fill: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(), HostError> {
    let draft = stores.images.draft()?;
    let root = draft.root();
    folder::make_private(&root)?;
    fill(&root).map_err(HostError::file("fill image", &root))?;
    if let RunAs::User(ids) = config.run_as
        && let Some(ids) = user::change_to(ids)?
    {
        give_away(&root, ids).map_err(HostError::file("give away", &root))?;
    }
    publish(stores, &draft, config.clone(), name).map(drop)
}

/// Creates an image from a container's files. A running container is shut down cleanly and stays stopped.
pub(super) fn commit(stores: &Stores, name: &ContainerName, spec: &CommitSpec) -> Result<(), CommandError> {
    let container = stores.containers.lock(name)?;
    let source = stop_for_commit(&container)?;
    let draft = stores.images.draft()?;
    let files = copy_files(stores, &container, &source, &draft)?;
    let used = now();
    let image_id = publish(stores, &draft, committed_config(&container, spec)?, &spec.image)?;
    remember(&container, &LastCommit { image_id, entries: files, used });
    Ok(())
}

/// Like [`commit`], but the container's processes are only paused meanwhile.
#[cfg(target_os = "linux")]
pub(super) fn commit_live(
    stores: &Stores,
    name: &ContainerName,
    spec: &CommitSpec,
    left_out: &[&str],
) -> Result<(), CommandError> {
    let container = stores.containers.lock(name)?;
    let config = committed_config(&container, spec)?;
    let path = container.root_path();
    let source = folder::open(&path).map_err(HostError::file("open", &path))?;
    let draft = stores.images.draft()?;
    let frozen = super::freeze::freeze(&container, &source)?;
    let files = copy_files(stores, &container, &source, &draft)?;
    let used = now();
    drop(frozen);
    for path in left_out {
        let path = draft.root().join(path);
        remove::file_or_content(&path).map_err(HostError::file("leave out", &path))?;
    }
    let image_id = publish(stores, &draft, config, &spec.image)?;
    remember(&container, &LastCommit { image_id, entries: files, used });
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn commit_live(_: &Stores, _: &ContainerName, _: &CommitSpec, _: &[&str]) -> Result<(), CommandError> {
    Err(CommandError::Unsupported { backend: crate::Kind::Host, operation: "commit a container that runs" })
}

/// Puts a container's files into a draft, and returns them as they are in the container. Files that have not changed
/// since they were equal to those of an image are shared with that image, and all others are copied. No process may be
/// writing to the files.
fn copy_files(
    stores: &Stores,
    container: &LockedContainer,
    source: &OwnedFd,
    draft: &Draft,
) -> Result<Vec<Entry>, HostError> {
    let root = draft.root();
    folder::make_private(&root)?;
    let target = folder::open(&root).map_err(HostError::file("open", &root))?;
    let equal = match container.slot() {
        Some(slot) => stores.slots.equal_image(&slot)?,
        None => None,
    };
    let shared = equal.as_ref().map(|equal| SharedFiles::new(&equal.image.root, &equal.entries, equal.used));
    let copy = || -> io::Result<Vec<Entry>> {
        let entries = survey(source)?;
        copy::entries(&entries, source, &target, shared.as_ref())?;
        Ok(entries)
    };
    copy().map_err(HostError::file("copy container to", &root))
}

/// Notes an image that is equal to a container's files, so that the next commit can share them.
fn remember(container: &LockedContainer, commit: &LastCommit) {
    if let Some(slot) = container.slot()
        && let Err(error) = commit.write(&slot)
    {
        // The next commit shares files with an older image, or none.
        tracing::warn!(%error, "a commit can't be noted");
    }
}

fn stop_for_commit(container: &LockedContainer) -> Result<Lockable, HostError> {
    let stop_signal = signal::parse(&container.record.stop_signal)?;
    let root = end::end_processes(container, stop_signal, STOP_LIMIT, Persistence::Refuse)?;
    let path = container.root_path();
    root.ok_or_else(|| HostError::file("open", &path)(io::Error::from(io::ErrorKind::NotFound)))
}

/// Returns the configuration of the container's image, with the container's labels and one more layer.
fn committed_config(container: &LockedContainer, spec: &CommitSpec) -> Result<HostImageConfig, HostError> {
    let mut config = container.record.image.clone();
    config.labels = merge_labels(&container.record.labels, &spec.labels);
    config.diff_ids.push(format!("sha256:{}", folder::fresh_id()?));
    Ok(config)
}

fn publish(stores: &Stores, draft: &Draft, config: HostImageConfig, name: &Reference) -> Result<String, HostError> {
    let published = stores.images.publish(draft, config, name)?;
    if let Some(replaced) = published.replaced {
        stores.slots.forget_image(&replaced)?;
    }
    Ok(published.id)
}

fn give_away(path: &Path, user: UserIds) -> io::Result<()> {
    lchown(path, Some(user.uid), Some(user.gid))?;
    if !path.symlink_metadata()?.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        give_away(&entry?.path(), user)?;
    }
    Ok(())
}
