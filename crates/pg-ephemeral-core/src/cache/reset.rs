//! Removes all layers of an instance.

use ociman::{Backend, CommandError, ContainerName, Reference};

use super::{CacheError, CachedLayer, Scope, images};
use crate::model::{InstanceName, label};
use crate::server::layer_images::named_as_layers;
use crate::state::{Folders, Lock};

/// What [`reset`] does with layers that servers run on, such as the servers of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum InUse {
    /// Keeps them.
    #[default]
    Keep,
    /// Removes them together with the servers. Also removes images that have the name of a layer but are not layers.
    RemoveWithServers,
}

/// The result of [`reset`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Reset {
    /// The layers that were removed.
    pub removed: Vec<Reference>,
    /// The layers that were kept because containers use them.
    pub in_use: Vec<Reference>,
    /// The containers of the servers that were removed.
    pub servers: Vec<String>,
}

/// Removes all layers of all instances of this name: instances of different configurations share the name of their
/// images. If one of them is being built, waits for the build to end.
///
/// # Errors
/// Returns an error if the build lock can't be taken, if the layers can't be listed, or if a layer or server can't be
/// removed.
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

/// Removes all names of a layer. Returns the names that were removed and those that were kept because they are in use.
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

/// Removes pg-ephemeral's containers that were created from one of the layers.
async fn remove_servers(backend: &Backend, layers: &[CachedLayer]) -> Result<Vec<String>, CacheError> {
    let mut ours =
        backend.list(&[label::ours()], &[label::NONCE_KEY, label::SESSION_KEY]).await.map_err(CacheError::List)?;
    // A container that another program created from a layer has the layer's labels too.
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

/// Returns an ID without the `sha256:` prefix, which engines write in some places and not in others.
fn plain(id: &str) -> &str {
    id.strip_prefix("sha256:").unwrap_or(id)
}
