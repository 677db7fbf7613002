//! [`CacheError`]: why an operation on the cache failed.

use ociman::{Kind, ReferenceError};

use crate::layer::UncacheableReason;
use crate::model::{ReadError, SeedName};
use crate::server::StartError;
use crate::server::choose::ChooseError;
use crate::state::{LockError, SecretError};

/// Why an operation on the cache failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The seeds could not be read, or the images could not be looked up. These steps are the same as before a start.
    #[error(transparent)]
    Prepare(#[from] StartError),
    /// No backend works.
    #[error(transparent)]
    Choose(#[from] ChooseError),
    /// The build lock of an instance could not be taken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The machine's secret could not be read or created.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A layer's name is too long for an image.
    #[error("failed to compute the layers' names")]
    Name(#[source] ReferenceError),
    /// The layers could not be listed.
    #[error("failed to list the layers")]
    List(#[source] ociman::CommandError),
    /// There is no image of this name.
    #[error("there is no image {reference}")]
    NoSuchImage {
        /// The name.
        reference: String,
    },
    /// The labels of an image are not those of a layer.
    #[error("failed to read the labels of {reference}")]
    Labels {
        /// The image.
        reference: String,
        /// The label that is wrong, and why.
        #[source]
        source: Box<ReadError>,
    },
    /// A layer could not be removed.
    #[error("failed to remove the layer {reference}")]
    Remove {
        /// The layer.
        reference: String,
        /// The backend's error.
        #[source]
        source: ociman::CommandError,
    },
    /// A server that runs on a layer could not be removed.
    #[error("failed to remove the server {container}")]
    RemoveServer {
        /// The server's container.
        container: String,
        /// The backend's error.
        #[source]
        source: ociman::CommandError,
    },
    /// Working copies of layers could not be removed.
    #[error("failed to remove working copies of layers")]
    Slots(#[source] ociman::CommandError),
    /// No registry is set.
    #[error("no registry is set for layers")]
    NoRegistry,
    /// The backend does not support registries.
    #[error("the {backend} backend can't {operation} layers")]
    Unsupported {
        /// The backend.
        backend: Kind,
        /// `push` or `pull`.
        operation: &'static str,
    },
    /// There is no layer to push.
    #[error("none of the layers of this configuration is cached, so there is nothing to push")]
    NothingToPush,
    /// A layer could not be pulled.
    #[error("failed to pull the layer {reference}")]
    Pull {
        /// The layer's name in the registry.
        reference: String,
        /// The backend's error.
        #[source]
        source: ociman::CommandError,
    },
    /// The registry's image of this name is not the layer that the name stands for.
    #[error("the image {reference} is not the layer that its name says")]
    NotTheLayer {
        /// The layer's name in the registry.
        reference: String,
    },
    /// A layer could not be pushed.
    #[error("failed to push the layer {reference}")]
    Push {
        /// The layer's name in the registry.
        reference: String,
        /// The backend's error.
        #[source]
        source: ociman::CommandError,
    },
    /// The instance has no seed of this name.
    #[error("there is no seed {name}{}", among(known))]
    UnknownSeed {
        /// The name.
        name: SeedName,
        /// The seeds of the instance.
        known: Vec<SeedName>,
    },
    /// The seed can't be cached.
    #[error("seed {seed} has no layer: {reason}")]
    Uncacheable {
        /// The seed.
        seed: SeedName,
        /// Why it can't be cached.
        reason: UncacheableReason,
    },
    /// The seed can't be cached because of an earlier seed.
    #[error("seed {seed} has no layer: seed {by} before it is not cached")]
    Broken {
        /// The seed.
        seed: SeedName,
        /// The seed that ends the cacheable prefix.
        by: SeedName,
    },
    /// The layer is not on this machine.
    #[error("there is no layer of {of}")]
    NotCached {
        /// The seed or instance that the layer would belong to.
        of: String,
    },
}

impl CacheError {
    /// Returns what the user can do about the error, if anything is known to help.
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
