//! Layers that have lost their name. Processes with other state folders may build the same layer on the same engine, and no
//! lock keeps them apart: the later commit takes the name away from the earlier image, which nothing would remove.

use ociman::label::Labels;
use ociman::{Backend, CommandError};

use crate::model::{SeedHash, label};

/// Which layers are removed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Displaced<'a> {
    /// Those of all instances.
    All,
    /// Those with one of these keys, which were just committed.
    Of(&'a [&'a SeedHash]),
}

/// Removes the images of layers that have no name any more. One that is in use stays until it is looked for again.
pub(crate) async fn remove_displaced(backend: &Backend, which: Displaced<'_>) -> Result<(), CommandError> {
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

/// Whether an image is a layer that is to be removed. What somebody commits of a server is none: it has the server's nonce.
fn is_displaced(labels: &Labels, which: Displaced<'_>) -> bool {
    let text = |key| labels.get(&key).map(|value| value.as_str());
    let is_layer = text(label::VERSION_KEY).is_some()
        && text(label::SNAPSHOT_KEY).is_none()
        && text(label::NONCE_KEY).is_none_or(str::is_empty);
    is_layer
        && match (which, text(label::TAG_KEY)) {
            (Displaced::All, Some(key)) => !key.is_empty(),
            (Displaced::Of(keys), Some(key)) => keys.iter().any(|known| known.as_str() == key),
            (_, None) => false,
        }
}

#[cfg(test)]
mod tests {
    use ociman::label::Key;

    use super::*;

    #[test]
    fn only_layers_are_removed_and_neither_snapshots_nor_what_somebody_commits_of_a_server() {
        let image = |more: &[(Key, &str)]| {
            let layer = [(label::VERSION_KEY, "0.1.0"), (label::TAG_KEY, "a"), (label::NONCE_KEY, "")];
            let labels = layer.iter().chain(more);
            Labels::from_iter(labels.map(|(key, text)| (key.clone(), label::value(text))))
        };
        assert!(is_displaced(&image(&[]), Displaced::All));
        assert!(!is_displaced(&image(&[(label::NONCE_KEY, "n")]), Displaced::All));
        assert!(!is_displaced(&image(&[(label::SNAPSHOT_KEY, "{}")]), Displaced::All));
        assert!(!is_displaced(&image(&[(label::TAG_KEY, "")]), Displaced::All));
        assert!(!is_displaced(&image(&[]), Displaced::Of(&[])));
    }
}
