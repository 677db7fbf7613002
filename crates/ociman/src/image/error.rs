use super::{DigestError, PathComponentError, TagError};

/// The longest name of an image, in bytes.
pub(super) const MAX_NAME_LENGTH: usize = 255;

/// Why a text is not a [`super::Reference`]. Offsets count bytes from the start of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// There is no text at all.
    #[error("image reference is empty")]
    Empty,
    /// It is a URL, with a scheme such as `https://`.
    #[error(
        "image reference has a URL scheme (`://` at byte {offset}), it starts with the registry's host name instead"
    )]
    Scheme {
        /// Where the `://` is.
        offset: usize,
    },
    /// The name is longer than [`super::Reference::MAX_NAME_LENGTH`].
    #[error("name of the image is {length} bytes long, at most {} are allowed", MAX_NAME_LENGTH)]
    TooLong {
        /// The length found, in bytes, counted as the limit is.
        length: usize,
    },
    /// The registry's host name has a character that host names don't have.
    #[error(
        "registry of the image has {character:?} at byte {offset}, a host name is ASCII letters, digits, `.` and `-`"
    )]
    HostCharacter {
        /// The first character that is not allowed.
        character: char,
        /// Where it starts.
        offset: usize,
    },
    /// A part of the registry's host name, between dots, is empty or starts or ends with a dash.
    #[error(
        "registry of the image: the part of its host name at byte {offset} is empty or has a dash at its start or end"
    )]
    HostPart {
        /// Where the part starts.
        offset: usize,
    },
    /// The registry starts with `[` and no IPv6 address with `]` follows.
    #[error("registry of the image starts with `[`, but not with an IPv6 address in brackets")]
    Ipv6Address,
    /// What follows the registry's host name is not `:` and a port.
    #[error("registry of the image has no port number (up to 65535) at byte {offset}")]
    Port {
        /// Where the number should start.
        offset: usize,
    },
    /// A component of the path is not one.
    #[error(transparent)]
    Path(#[from] PathComponentError),
    /// What follows the `:` is not a tag.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// What follows the `@` is not a digest.
    #[error(transparent)]
    Digest(#[from] DigestError),
}
