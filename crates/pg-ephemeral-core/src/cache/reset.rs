//! Removing all layers of an instance.

use ociman::{Backend, CommandError, ContainerName, Reference};

use super::{CacheError, CachedLayer, Scope, images};
use crate::model::{InstanceName, label};
use crate::server::layer_images::named_as_layers;
use crate::state::{Folders, Lock};

/// What becomes of layers that servers run on, such as those of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum InUse {
    /// They stay.
    #[default]
    Keep,
    /// They go, and the servers with them. So do images that have the name of a layer and are none.
    RemoveWithServers,
}

/// What a reset has done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Reset {
    /// The layers that went.
    pub removed: Vec<Reference>,
    /// The layers that stayed, because containers are on them.
    pub in_use: Vec<Reference>,
    /// The containers of the servers that went.
    pub servers: Vec<String>,
}

/// Removes all layers of the instances of this name, whichever configuration they come from: they share their images'
/// name. Waits for a build of theirs to end.
///
/// # Errors
/// [`CacheError`].
pub async fn reset(
    folders: &Folders,
    backend: &Backend,
    instance: &InstanceName,
    in_use: InUse,
) -> Result<Reset, CacheError> {
    let _lock = Lock::of_build(folders, backend.kind(), instance).await?;
    let scope = Scope::Instance(instance);
    let layers = match in_use {
        InUse::Keep => images(backend, scope).await?,
        InUse::RemoveWithServers => named_as_layers(backend, scope).await.map_err(CacheError::List)?,
    };
    let mut done = Reset::default();
    if in_use == InUse::RemoveWithServers {
        done.servers = remove_servers(backend, &layers).await?;
    }
    for layer in &layers {
        let (removed, kept) = remove(backend, layer).await?;
        done.removed.extend(removed);
        done.in_use.extend(kept);
    }
    Ok(done)
}

/// Takes all names from a layer. Returns those that went and those that could not.
pub(super) async fn remove(
    backend: &Backend,
    layer: &CachedLayer,
) -> Result<(Vec<Reference>, Vec<Reference>), CacheError> {
    let (mut removed, mut kept) = (Vec::new(), Vec::new());
    for reference in &layer.names {
        match backend.remove_image(reference).await {
            Ok(()) | Err(CommandError::ImageNotFound { .. }) => removed.push(reference.clone()),
            Err(CommandError::ImageInUse { .. }) => kept.push(reference.clone()),
            Err(source) => return Err(CacheError::Remove { reference: reference.to_string(), source }),
        }
    }
    Ok((removed, kept))
}

/// Removes this tool's containers that were made of one of the layers.
async fn remove_servers(backend: &Backend, layers: &[CachedLayer]) -> Result<Vec<String>, CacheError> {
    let mut ours =
        backend.list(&[label::ours()], &[label::NONCE_KEY, label::SESSION_KEY]).await.map_err(CacheError::List)?;
    // A container that somebody else made of a layer has the layer's labels.
    ours.retain(|container| label::is_own_container(&container.name, &container.labels));
    let names: Vec<ContainerName> = ours.into_iter().filter_map(|container| container.name.parse().ok()).collect();
    let found = backend.inspect(&names).await.map_err(CacheError::List)?;
    let mut removed = Vec::new();
    for container in found.into_iter().flatten() {
        if layers.iter().any(|layer| plain(&layer.id) == plain(&container.image_id)) {
            let name = container.name.to_string();
            let ended = backend.container(container.name).remove_force_if(&container.id).await;
            ended.map_err(|source| CacheError::RemoveServer { container: name.clone(), source })?;
            removed.push(name);
        }
    }
    Ok(removed)
}

/// An identifier without the name of its hash function, which engines write in some places and not in others.
fn plain(id: &str) -> &str {
    id.strip_prefix("sha256:").unwrap_or(id)
}
