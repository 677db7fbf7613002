//! References to images, in the grammar of the OCI distribution project.
//!
//! A [`Reference`] keeps the text as written and gives access to its parts; [`Reference::canonical`] returns the full
//! form that an engine expands it to. Nothing here contacts a registry or an engine: the image of a well-formed
//! reference need not exist.

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

/// The registry of images whose reference names none.
const DOCKER_HUB: &str = "docker.io";
/// The old name of Docker Hub, which engines still understand.
const DOCKER_HUB_INDEX: &str = "index.docker.io";
/// The folder of official images on Docker Hub.
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
/// Where the grammar leaves a choice, the rules of the engines apply:
/// - The first component is the domain if it contains `.`, `:` or an upper-case letter, or is `localhost`. So
///   `acme/app` has no domain. A first component with a `.` that is not a valid host but is valid in a path (as in
///   `a_b.c/d`) is part of the path.
/// - A port is at most 65535. An IPv6 address is complete, without a zone and without an embedded IPv4 address.
/// - A name has at most [`Reference::MAX_NAME_LENGTH`] bytes.
/// - The digest of a registered algorithm has exactly the required length; see [`Digest`].
///
/// Two references are equal if they are written alike. To find out whether two references mean the same image, compare
/// their [canonical](Reference::canonical) forms.
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
    /// The domain and the path.
    name: String,
    /// The position of the path in `name`; 0 if there is no domain.
    path_start: usize,
    tag: Option<Tag>,
    digest: Option<Digest>,
}

impl Reference {
    /// The maximum length of a name (domain and path) in bytes, as in the OCI distribution specification.
    ///
    /// A leading `docker.io/`, and `library/` after it, don't count, because engines also accept the name without them.
    /// So the canonical form of a valid reference is never too long.
    pub const MAX_NAME_LENGTH: usize = error::MAX_NAME_LENGTH;

    /// Parses a reference and keeps it as written: a missing domain is not filled in.
    ///
    /// # Errors
    ///
    /// Returns the first error from left to right. Offsets are in bytes from the start of `text`.
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

    /// Returns the reference of an official image on Docker Hub, `docker.io/library/NAME`, without tag and digest.
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

    /// Returns the host and port of the registry, or `None` if the reference has none.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.path_start.checked_sub(1).map(|slash| &self.name[..slash])
    }

    /// Returns the path of the repository in its registry.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.name[self.path_start..]
    }

    /// Returns the domain and the path, without tag and digest.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the tag, or `None` if the reference has none.
    #[must_use]
    pub fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// Returns the digest, or `None` if the reference has none.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Returns `true` if the registry's host is `localhost` or a loopback address, and so is on this machine.
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

    /// Returns the same reference with everything that engines fill in themselves.
    ///
    /// The rules are those of Docker: a missing domain and `index.docker.io` become `docker.io`, and a path of one
    /// component there is put into `library/`. A missing tag stays missing.
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

    /// Returns the reference with `tag` instead of its own tag.
    #[must_use]
    pub fn with_tag(self, tag: Tag) -> Self {
        Self { tag: Some(tag), ..self }
    }

    /// Returns the reference without its tag.
    #[must_use]
    pub fn without_tag(self) -> Self {
        Self { tag: None, ..self }
    }

    /// Returns the reference with `digest` instead of its own digest.
    #[must_use]
    pub fn with_digest(self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self }
    }

    /// Returns the reference without its digest.
    #[must_use]
    pub fn without_digest(self) -> Self {
        Self { digest: None, ..self }
    }
}

/// Checks the domain and the path, and returns the position of the path.
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

/// Returns the length of a name without the prefixes that [`Reference::MAX_NAME_LENGTH`] does not count.
fn counted_length(name: &str) -> usize {
    let Some(path) = strip_folder(name, DOCKER_HUB) else {
        return name.len();
    };
    strip_folder(path, OFFICIAL).unwrap_or(path).len()
}

/// Returns what follows `folder` and a slash in `path`, or `None` if `path` does not start with them.
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
