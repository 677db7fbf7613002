//! The names of the images of layers and snapshots.

use ociman::{Reference, ReferenceError};

use super::key::SeedHash;
use crate::model::instance::InstanceName;
use crate::model::setting::CacheRegistry;
use crate::model::snapshot::SnapshotTag;

/// Returns the repository of all layers of an instance: `[registry/]pg-ephemeral/<instance>`, without a tag.
///
/// # Errors
/// Returns an error if the registry and the instance's name together are too long for an image reference.
pub fn image_repository(
    registry: Option<&CacheRegistry>,
    instance: &InstanceName,
) -> Result<Reference, ReferenceError> {
    match registry {
        Some(registry) => Reference::parse(&format!("{registry}/pg-ephemeral/{instance}")),
        None => Reference::parse(&format!("pg-ephemeral/{instance}")),
    }
}

/// Returns the reference of the image of a layer: `[registry/]pg-ephemeral/<instance>:<hash>`.
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
/// The same as for [`image_repository`].
pub fn image_reference(
    registry: Option<&CacheRegistry>,
    instance: &InstanceName,
    hash: &SeedHash,
) -> Result<Reference, ReferenceError> {
    let repository = image_repository(registry, instance)?;
    Reference::parse(&format!("{repository}:{hash}"))
}

/// Returns the instance and the key of the layer that a reference names, in any registry. `None` if the reference is
/// not the name of a layer.
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

/// Returns the instance and the tag of the snapshot that a reference names, in any registry. `None` if the reference is
/// not the name of a snapshot.
#[must_use]
pub fn snapshot_name(reference: &Reference) -> Option<(InstanceName, SnapshotTag)> {
    let (instance, tag) = instance_and_tag(reference)?;
    Some((instance, tag.parse().ok()?))
}

/// Returns `true` if a reference names a layer or a snapshot, so that it is not a base image.
pub(crate) fn is_layer(reference: &Reference) -> bool {
    layer_name(reference).is_some() || snapshot_name(reference).is_some()
}

/// Returns the reference of the image of a snapshot: `[registry/]pg-ephemeral/<instance>:snapshot-<hash>`.
///
/// # Errors
/// The same as for [`image_repository`].
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
    fn the_reference_of_a_layer_without_a_registry_has_no_domain() {
        let hash = SeedHash::of_text("x");
        let reference = image_reference(None, &"billing-2".parse().unwrap(), &hash).unwrap();
        assert_eq!(reference.domain(), None);
        assert_eq!(reference.path(), "pg-ephemeral/billing-2");
        assert_eq!(reference.tag().unwrap().as_str(), hash.as_str());
    }

    #[test]
    fn a_reference_that_only_resembles_the_name_of_a_layer_is_not_one() {
        let hash = SeedHash::of_text("x");
        for name in ["pg-ephemeral", "not-pg-ephemeral/main", "pg-ephemeral/a/main", "pg-ephemeral/a_b"] {
            let reference: Reference = format!("{name}:{hash}").parse().unwrap();
            assert_eq!(layer_name(&reference), None, "{name}");
        }
        assert_eq!(layer_name(&"pg-ephemeral/main:latest".parse().unwrap()), None);
        assert_eq!(layer_name(&"pg-ephemeral/main".parse().unwrap()), None);
    }

    #[test]
    fn a_registry_path_that_makes_the_reference_too_long_is_an_error() {
        let registry: CacheRegistry = format!("ghcr.io/{}", "a".repeat(210)).parse().unwrap();
        let instance: InstanceName = "i".repeat(63).parse().unwrap();
        assert!(matches!(image_repository(Some(&registry), &instance), Err(ReferenceError::TooLong { .. })));
    }
}
