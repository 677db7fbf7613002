//! The registry that layers are pushed to and pulled from.

use std::fmt;
use std::str::FromStr;

use ociman::{Reference, ReferenceError};

/// A registry, optionally with a port and with a path under which layers are stored: `ghcr.io/acme`, `127.0.0.1:5000`.
///
/// ```
/// use pg_ephemeral_core::config::CacheRegistry;
///
/// assert!("ghcr.io/acme".parse::<CacheRegistry>().is_ok());
/// assert!("acme/layers".parse::<CacheRegistry>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CacheRegistry(String);

impl CacheRegistry {
    /// Returns the registry and the path as they were written, without a `/` at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CacheRegistry {
    type Err = CacheRegistryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The text is valid if the names of the layers below it are valid.
        let reference = Reference::parse(&format!("{text}/pg-ephemeral/main"))?;
        if reference.domain().is_none() {
            return Err(CacheRegistryError::NoRegistry);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for CacheRegistry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// The reason why a text is not a valid [`CacheRegistry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CacheRegistryError {
    /// The text does not start with a registry, so an engine would use Docker Hub.
    #[error("it must start with a registry: a host with a dot or a port, or `localhost`")]
    NoRegistry,
    /// No valid image reference starts with the text.
    #[error("no image can be kept there")]
    Reference(#[from] ReferenceError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_with_or_without_a_path_is_accepted() {
        for text in ["ghcr.io/acme", "127.0.0.1:5000", "localhost", "localhost:5000/a/b", "[::1]:5000/x"] {
            assert_eq!(text.parse::<CacheRegistry>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_path_without_a_registry_is_refused() {
        for text in ["acme/layers", "acme"] {
            assert_eq!(text.parse::<CacheRegistry>(), Err(CacheRegistryError::NoRegistry), "{text:?}");
        }
    }

    #[test]
    fn a_text_that_no_image_reference_can_start_with_is_refused() {
        for text in [
            "",
            "/acme",
            "https://ghcr.io/acme",
            "ghcr.io/",
            "ghcr.io/Acme",
            "ghcr.io/acme:17",
            "ghcr.io/a b",
            "ghcr.io:x",
        ] {
            let error = text.parse::<CacheRegistry>().unwrap_err();
            assert!(matches!(error, CacheRegistryError::Reference(_)), "{text:?}: {error}");
        }
    }
}
