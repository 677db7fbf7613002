//! Layers as images of a backend, whichever configuration they come from.

use std::time::SystemTime;

use ociman::label::Labels;
use ociman::{Backend, CommandError, Kind, Reference};

use crate::model::layer_image::{layer_name, snapshot_name};
use crate::model::{InstanceName, SeedHash, SnapshotTag, label};

/// Whose layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// Those of every instance.
    All,
    /// Those of instances of this name, whichever configuration they are in.
    Instance(&'a InstanceName),
}

/// What tells one layer of an instance from the others.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayerTag {
    /// The key of what was seeded.
    Seeds(SeedHash),
    /// The snapshot of a session.
    Snapshot(SnapshotTag),
}

/// One layer on a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CachedLayer {
    /// Its names: the one on this machine, and one of a registry when a push or pull was cut off.
    pub names: Vec<Reference>,
    /// The instance it is of.
    pub instance: InstanceName,
    /// Its tag.
    pub tag: LayerTag,
    /// The engine's identifier.
    pub id: String,
    /// When it was made, as far as that is known.
    pub created: Option<SystemTime>,
    /// Size in bytes, with everything that is under it.
    pub size: u64,
    /// How many file systems it is made of: a layer has more than those it was built on.
    pub depth: usize,
    /// Its labels.
    pub labels: Labels,
}

/// All layers of a backend, snapshots too, the deepest first. Two engine commands, whatever their number.
///
/// # Errors
/// When the backend does not list its images.
pub(crate) async fn images(backend: &Backend, scope: Scope<'_>) -> Result<Vec<CachedLayer>, CommandError> {
    let mut layers = named_as_layers(backend, scope).await?;
    // Another program may give its images such names.
    layers.retain(|layer| layer.labels.get(&label::VERSION_KEY).is_some());
    Ok(layers)
}

/// As [`images`], with images that only have the name of a layer.
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
        // It may have gone in between.
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

/// The name without the domain that an engine gives to names that have none.
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
    fn a_layer_of_this_machine_is_named_without_the_engine_s_own_domain() {
        let plain = |engine, name: &str| local_form(engine, &name.parse().unwrap()).to_string();
        assert_eq!(plain(Kind::Docker, "docker.io/pg-ephemeral/main:1"), "pg-ephemeral/main:1");
        assert_eq!(plain(Kind::Podman, "localhost/pg-ephemeral/main:1"), "pg-ephemeral/main:1");
        assert_eq!(plain(Kind::Podman, "docker.io/pg-ephemeral/main:1"), "docker.io/pg-ephemeral/main:1");
        assert_eq!(plain(Kind::Docker, "ghcr.io/a/pg-ephemeral/main:1"), "ghcr.io/a/pg-ephemeral/main:1");
    }
}
