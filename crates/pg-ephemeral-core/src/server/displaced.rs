//! Removing layers that have lost their name. Locks are in the state folder, so processes with different state folders
//! may build the same layer on the same engine at the same time. The later commit then takes the name from the image of
//! the earlier one, and that image stays without a name.

use ociman::label::Labels;
use ociman::{Backend, CommandError};

use crate::model::{SeedHash, label};

/// Which displaced layers to remove.
#[derive(Debug, Clone, Copy)]
pub(crate) enum DisplacedLayers<'a> {
    /// The layers of all instances.
    All,
    /// Layers with one of these keys, which were just committed.
    Of(&'a [&'a SeedHash]),
}

/// Removes the images of layers that have lost their name. An image that is in use is left to a later call.
pub(crate) async fn remove_displaced(backend: &Backend, which: DisplacedLayers<'_>) -> Result<(), CommandError> {
    for image in backend.nameless_images(&label::TAG_KEY).await? {
        if !is_displaced(&image.labels, which) {
            continue;
        }
        match backend.remove_nameless_image(&image.id).await {
            Ok(()) | Err(CommandError::ImageNotFound { .. } | CommandError::ImageInUse { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Returns `true` if a nameless image is a layer to be removed. An image that a user has committed from a server is not
/// a layer; it has the nonce of the server.
fn is_displaced(labels: &Labels, which: DisplacedLayers<'_>) -> bool {
    let text = |key| labels.get(&key).map(|value| value.as_str());
    let is_layer = text(label::VERSION_KEY).is_some()
        && text(label::SNAPSHOT_KEY).is_none()
        && text(label::NONCE_KEY).is_none_or(str::is_empty);
    is_layer
        && match (which, text(label::TAG_KEY)) {
            (DisplacedLayers::All, Some(key)) => !key.is_empty(),
            (DisplacedLayers::Of(keys), Some(key)) => keys.iter().any(|known| known.as_str() == key),
            (_, None) => false,
        }
}

#[cfg(test)]
mod tests {
    use ociman::label::Key;

    use super::*;

    #[test]
    fn only_layers_are_removed_and_neither_snapshots_nor_images_that_a_user_has_committed() {
        let image = |more: &[(Key, &str)]| {
            let layer = [(label::VERSION_KEY, "0.1.0"), (label::TAG_KEY, "a"), (label::NONCE_KEY, "")];
            let labels = layer.iter().chain(more);
            Labels::from_iter(labels.map(|(key, text)| (key.clone(), label::value(text))))
        };
        assert!(is_displaced(&image(&[]), DisplacedLayers::All));
        assert!(!is_displaced(&image(&[(label::NONCE_KEY, "n")]), DisplacedLayers::All));
        assert!(!is_displaced(&image(&[(label::SNAPSHOT_KEY, "{}")]), DisplacedLayers::All));
        assert!(!is_displaced(&image(&[(label::TAG_KEY, "")]), DisplacedLayers::All));
        assert!(!is_displaced(&image(&[]), DisplacedLayers::Of(&[])));
    }
}
