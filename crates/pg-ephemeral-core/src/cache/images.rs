//! Layers as images of a backend, independent of the configuration that they were built from.

use std::time::SystemTime;

use ociman::{Backend, Reference};

use super::CacheError;
use crate::model::{Metadata, label};
use crate::server::layer_images;

pub use crate::server::layer_images::{CachedLayer, LayerTag, Scope};

/// Returns all layers of a backend, including snapshots, deepest first. Runs two engine commands, however many layers
/// there are.
///
/// # Errors
/// Returns [`CacheError::List`] if the images can't be listed or inspected.
pub async fn images(backend: &Backend, scope: Scope<'_>) -> Result<Vec<CachedLayer>, CacheError> {
    layer_images::images(backend, scope).await.map_err(CacheError::List)
}

/// A layer's image and the metadata in its labels.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspected {
    /// The name that was passed to [`inspect`].
    pub reference: Reference,
    /// The engine's ID of the image.
    pub id: String,
    /// When the image was created, if known.
    pub created: Option<SystemTime>,
    /// The size in bytes, including everything below this layer.
    pub size: u64,
    /// The metadata in the labels.
    pub metadata: Metadata,
}

/// Inspects a layer and reads its labels.
///
/// # Errors
/// Returns [`CacheError::NoSuchImage`] if there is no image of this name, [`CacheError::Labels`] if the image is not a
/// layer, and [`CacheError::List`] if the backend can't inspect it.
pub async fn inspect(backend: &Backend, reference: &Reference) -> Result<Inspected, CacheError> {
    let found = backend.inspect_images(std::slice::from_ref(reference)).await.map_err(CacheError::List)?;
    let missing = || CacheError::NoSuchImage { reference: reference.to_string() };
    let info = found.into_iter().flatten().next().ok_or_else(missing)?;
    let metadata = label::read_image(&info.labels)
        .map_err(|source| CacheError::Labels { reference: reference.to_string(), source: Box::new(source) })?;
    Ok(Inspected { reference: reference.clone(), id: info.id, created: info.created, size: info.size, metadata })
}
