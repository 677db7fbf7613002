use std::borrow::Cow;

use crate::text::{character_at, checked_text};

/// One component of a repository's path: lower-case ASCII letters and digits, with separators only between them.
///
/// A separator is one `.`, one or two `_`, or any number of `-`. A component has 1 to 255 bytes.
///
/// ```
/// use ociman::{PathComponent, PathComponentError};
///
/// const POSTGRES: PathComponent = PathComponent::from_static("postgres");
/// assert_eq!(POSTGRES.as_str(), "postgres");
///
/// let refused = "my..app".parse::<PathComponent>();
/// assert_eq!(refused, Err(PathComponentError::Separator { offset: 2 }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathComponent(Cow<'static, str>);

impl PathComponent {
    /// The maximum length of a component in bytes, which is that of a whole name.
    pub const MAX_LENGTH: usize = 255;

    /// Checks a component without creating a value. Can be used at compile time.
    ///
    /// # Errors
    ///
    /// Returns an error for the first rule that `component` breaks.
    pub const fn check(component: &str) -> Result<(), PathComponentError> {
        Self::check_at(component, 0)
    }

    /// Like [`PathComponent::check`], for a component that starts at byte `base` of a longer text.
    pub(super) const fn check_at(component: &str, base: usize) -> Result<(), PathComponentError> {
        let bytes = component.as_bytes();
        if bytes.is_empty() {
            return Err(PathComponentError::Empty { offset: base });
        }
        if bytes.len() > Self::MAX_LENGTH {
            return Err(PathComponentError::TooLong { length: bytes.len() });
        }
        let mut index = 0;
        while index < bytes.len() {
            let offset = base + index;
            match bytes[index] {
                b'a'..=b'z' | b'0'..=b'9' => index += 1,
                b'.' | b'_' | b'-' => {
                    let end = separator_end(bytes, index);
                    let followed = end < bytes.len() && !is_separator(bytes[end]);
                    if index == 0 || !followed {
                        return Err(PathComponentError::Separator { offset });
                    }
                    index = end;
                }
                upper @ b'A'..=b'Z' => {
                    return Err(PathComponentError::UpperCase { character: upper as char, offset });
                }
                _ => {
                    let character = character_at(component, index);
                    return Err(PathComponentError::Character { character, offset });
                }
            }
        }
        Ok(())
    }

    /// Creates a component from a literal. In a `const` item, an invalid literal does not compile.
    ///
    /// # Panics
    ///
    /// Panics if `component` is not a path component. Outside a `const` context, use [`FromStr`](std::str::FromStr)
    /// instead.
    #[expect(clippy::panic, reason = "meant for const items, where a panic is a compile error")]
    #[must_use]
    pub const fn from_static(component: &'static str) -> Self {
        match Self::check(component) {
            Ok(()) => Self(Cow::Borrowed(component)),
            Err(_) => {
                panic!("a path component is [a-z0-9]+ with single `.`, `_`, `__` or dashes between")
            }
        }
    }
}

const fn is_separator(byte: u8) -> bool {
    matches!(byte, b'.' | b'_' | b'-')
}

/// Returns where the separator that starts at `start` ends: after one `.`, one or two `_`, or all dashes.
const fn separator_end(bytes: &[u8], start: usize) -> usize {
    let longest = match bytes[start] {
        b'.' => 1,
        b'_' => 2,
        _ => bytes.len(),
    };
    let mut end = start + 1;
    while end < bytes.len() && end - start < longest && bytes[end] == bytes[start] {
        end += 1;
    }
    end
}

checked_text!(PathComponent, PathComponentError);

/// Error returned if a text is not a [`PathComponent`]. Offsets are in bytes from the start of the parsed text, which
/// is the component or the whole reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathComponentError {
    /// A component is empty, as in `a//b`.
    #[error("path of the image has nothing at byte {offset}, where a component should be")]
    Empty {
        /// Where the component should be.
        offset: usize,
    },
    /// The component is longer than [`PathComponent::MAX_LENGTH`].
    #[error("path component of the image is {length} bytes long, at most {} are allowed", PathComponent::MAX_LENGTH)]
    TooLong {
        /// The length of the component, in bytes.
        length: usize,
    },
    /// The component contains an upper-case letter.
    #[error("path of the image has upper-case {character:?} at byte {offset}, its letters are lower-case")]
    UpperCase {
        /// The letter.
        character: char,
        /// The position of the letter.
        offset: usize,
    },
    /// The component contains a character that is not allowed.
    #[error(
        "path of the image has {character:?} at byte {offset}, allowed are lower-case letters, digits, `.`, `_` and `-`"
    )]
    Character {
        /// The first character that is not allowed.
        character: char,
        /// The position of the character.
        offset: usize,
    },
    /// A separator stands at the start or the end, or is not one of the allowed separators.
    #[error(
        "path of the image has a separator at byte {offset} that is not one `.`, `_`, `__` or dashes inside a component"
    )]
    Separator {
        /// Where the separator starts.
        offset: usize,
    },
}
