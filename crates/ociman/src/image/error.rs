use super::{DigestError, PathComponentError, TagError};

/// The maximum length of an image's name, in bytes.
pub(super) const MAX_NAME_LENGTH: usize = 255;

/// Error returned if a text is not a [`super::Reference`]. Offsets are in bytes from the start of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// The reference is empty.
    #[error("image reference is empty")]
    Empty,
    /// The reference is a URL, with a scheme such as `https://`.
    #[error(
        "image reference has a URL scheme (`://` at byte {offset}), it starts with the registry's host name instead"
    )]
    Scheme {
        /// The position of the `://`.
        offset: usize,
    },
    /// The name is longer than [`super::Reference::MAX_NAME_LENGTH`].
    #[error("name of the image is {length} bytes long, at most {} are allowed", MAX_NAME_LENGTH)]
    TooLong {
        /// The length of the name in bytes, counted as [`super::Reference::MAX_NAME_LENGTH`] says.
        length: usize,
    },
    /// The registry's host name contains a character that is not allowed.
    #[error(
        "registry of the image has {character:?} at byte {offset}, a host name is ASCII letters, digits, `.` and `-`"
    )]
    HostCharacter {
        /// The first character that is not allowed.
        character: char,
        /// The position of the character.
        offset: usize,
    },
    /// A part of the registry's host name, between dots, is empty or starts or ends with a dash.
    #[error(
        "registry of the image: the part of its host name at byte {offset} is empty or has a dash at its start or end"
    )]
    HostPart {
        /// The position of the part.
        offset: usize,
    },
    /// The registry starts with `[`, but an IPv6 address and `]` don't follow.
    #[error("registry of the image starts with `[`, but not with an IPv6 address in brackets")]
    Ipv6Address,
    /// The registry's host name is followed by something other than `:` and a port.
    #[error("registry of the image has no port number (up to 65535) at byte {offset}")]
    Port {
        /// Where the number should start.
        offset: usize,
    },
    /// A component of the path is invalid.
    #[error(transparent)]
    Path(#[from] PathComponentError),
    /// The text after the `:` is not a tag.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// The text after the `@` is not a digest.
    #[error(transparent)]
    Digest(#[from] DigestError),
}
