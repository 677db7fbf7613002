//! Why something with the cache did not work.

use ociman::{Kind, ReferenceError};

use crate::layer::UncacheableReason;
use crate::model::{ReadError, SeedName};
use crate::server::StartError;
use crate::server::choose::ChooseError;
use crate::state::{LockError, SecretError};

/// Why something with the cache did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The seeds could not be read or the images not be looked up, as before a start.
    #[error(transparent)]
    Prepare(#[from] StartError),
    /// There is no backend.
    #[error(transparent)]
    Choose(#[from] ChooseError),
    /// The lock of an instance's builds.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The machine's secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A layer's name is too long for an image.
    #[error("name the layers")]
    Name(#[source] ReferenceError),
    /// The layers could not be listed.
    #[error("list the layers")]
    List(#[source] ociman::CommandError),
    /// No image has this name.
    #[error("no image is called {reference}")]
    NoSuchImage {
        /// The name.
        reference: String,
    },
    /// An image's labels are not those of a layer.
    #[error("read the labels of {reference}")]
    Labels {
        /// The image.
        reference: String,
        /// Which label, and what is wrong with it.
        #[source]
        source: Box<ReadError>,
    },
    /// A layer could not be removed.
    #[error("remove the layer {reference}")]
    Remove {
        /// The layer.
        reference: String,
        /// What the backend said.
        #[source]
        source: ociman::CommandError,
    },
    /// A server that runs on a layer could not be removed.
    #[error("remove the server {container}")]
    RemoveServer {
        /// Its container.
        container: String,
        /// What the backend said.
        #[source]
        source: ociman::CommandError,
    },
    /// Working copies of layers could not be removed.
    #[error("remove working copies of layers")]
    Slots(#[source] ociman::CommandError),
    /// Nobody said which registry.
    #[error("no registry is set for layers")]
    NoRegistry,
    /// The backend knows no registries.
    #[error("the {backend} backend can't {operation} layers")]
    Unsupported {
        /// The backend.
        backend: Kind,
        /// `push` or `pull`.
        operation: &'static str,
    },
    /// There is no layer to push.
    #[error("no layer of this configuration is here to push")]
    NothingToPush,
    /// A layer could not be fetched.
    #[error("pull the layer {reference}")]
    Pull {
        /// Its name in the registry.
        reference: String,
        /// What the backend said.
        #[source]
        source: ociman::CommandError,
    },
    /// The registry has another image under the name of a layer.
    #[error("the image {reference} is not the layer that its name says")]
    NotTheLayer {
        /// Its name in the registry.
        reference: String,
    },
    /// A layer could not be sent.
    #[error("push the layer {reference}")]
    Push {
        /// Its name in the registry.
        reference: String,
        /// What the backend said.
        #[source]
        source: ociman::CommandError,
    },
    /// The instance has no such seed.
    #[error("no seed is called {name}{}", among(known))]
    UnknownSeed {
        /// The name.
        name: SeedName,
        /// The seeds there are.
        known: Vec<SeedName>,
    },
    /// The seed has no layer of its own.
    #[error("seed {seed} has no layer: {reason}")]
    Uncacheable {
        /// The seed.
        seed: SeedName,
        /// Why.
        reason: UncacheableReason,
    },
    /// A seed before it keeps it from having a layer.
    #[error("seed {seed} has no layer: seed {by} before it is not cached")]
    Broken {
        /// The seed.
        seed: SeedName,
        /// The seed that ends the cacheable prefix.
        by: SeedName,
    },
    /// The layer is not here.
    #[error("there is no layer of {of}")]
    NotCached {
        /// What it would be of.
        of: String,
    },
}

impl CacheError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Prepare(error) => return error.hint(),
            Self::Choose(error) => return Some(error.hint()),
            Self::Labels { source, .. } => return source.hint(),
            Self::NoRegistry => "set cache_registry in database.toml, or --cache-registry",
            Self::Unsupported { .. } => "use docker or podman",
            Self::NothingToPush | Self::NotCached { .. } => "`pg-ephemeral cache populate` builds what is missing",
            Self::NoSuchImage { .. } => "`pg-ephemeral cache status` names the layers of an instance",
            Self::NotTheLayer { .. } => {
                "somebody else has pushed it, or an earlier version of pg-ephemeral; `pg-ephemeral cache push` replaces it"
            }
            Self::Pull { .. } | Self::Push { .. } => {
                "check the registry's name, and that the engine is logged in to it; without TLS only a registry of \
                 this machine is spoken to"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

fn among(known: &[SeedName]) -> String {
    let names: Vec<&str> = known.iter().map(SeedName::as_str).collect();
    if names.is_empty() { "; there are none".to_owned() } else { format!("; there are {}", names.join(", ")) }
}
