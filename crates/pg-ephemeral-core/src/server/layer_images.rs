//! Listing the images of layers and snapshots on a backend, regardless of the configuration that they come from.

use std::time::SystemTime;

use ociman::label::Labels;
use ociman::{Backend, CommandError, Kind, Reference};

use crate::model::layer_image::{layer_name, snapshot_name};
use crate::model::{InstanceName, SeedHash, SnapshotTag, label};

/// Which layers to list or remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// The layers of all instances.
    All,
    /// The layers of all instances of this name, regardless of the configuration.
    Instance(&'a InstanceName),
}

/// The part of a layer's name that distinguishes it from the other layers of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayerTag {
    /// The key of a seeded state.
    Seeds(SeedHash),
    /// The tag of a snapshot of a session.
    Snapshot(SnapshotTag),
}

/// One layer on a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CachedLayer {
    /// The names of the image: the local one, and possibly one of a registry, if a push or pull was interrupted.
    pub names: Vec<Reference>,
    /// The name of the instance.
    pub instance: InstanceName,
    /// The tag of the layer.
    pub tag: LayerTag,
    /// The ID of the image.
    pub id: String,
    /// When the image was created; `None` if that is unknown.
    pub created: Option<SystemTime>,
    /// The size in bytes, including the layers below.
    pub size: u64,
    /// The number of file system layers in the image. It is higher than that of the layers that this one was built on.
    pub depth: usize,
    /// The labels of the image.
    pub labels: Labels,
}

/// Returns all layers of a backend, including snapshots, the deepest first. Runs two engine commands, regardless of the
/// number of layers.
///
/// # Errors
/// Returns an error if the backend fails to list or inspect its images.
pub(crate) async fn images(backend: &Backend, scope: Scope<'_>) -> Result<Vec<CachedLayer>, CommandError> {
    let mut layers = named_as_layers(backend, scope).await?;
    // Another program may give its images such names, but not this label.
    layers.retain(|layer| layer.labels.get(&label::VERSION_KEY).is_some());
    Ok(layers)
}

/// As [`images`], but also returns images that have the name of a layer without the label of one.
pub(crate) async fn named_as_layers(backend: &Backend, scope: Scope<'_>) -> Result<Vec<CachedLayer>, CommandError> {
    let all = backend.images("").await?;
    let named = all.into_iter().filter_map(|image| {
        let (instance, tag) = name(&image.reference)?;
        scope.includes(&instance).then_some((image.reference, instance, tag))
    });
    let named: Vec<_> = named.collect();
    let references: Vec<_> = named.iter().map(|(reference, ..)| local_form(backend.kind(), reference)).collect();
    let infos = backend.inspect_images(&references).await?;
    let mut layers: Vec<CachedLayer> = Vec::new();
    for ((_, instance, tag), (reference, info)) in named.into_iter().zip(references.into_iter().zip(infos)) {
        // The image may have been removed since it was listed.
        let Some(info) = info else { continue };
        match layers.iter_mut().find(|layer| layer.id == info.id && layer.tag == tag && layer.instance == instance) {
            Some(layer) => layer.names.push(reference),
            None => layers.push(CachedLayer {
                names: vec![reference],
                instance,
                tag,
                depth: info.diff_ids.len(),
                created: info.created,
                size: info.size,
                id: info.id,
                labels: info.labels,
            }),
        }
    }
    layers.sort_by_key(|layer| std::cmp::Reverse(layer.depth));
    Ok(layers)
}

impl Scope<'_> {
    fn includes(self, instance: &InstanceName) -> bool {
        match self {
            Self::All => true,
            Self::Instance(only) => only == instance,
        }
    }
}

fn name(reference: &Reference) -> Option<(InstanceName, LayerTag)> {
    let of_seeds = layer_name(reference).map(|(instance, hash)| (instance, LayerTag::Seeds(hash)));
    of_seeds.or_else(|| snapshot_name(reference).map(|(instance, tag)| (instance, LayerTag::Snapshot(tag))))
}

/// Returns the name without the domain that the engine adds to names without a domain.
fn local_form(engine: Kind, reference: &Reference) -> Reference {
    let given = match engine {
        Kind::Docker | Kind::Host => "docker.io/",
        Kind::Podman => "localhost/",
    };
    let text = reference.to_string();
    let plain = text.strip_prefix(given).and_then(|plain| plain.parse().ok());
    plain.unwrap_or_else(|| reference.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_form_of_a_name_lacks_the_domain_that_the_engine_adds() {
        let plain = |engine, name: &str| local_form(engine, &name.parse().unwrap()).to_string();
        assert_eq!(plain(Kind::Docker, "docker.io/pg-ephemeral/main:1"), "pg-ephemeral/main:1");
        assert_eq!(plain(Kind::Podman, "localhost/pg-ephemeral/main:1"), "pg-ephemeral/main:1");
        assert_eq!(plain(Kind::Podman, "docker.io/pg-ephemeral/main:1"), "docker.io/pg-ephemeral/main:1");
        assert_eq!(plain(Kind::Docker, "ghcr.io/a/pg-ephemeral/main:1"), "ghcr.io/a/pg-ephemeral/main:1");
    }
}
