//! What the images of layers are called.

use ociman::{Reference, ReferenceError};

use super::key::SeedHash;
use crate::model::instance::InstanceName;
use crate::model::setting::CacheRegistry;
use crate::model::snapshot::SnapshotTag;

/// The name that all layers of an instance share: `[registry/]pg-ephemeral/<instance>`, without a tag.
///
/// # Errors
/// The registry's path and the instance's name together are longer than a reference may be.
pub fn image_repository(
    registry: Option<&CacheRegistry>,
    instance: &InstanceName,
) -> Result<Reference, ReferenceError> {
    match registry {
        Some(registry) => Reference::parse(&format!("{registry}/pg-ephemeral/{instance}")),
        None => Reference::parse(&format!("pg-ephemeral/{instance}")),
    }
}

/// The image of a layer: `[registry/]pg-ephemeral/<instance>:<hash>`.
///
/// ```
/// use pg_ephemeral_core::instance::InstanceName;
/// use pg_ephemeral_core::layer::{SeedHash, image_reference};
///
/// let hash: SeedHash = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262".parse()?;
/// let registry = "ghcr.io/acme".parse()?;
/// let reference = image_reference(Some(&registry), &InstanceName::main(), &hash)?;
/// assert_eq!(reference.to_string(), format!("ghcr.io/acme/pg-ephemeral/main:{hash}"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`image_repository`].
pub fn image_reference(
    registry: Option<&CacheRegistry>,
    instance: &InstanceName,
    hash: &SeedHash,
) -> Result<Reference, ReferenceError> {
    let repository = image_repository(registry, instance)?;
    Reference::parse(&format!("{repository}:{hash}"))
}

/// The instance and the key that a reference names, wherever it is kept; `None` when it is not the name of a layer.
///
/// ```
/// use pg_ephemeral_core::layer::layer_name;
///
/// let hash = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
/// let (instance, key) = layer_name(&format!("ghcr.io/acme/pg-ephemeral/main:{hash}").parse()?).unwrap();
/// assert_eq!((instance.as_str(), key.as_str()), ("main", hash));
/// assert_eq!(layer_name(&"postgres:17".parse()?), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn layer_name(reference: &Reference) -> Option<(InstanceName, SeedHash)> {
    let (instance, tag) = instance_and_tag(reference)?;
    Some((instance, tag.parse().ok()?))
}

/// The instance and the tag of the snapshot that a reference names, wherever it is kept; `None` when it is not the name
/// of one.
#[must_use]
pub fn snapshot_name(reference: &Reference) -> Option<(InstanceName, SnapshotTag)> {
    let (instance, tag) = instance_and_tag(reference)?;
    Some((instance, tag.parse().ok()?))
}

/// Whether a reference names a layer of seeds or a snapshot, which are no base images.
pub(crate) fn is_layer(reference: &Reference) -> bool {
    layer_name(reference).is_some() || snapshot_name(reference).is_some()
}

/// The image of a snapshot: `[registry/]pg-ephemeral/<instance>:snapshot-<hash>`.
///
/// # Errors
/// As [`image_repository`].
pub fn snapshot_reference(
    registry: Option<&CacheRegistry>,
    instance: &InstanceName,
    tag: &SnapshotTag,
) -> Result<Reference, ReferenceError> {
    let repository = image_repository(registry, instance)?;
    Reference::parse(&format!("{repository}:{tag}"))
}

fn instance_and_tag(reference: &Reference) -> Option<(InstanceName, &str)> {
    let (folder, instance) = reference.path().rsplit_once('/')?;
    if folder.rsplit('/').next() != Some("pg-ephemeral") {
        return None;
    }
    Some((instance.parse().ok()?, reference.tag()?.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_without_registry_has_no_domain() {
        let hash = SeedHash::of_text("x");
        let reference = image_reference(None, &"billing-2".parse().unwrap(), &hash).unwrap();
        assert_eq!(reference.domain(), None);
        assert_eq!(reference.path(), "pg-ephemeral/billing-2");
        assert_eq!(reference.tag().unwrap().as_str(), hash.as_str());
    }

    #[test]
    fn what_only_looks_like_a_layer_names_none() {
        let hash = SeedHash::of_text("x");
        for name in ["pg-ephemeral", "not-pg-ephemeral/main", "pg-ephemeral/a/main", "pg-ephemeral/a_b"] {
            let reference: Reference = format!("{name}:{hash}").parse().unwrap();
            assert_eq!(layer_name(&reference), None, "{name}");
        }
        assert_eq!(layer_name(&"pg-ephemeral/main:latest".parse().unwrap()), None);
        assert_eq!(layer_name(&"pg-ephemeral/main".parse().unwrap()), None);
    }

    #[test]
    fn a_registry_path_that_leaves_no_room_for_the_instance_is_an_error() {
        let registry: CacheRegistry = format!("ghcr.io/{}", "a".repeat(210)).parse().unwrap();
        let instance: InstanceName = "i".repeat(63).parse().unwrap();
        assert!(matches!(image_repository(Some(&registry), &instance), Err(ReferenceError::TooLong { .. })));
    }
}
