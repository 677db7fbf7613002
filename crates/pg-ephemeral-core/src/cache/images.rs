//! Layers as images of a backend, whichever configuration they come from.

use std::time::SystemTime;

use ociman::{Backend, Reference};

use super::CacheError;
use crate::model::{Metadata, label};
use crate::server::layer_images;

pub use crate::server::layer_images::{CachedLayer, LayerTag, Scope};

/// All layers of a backend, snapshots too, the deepest first. Two engine commands, whatever their number.
///
/// # Errors
/// [`CacheError::List`].
pub async fn images(backend: &Backend, scope: Scope<'_>) -> Result<Vec<CachedLayer>, CacheError> {
    layer_images::images(backend, scope).await.map_err(CacheError::List)
}

/// Everything that is known of one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspected {
    /// The name it was asked for by.
    pub reference: Reference,
    /// The engine's identifier.
    pub id: String,
    /// When it was made, as far as that is known.
    pub created: Option<SystemTime>,
    /// Size in bytes, with everything that is under it.
    pub size: u64,
    /// What its labels say.
    pub metadata: Metadata,
}

/// What a layer's labels say.
///
/// # Errors
/// [`CacheError::NoSuchImage`], and [`CacheError::Labels`] for an image that is no layer.
pub async fn inspect(backend: &Backend, reference: &Reference) -> Result<Inspected, CacheError> {
    let found = backend.inspect_images(std::slice::from_ref(reference)).await.map_err(CacheError::List)?;
    let missing = || CacheError::NoSuchImage { reference: reference.to_string() };
    let info = found.into_iter().flatten().next().ok_or_else(missing)?;
    let metadata = label::read_image(&info.labels)
        .map_err(|source| CacheError::Labels { reference: reference.to_string(), source: Box::new(source) })?;
    Ok(Inspected { reference: reference.clone(), id: info.id, created: info.created, size: info.size, metadata })
}
