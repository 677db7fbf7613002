//! The key of a label.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::text::{character_at, checked_text};

/// The key of a label, such as `pg-ephemeral.owner`.
///
/// A key has 1 to 255 bytes. It contains no `=` (engines split `key=value` there), no `,` (Docker lists labels as
/// `a=b,c=d`), no white space and no control characters. The OCI image specification requires only a non-empty string,
/// but a key that breaks these rules can't be recognised in an engine's output.
///
/// ```
/// use ociman::label::{Key, KeyError};
///
/// const OWNER: Key = Key::from_static("com.example.owner");
/// assert_eq!(OWNER.as_str(), "com.example.owner");
///
/// let refused = "owner=me".parse::<Key>();
/// assert_eq!(refused, Err(KeyError::Character { character: '=', offset: 5 }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(Cow<'static, str>);

impl Key {
    /// The maximum length of a key, in bytes.
    pub const MAX_LENGTH: usize = 255;

    /// Checks a key without creating a value. Can be used at compile time.
    ///
    /// # Errors
    ///
    /// Returns an error for the first rule that `key` breaks.
    pub const fn check(key: &str) -> Result<(), KeyError> {
        let length = key.len();
        if length == 0 {
            return Err(KeyError::Empty);
        }
        if length > Self::MAX_LENGTH {
            return Err(KeyError::TooLong { length });
        }
        let mut offset = 0;
        while offset < length {
            let character = character_at(key, offset);
            if matches!(character, '=' | ',') || is_control(character) || character.is_whitespace() {
                return Err(KeyError::Character { character, offset });
            }
            offset += character.len_utf8();
        }
        Ok(())
    }

    /// Creates a key from a literal. In a `const` item, an invalid literal does not compile.
    ///
    /// # Panics
    ///
    /// Panics if `key` is not a label key. Outside a `const` context, use [`FromStr`](std::str::FromStr) instead.
    #[expect(clippy::panic, reason = "meant for const items, where a panic is a compile error")]
    #[must_use]
    pub const fn from_static(key: &'static str) -> Self {
        match Self::check(key) {
            Ok(()) => Self(Cow::Borrowed(key)),
            Err(_) => panic!("a label key is 1 to 255 bytes without `=`, `,`, white space and control characters"),
        }
    }
}

checked_text!(Key, KeyError);

/// Returns `true` for Unicode's category Cc, like `char::is_control`, which is not `const`.
const fn is_control(character: char) -> bool {
    matches!(character, '\0'..='\x1f' | '\x7f'..='\u{9f}')
}

/// Error returned if a text is not a [`Key`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key is empty.
    #[error("label key is empty")]
    Empty,
    /// The key is longer than [`Key::MAX_LENGTH`].
    #[error("label key is {length} bytes long, at most {} are allowed", Key::MAX_LENGTH)]
    TooLong {
        /// The length of the key, in bytes.
        length: usize,
    },
    /// The key contains `=`, `,`, white space or a control character.
    #[error(
        "label key has {character:?} at byte {offset}, not allowed are `=`, `,`, white space and control characters"
    )]
    Character {
        /// The first character that is not allowed.
        character: char,
        /// The position of the character, in bytes from the start of the key.
        offset: usize,
    },
}
