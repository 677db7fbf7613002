use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::text::{character_at, checked_text};

/// The tag of an image: `[A-Za-z0-9_][A-Za-z0-9_.-]*`, 1 to 128 bytes.
///
/// The format is that of the OCI distribution specification and its reference grammar.
///
/// ```
/// use ociman::{Tag, TagError};
///
/// const LATEST: Tag = Tag::from_static("latest");
/// assert_eq!(LATEST.as_str(), "latest");
/// assert_eq!("17/alpine".parse::<Tag>(), Err(TagError::Character { character: '/', offset: 2 }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(Cow<'static, str>);

impl Tag {
    /// The maximum length of a tag, in bytes.
    pub const MAX_LENGTH: usize = 128;

    /// Checks a tag without creating a value. Can be used at compile time.
    ///
    /// # Errors
    ///
    /// Returns an error for the first rule that `tag` breaks.
    pub const fn check(tag: &str) -> Result<(), TagError> {
        Self::check_at(tag, 0)
    }

    /// Like [`Tag::check`], for a tag that starts at byte `base` of a longer text.
    const fn check_at(tag: &str, base: usize) -> Result<(), TagError> {
        let bytes = tag.as_bytes();
        if bytes.is_empty() {
            return Err(TagError::Empty);
        }
        if bytes.len() > Self::MAX_LENGTH {
            return Err(TagError::TooLong { length: bytes.len() });
        }
        if matches!(bytes[0], b'.' | b'-') {
            return Err(TagError::FirstCharacter { character: bytes[0] as char, offset: base });
        }
        let mut index = 0;
        while index < bytes.len() {
            if !matches!(bytes[index], b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-') {
                return Err(TagError::Character { character: character_at(tag, index), offset: base + index });
            }
            index += 1;
        }
        Ok(())
    }

    /// Parses a tag that starts at byte `base` of a longer text.
    pub(super) fn parse_at(tag: &str, base: usize) -> Result<Self, TagError> {
        Self::check_at(tag, base)?;
        Ok(Self(Cow::Owned(tag.to_owned())))
    }

    /// Creates a tag from a literal. In a `const` item, an invalid literal does not compile.
    ///
    /// # Panics
    ///
    /// Panics if `tag` is not a tag. Outside a `const` context, use [`FromStr`](std::str::FromStr) instead.
    #[expect(clippy::panic, reason = "meant for const items, where a panic is a compile error")]
    #[must_use]
    pub const fn from_static(tag: &'static str) -> Self {
        match Self::check(tag) {
            Ok(()) => Self(Cow::Borrowed(tag)),
            Err(_) => panic!("a tag is 1 to 128 bytes of [A-Za-z0-9_][A-Za-z0-9_.-]*"),
        }
    }
}

checked_text!(Tag, TagError);

/// Error returned if a text is not a [`Tag`]. Offsets are in bytes from the start of the parsed text, which is the tag
/// or the whole reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TagError {
    /// The tag is empty, as after the `:` of `app:`.
    #[error("tag is empty")]
    Empty,
    /// The tag is longer than [`Tag::MAX_LENGTH`].
    #[error("tag is {length} bytes long, at most {} are allowed", Tag::MAX_LENGTH)]
    TooLong {
        /// The length of the tag, in bytes.
        length: usize,
    },
    /// The tag starts with a character that is allowed only in later positions.
    #[error("tag starts with {character:?} at byte {offset}, not with an ASCII letter, a digit or `_`")]
    FirstCharacter {
        /// The first character of the tag: `.` or `-`.
        character: char,
        /// The position of the character.
        offset: usize,
    },
    /// The tag contains a character that is not allowed.
    #[error("tag has {character:?} at byte {offset}, allowed are ASCII letters, digits, `_`, `.` and `-`")]
    Character {
        /// The first character that is not allowed.
        character: char,
        /// The position of the character.
        offset: usize,
    },
}
