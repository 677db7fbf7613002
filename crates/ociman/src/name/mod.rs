//! The name of a container, checked once when it is created.
//!
//! The rules are those that Docker and Podman share. Every backend accepts a [`ContainerName`], and no other code has
//! to check the text again.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::text::{character_at, checked_text};

#[cfg(test)]
mod tests;

/// The name of a container: `[A-Za-z0-9][A-Za-z0-9_.-]*`, 1 to 255 bytes.
///
/// Docker and Podman allow the same characters (`[a-zA-Z0-9][a-zA-Z0-9_.-]*`). The maximum length is that of a file
/// name, because engines and the host backend name files after containers.
///
/// ```
/// use ociman::{ContainerName, ContainerNameError};
///
/// const CACHE: ContainerName = ContainerName::from_static("cache-1");
/// assert_eq!(CACHE.as_str(), "cache-1");
///
/// let refused = "my container".parse::<ContainerName>();
/// assert_eq!(refused, Err(ContainerNameError::Character { character: ' ', offset: 2 }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContainerName(Cow<'static, str>);

impl ContainerName {
    /// The maximum length of a name, in bytes.
    pub const MAX_LENGTH: usize = 255;

    /// Checks a name without creating a value. Can be used at compile time.
    ///
    /// Checks the length first, then the characters from left to right.
    ///
    /// # Errors
    ///
    /// Returns an error for the first rule that `name` breaks.
    pub const fn check(name: &str) -> Result<(), ContainerNameError> {
        let bytes = name.as_bytes();
        if bytes.is_empty() {
            return Err(ContainerNameError::Empty);
        }
        if bytes.len() > Self::MAX_LENGTH {
            return Err(ContainerNameError::TooLong { length: bytes.len() });
        }
        if !bytes[0].is_ascii_alphanumeric() {
            return Err(ContainerNameError::FirstCharacter { character: character_at(name, 0) });
        }
        let mut offset = 1;
        while offset < bytes.len() {
            if !matches!(bytes[offset], b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-') {
                return Err(ContainerNameError::Character { character: character_at(name, offset), offset });
            }
            offset += 1;
        }
        Ok(())
    }

    /// Creates a name from a literal. In a `const` item, an invalid literal does not compile.
    ///
    /// ```compile_fail
    /// const NAME: ociman::ContainerName = ociman::ContainerName::from_static("no name");
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if `name` is not a container name. Outside a `const` context, use [`FromStr`](std::str::FromStr) instead.
    #[expect(clippy::panic, reason = "meant for const items, where a panic is a compile error")]
    #[must_use]
    pub const fn from_static(name: &'static str) -> Self {
        match Self::check(name) {
            Ok(()) => Self(Cow::Borrowed(name)),
            Err(_) => panic!("a container name is 1 to 255 bytes of [A-Za-z0-9][A-Za-z0-9_.-]*"),
        }
    }
}

checked_text!(ContainerName, ContainerNameError);

/// Error returned if a text is not a [`ContainerName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContainerNameError {
    /// The name is empty.
    #[error("container name is empty")]
    Empty,
    /// The name is longer than [`ContainerName::MAX_LENGTH`].
    #[error("container name is {length} bytes long, at most {} are allowed", ContainerName::MAX_LENGTH)]
    TooLong {
        /// The length of the name, in bytes.
        length: usize,
    },
    /// The name does not start with an ASCII letter or digit.
    #[error("container name starts with {character:?}, not with an ASCII letter or digit")]
    FirstCharacter {
        /// The first character of the name.
        character: char,
    },
    /// A later character is not allowed.
    #[error("container name has {character:?} at byte {offset}, allowed are ASCII letters, digits, `_`, `.` and `-`")]
    Character {
        /// The first character that is not allowed.
        character: char,
        /// The position of the character, in bytes from the start of the name.
        offset: usize,
    },
}
