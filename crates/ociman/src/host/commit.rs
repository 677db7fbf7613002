//! Creates images from a folder that the caller fills, and from the files of a container.

use std::io;
use std::os::unix::fs::lchown;
use std::path::Path;
use std::time::Duration;

use super::end::{self, Persistence};
#[cfg(target_os = "linux")]
use super::folder;
use super::lockable::Lockable;
use super::process::{signal, user};
use super::store::container_record::merge_labels;
use super::store::container_store::LockedContainer;
use super::store::image::{HostImageConfig, RunAs};
use super::store::image_store::Draft;
use super::store::{Stores, slot};
use super::tree::copy;
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
    publish(stores, &draft, config.clone(), name)
}

/// Creates an image from a copy of a container's files. A running container is shut down cleanly and stays stopped.
pub(super) fn commit(stores: &Stores, name: &ContainerName, spec: &CommitSpec) -> Result<(), CommandError> {
    let container = stores.containers.lock(name)?;
    let source = stop_for_commit(&container)?;
    let draft = stores.images.draft()?;
    let root = draft.root();
    folder::make_private(&root)?;
    let target = folder::open(&root).map_err(HostError::file("open", &root))?;
    copy::tree(&source, &target).map_err(HostError::file("copy container to", &root))?;
    Ok(publish(stores, &draft, committed_config(&container, spec)?, &spec.image)?)
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
    let root = draft.root();
    folder::make_private(&root)?;
    let target = folder::open(&root).map_err(HostError::file("open", &root))?;
    let frozen = super::freeze::freeze(&container, &source)?;
    let copied = copy::tree(&source, &target);
    drop(frozen);
    copied.map_err(HostError::file("copy container to", &root))?;
    for path in left_out {
        let path = root.join(path);
        remove::file_or_content(&path).map_err(HostError::file("leave out", &path))?;
    }
    Ok(publish(stores, &draft, config, &spec.image)?)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn commit_live(_: &Stores, _: &ContainerName, _: &CommitSpec, _: &[&str]) -> Result<(), CommandError> {
    Err(CommandError::Unsupported { backend: crate::Kind::Host, operation: "commit a container that runs" })
}

/// Like [`commit`], but the files are moved into the image and the container is removed.
pub(super) fn commit_by_move(stores: &Stores, name: &ContainerName, spec: &CommitSpec) -> Result<(), CommandError> {
    let container = stores.containers.lock(name)?;
    let source = stop_for_commit(&container)?;
    let config = committed_config(&container, spec)?;
    let draft = stores.images.draft()?;
    let path = container.root_path();
    std::fs::rename(&path, draft.root()).map_err(HostError::file("move container's files from", &path))?;
    publish(stores, &draft, config, &spec.image)?;
    drop(source);
    let slot = container.slot();
    end::discard(stores, container)?;
    if let Some(slot) = slot {
        slot::discard(&slot)?;
    }
    Ok(())
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

fn publish(stores: &Stores, draft: &Draft, config: HostImageConfig, name: &Reference) -> Result<(), HostError> {
    if let Some(replaced) = stores.images.publish(draft, config, name)? {
        stores.slots.forget_image(&replaced)?;
    }
    Ok(())
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
