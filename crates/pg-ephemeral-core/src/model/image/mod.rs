//! The image that a server runs: a version of the official PostgreSQL image, or any image by its full reference.
//!
//! Only the syntax is checked here. The backend finds out whether the image exists and what it contains.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use ociman::{Digest, DigestError, PathComponent, Reference, ReferenceError, Tag};
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// The name of the official image on Docker Hub.
const POSTGRES: PathComponent = PathComponent::from_static("postgres");
const LATEST: Tag = Tag::from_static("latest");

/// The image of a server.
///
/// Text without a `/` is a tag of the official image `docker.io/library/postgres`, with an optional `@` and digest:
/// - `latest`, or
/// - a version: a major number, minor numbers after dots, `alpha`, `beta` or `rc` with a number, and a variant after a
///   dash, such as `17`, `17.2`, `9.6.24`, `18rc1`, `17-alpine` or `18beta1-bookworm`.
///
/// Text with a `/` is a full OCI reference, see [`Reference`] for the grammar. Other text without a `/`, such as
/// `postgres` or `postgres:17`, is refused because it is ambiguous.
///
/// An image is displayed and serialised as it was written. Two images are equal if they mean the same reference, so
/// `17` equals `docker.io/library/postgres:17`.
///
/// ```
/// use pg_ephemeral_core::image::Image;
///
/// let image: Image = "17-alpine".parse()?;
/// assert_eq!(image.reference().to_string(), "docker.io/library/postgres:17-alpine");
/// assert_eq!(image.official_major(), Some(17));
///
/// let other: Image = "ghcr.io/acme/postgres".parse()?;
/// assert_eq!(other.reference().to_string(), "ghcr.io/acme/postgres:latest");
/// assert_eq!(other.official_major(), None);
/// # Ok::<(), pg_ephemeral_core::image::ImageError>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Image {
    written: String,
    reference: Reference,
}

impl Image {
    /// The text of [`Image::default`]: the newest version of the official image.
    pub const DEFAULT: &'static str = "latest";

    /// Returns the full reference. If the image was parsed from text, the reference has a domain, and the tag `latest`
    /// if neither a tag nor a digest was written.
    #[must_use]
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// Returns the first number of the PostgreSQL version in the text: 17 for `17-alpine`, 9 for `9.6`.
    ///
    /// `None` for `latest`, for a digest without a tag, for a tag that is not a version, and for images other than the
    /// official one.
    #[must_use]
    pub fn official_major(&self) -> Option<u32> {
        self.official_tag().and_then(major_version)
    }

    /// Returns `true` if this is the tag `latest` of the official image, with or without a digest.
    #[must_use]
    pub fn is_latest(&self) -> bool {
        self.official_tag() == Some(&LATEST)
    }

    fn official_tag(&self) -> Option<&Tag> {
        let is_official = self.reference.name() == Reference::docker_official_image(POSTGRES).name();
        self.reference.tag().filter(|_| is_official)
    }

    /// Parses a tag of the official image. `None` if the text is not one.
    fn parse_official(text: &str) -> Result<Option<Reference>, DigestError> {
        let (tag, digest) = match text.split_once('@') {
            Some((tag, digest)) => (tag, Some(digest)),
            None => (text, None),
        };
        let Some(tag) = tag.parse().ok().filter(|tag| *tag == LATEST || major_version(tag).is_some()) else {
            return Ok(None);
        };
        let tagged = Reference::docker_official_image(POSTGRES).with_tag(tag);
        match digest {
            Some(digest) => Ok(Some(tagged.with_digest(digest.parse::<Digest>()?))),
            None => Ok(Some(tagged)),
        }
    }

    /// Parses a full reference, and adds the domain and the tag that an engine would add.
    fn parse_reference(text: &str) -> Result<Reference, ReferenceError> {
        let reference = Reference::parse(text)?.canonical();
        if reference.tag().is_none() && reference.digest().is_none() {
            Ok(reference.with_tag(LATEST))
        } else {
            Ok(reference)
        }
    }
}

/// Returns the major number of a tag that is a version. `None` for any other tag.
fn major_version(tag: &Tag) -> Option<u32> {
    let (version, variant) = match tag.as_str().split_once('-') {
        Some((version, variant)) => (version, Some(variant)),
        None => (tag.as_str(), None),
    };
    if variant.is_some_and(|variant| !variant.starts_with(|first: char| first.is_ascii_alphanumeric())) {
        return None;
    }
    if version.starts_with('0') {
        return None;
    }
    let (major, mut rest) = split_number(version)?;
    while let Some(minor) = rest.strip_prefix('.') {
        (_, rest) = split_number(minor)?;
    }
    for stage in ["alpha", "beta", "rc"] {
        if let Some(number) = rest.strip_prefix(stage) {
            (_, rest) = split_number(number)?;
            break;
        }
    }
    if rest.is_empty() { major.parse().ok() } else { None }
}

/// Splits a text after its leading decimal digits. `None` if there are none.
fn split_number(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).filter(|(digits, _)| !digits.is_empty())
}

impl Default for Image {
    fn default() -> Self {
        const TAG: Tag = Tag::from_static(Image::DEFAULT);
        Self { written: Self::DEFAULT.to_owned(), reference: Reference::docker_official_image(POSTGRES).with_tag(TAG) }
    }
}

impl FromStr for Image {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for Image {
    type Error = ImageError;

    fn try_from(written: String) -> Result<Self, Self::Error> {
        if written.is_empty() {
            return Err(ImageError::Empty);
        }
        let reference = if written.contains('/') {
            Self::parse_reference(&written)?
        } else if let Some(reference) = Self::parse_official(&written)? {
            reference
        } else {
            return Err(ImageError::BareName { text: written });
        };
        Ok(Self { written, reference })
    }
}

impl From<&Image> for Reference {
    fn from(image: &Image) -> Self {
        image.reference.clone()
    }
}

impl From<Reference> for Image {
    fn from(reference: Reference) -> Self {
        Self { written: reference.to_string(), reference }
    }
}

impl From<Image> for String {
    fn from(image: Image) -> Self {
        image.written
    }
}

impl fmt::Display for Image {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.written)
    }
}

impl PartialEq for Image {
    fn eq(&self, other: &Self) -> bool {
        self.reference == other.reference
    }
}

impl Eq for Image {}

impl PartialOrd for Image {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Image {
    fn cmp(&self, other: &Self) -> Ordering {
        self.reference.cmp(&other.reference)
    }
}

impl Hash for Image {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.reference.hash(state);
    }
}

/// The reason why a text is not a valid [`Image`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The text is empty.
    #[error("image is empty")]
    Empty,
    /// The text has no `/` and is neither `latest` nor a version.
    #[error("image {text:?} is neither a version of the official image nor a full reference")]
    BareName {
        /// The text.
        text: String,
    },
    /// The text after the `@` of a version is not a digest. Offsets in the error count from the `@`.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// The text has a `/` and is not an OCI reference.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
}

impl ImageError {
    /// Returns what to write instead. `None` if the message of the error already says enough.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Empty | Self::BareName { .. } => Some(
                "write a version of the official image, such as 17, 17.2, 17-alpine, 18rc1-bookworm or latest, \
                 or a full reference with a slash, such as docker.io/library/postgres:17",
            ),
            Self::Digest(_) => Some("a digest looks like sha256: and 64 hexadecimal digits"),
            Self::Reference(_) => None,
        }
    }
}
