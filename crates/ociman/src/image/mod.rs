//! References to images, after the grammar of the OCI distribution project.
//!
//! A [`Reference`] keeps what was written and knows its parts; [`Reference::canonical`] says what an engine makes of
//! it. Nothing here asks a registry or an engine: that a reference is well-formed does not mean that its image exists.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

mod component;
mod digest;
mod error;
mod registry;
mod tag;
#[cfg(test)]
mod tests;

pub use component::{PathComponent, PathComponentError};
pub use digest::{Digest, DigestError};
pub use error::ReferenceError;
pub use tag::{Tag, TagError};

/// Where an image without a registry comes from.
const DOCKER_HUB: &str = "docker.io";
/// The old name of Docker Hub, which engines still understand.
const DOCKER_HUB_INDEX: &str = "index.docker.io";
/// The folder of Docker Hub that official images are in.
const OFFICIAL: &str = "library";

/// A reference to an image: `[domain/]path[:tag][@digest]`, as it was written.
///
/// The grammar is the one of the [distribution reference library], which Docker and Podman follow:
///
/// ```text
/// reference      := name [ ":" tag ] [ "@" digest ]
/// name           := [ domain "/" ] path
/// domain         := host [ ":" port ]
/// host           := part [ "." part ]* | "[" IPv6 address "]"
/// part           := [A-Za-z0-9] or [A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]
/// port           := [0-9]+
/// path           := component [ "/" component ]*
/// component      := [a-z0-9]+ [ separator [a-z0-9]+ ]*
/// separator      := "." | "_" | "__" | "-"+
/// tag            := [A-Za-z0-9_][A-Za-z0-9_.-]{0,127}
/// digest         := algorithm ":" [0-9a-fA-F]{32,}
/// algorithm      := [A-Za-z][A-Za-z0-9]* [ [+._-] [A-Za-z][A-Za-z0-9]* ]*
/// ```
///
/// What the grammar leaves open is settled as the engines do:
/// - The first component is the domain when it has a `.`, a `:` or an upper-case letter or is `localhost`; so
///   `acme/app` has no domain. One with a `.` that can be no host but can be in a path (`a_b.c/d`) is in the path.
/// - A port is at most 65535, an IPv6 address is a complete one without zone and embedded IPv4.
/// - A name has at most [`Reference::MAX_NAME_LENGTH`] bytes.
/// - A digest of a registered algorithm has exactly its length, see [`Digest`].
///
/// Two references are equal when they are written alike. To ask whether two mean the same, compare
/// [canonical](Reference::canonical) ones.
///
/// ```
/// use ociman::Reference;
///
/// let reference: Reference = "ghcr.io/acme/app:1.2".parse()?;
/// assert_eq!(reference.domain(), Some("ghcr.io"));
/// assert_eq!(reference.path(), "acme/app");
/// assert_eq!(reference.tag().map(|tag| tag.as_str()), Some("1.2"));
///
/// let short = Reference::parse("postgres:17")?;
/// assert_eq!(short.domain(), None);
/// assert_eq!(short.canonical().to_string(), "docker.io/library/postgres:17");
/// # Ok::<(), ociman::ReferenceError>(())
/// ```
///
/// [distribution reference library]: https://pkg.go.dev/github.com/distribution/reference
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    /// Domain and path.
    name: String,
    /// Where the path starts in `name`; 0 when there is no domain.
    path_start: usize,
    tag: Option<Tag>,
    digest: Option<Digest>,
}

impl Reference {
    /// The longest name (domain and path), in bytes, as in the OCI distribution specification.
    ///
    /// `docker.io/` and then `library/` at its start don't count: engines understand a name without them too, and so
    /// the canonical form of a reference is never too long.
    pub const MAX_NAME_LENGTH: usize = error::MAX_NAME_LENGTH;

    /// Reads a reference and keeps what is written: no domain stays none.
    ///
    /// # Errors
    ///
    /// The first fault from left to right; offsets count bytes from the start of `text`.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        if let Some(offset) = text.find("://") {
            return Err(ReferenceError::Scheme { offset });
        }
        let (tagged, digest) = match text.split_once('@') {
            Some((tagged, digest)) => (tagged, Some(digest)),
            None => (text, None),
        };
        let last_component = tagged.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match tagged[last_component..].find(':') {
            Some(colon) => {
                let (name, tag) = tagged.split_at(last_component + colon);
                (name, Some(&tag[1..]))
            }
            None => (tagged, None),
        };
        let path_start = check_name(name)?;
        Ok(Self {
            name: name.to_owned(),
            path_start,
            tag: tag.map(|tag| Tag::parse_at(tag, name.len() + 1)).transpose()?,
            digest: digest.map(|digest| Digest::parse_at(digest, tagged.len() + 1)).transpose()?,
        })
    }

    /// An official image of Docker Hub, `docker.io/library/NAME`, without tag and digest.
    ///
    /// ```
    /// use ociman::{PathComponent, Reference, Tag};
    ///
    /// let image = Reference::docker_official_image(PathComponent::from_static("alpine"));
    /// let tagged = image.with_tag(Tag::from_static("3"));
    /// assert_eq!(tagged.to_string(), "docker.io/library/alpine:3");
    /// ```
    #[must_use]
    pub fn docker_official_image(name: PathComponent) -> Self {
        Self {
            name: format!("{DOCKER_HUB}/{OFFICIAL}/{name}"),
            path_start: DOCKER_HUB.len() + 1,
            tag: None,
            digest: None,
        }
    }

    /// The registry's host and port, when one is written.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.path_start.checked_sub(1).map(|slash| &self.name[..slash])
    }

    /// The path of the repository in its registry.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.name[self.path_start..]
    }

    /// Domain and path, without tag and digest.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tag, when one is written.
    #[must_use]
    pub fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// The digest, when one is written.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Whether its registry is on this machine, by its name: `localhost` or a loopback address.
    ///
    /// ```
    /// use ociman::Reference;
    ///
    /// assert!(Reference::parse("127.0.0.1:5000/app:1")?.has_registry_on_loopback());
    /// assert!(!Reference::parse("localhost.example.com/app:1")?.has_registry_on_loopback());
    /// # Ok::<(), ociman::ReferenceError>(())
    /// ```
    #[must_use]
    pub fn has_registry_on_loopback(&self) -> bool {
        self.domain().is_some_and(registry::is_on_loopback)
    }

    /// The same image with everything in its name that engines fill in themselves.
    ///
    /// As Docker normalises: without a domain it is `docker.io`, `index.docker.io` is `docker.io` too, and a single
    /// component there is in `library/`. A missing tag stays missing.
    #[must_use]
    pub fn canonical(&self) -> Self {
        let domain = match self.domain() {
            None | Some(DOCKER_HUB_INDEX) => DOCKER_HUB,
            Some(domain) => domain,
        };
        let path = self.path();
        let name = if domain == DOCKER_HUB && !path.contains('/') {
            format!("{domain}/{OFFICIAL}/{path}")
        } else {
            format!("{domain}/{path}")
        };
        Self { name, path_start: domain.len() + 1, tag: self.tag.clone(), digest: self.digest.clone() }
    }

    /// The reference with `tag` in place of its own.
    #[must_use]
    pub fn with_tag(self, tag: Tag) -> Self {
        Self { tag: Some(tag), ..self }
    }

    /// The reference with no tag.
    #[must_use]
    pub fn without_tag(self) -> Self {
        Self { tag: None, ..self }
    }

    /// The reference with `digest` in place of its own.
    #[must_use]
    pub fn with_digest(self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self }
    }

    /// The reference with no digest.
    #[must_use]
    pub fn without_digest(self) -> Self {
        Self { digest: None, ..self }
    }
}

/// Checks domain and path and says where the path starts.
fn check_name(name: &str) -> Result<usize, ReferenceError> {
    let length = counted_length(name);
    if length > Reference::MAX_NAME_LENGTH {
        return Err(ReferenceError::TooLong { length });
    }
    let path_start = match name.split_once('/') {
        Some((first, _)) if registry::is_meant(first) => {
            registry::check(first)?;
            first.len() + 1
        }
        _ => 0,
    };
    let mut offset = path_start;
    for component in name[path_start..].split('/') {
        PathComponent::check_at(component, offset)?;
        offset += component.len() + 1;
    }
    Ok(path_start)
}

/// The length of a name without what [`Reference::MAX_NAME_LENGTH`] leaves out.
fn counted_length(name: &str) -> usize {
    let Some(path) = strip_folder(name, DOCKER_HUB) else {
        return name.len();
    };
    strip_folder(path, OFFICIAL).unwrap_or(path).len()
}

/// What follows `folder` and a slash in `path`.
fn strip_folder<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    path.strip_prefix(folder)?.strip_prefix('/')
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Reference {
    type Error = ReferenceError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}
