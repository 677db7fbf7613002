//! The key of a layer.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The key of a layer: a BLAKE3 hash, written as 64 lower-case hexadecimal characters. It is the tag of the layer's
/// image.
///
/// ```
/// use pg_ephemeral_core::layer::{SeedHash, SeedHashError};
///
/// let text = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
/// let hash: SeedHash = text.parse()?;
/// assert_eq!(hash.to_string(), text);
/// assert_eq!("af13".parse::<SeedHash>(), Err(SeedHashError::Length { length: 4 }));
/// # Ok::<(), SeedHashError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SeedHash(String);

impl SeedHash {
    /// The length of a key, in characters.
    pub const LENGTH: usize = 64;

    /// Returns the key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn new(hash: blake3::Hash) -> Self {
        Self(hash.to_hex().to_string())
    }

    /// Returns a key for tests, which is the same for the same text.
    #[cfg(test)]
    pub(crate) fn of_text(text: &str) -> Self {
        Self::new(blake3::hash(text.as_bytes()))
    }
}

impl TryFrom<String> for SeedHash {
    type Error = SeedHashError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.len() != Self::LENGTH {
            return Err(SeedHashError::Length { length: text.len() });
        }
        match text.char_indices().find(|(_, character)| !matches!(character, '0'..='9' | 'a'..='f')) {
            Some((offset, character)) => Err(SeedHashError::Character { character, offset }),
            None => Ok(Self(text)),
        }
    }
}

impl FromStr for SeedHash {
    type Err = SeedHashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl From<SeedHash> for String {
    fn from(hash: SeedHash) -> Self {
        hash.0
    }
}

impl AsRef<str> for SeedHash {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SeedHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// The reason why a text is not a valid [`SeedHash`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SeedHashError {
    /// The text does not have [`SeedHash::LENGTH`] characters.
    #[error("a layer's key has {} characters, this one has {length} bytes", SeedHash::LENGTH)]
    Length {
        /// The length found, in bytes.
        length: usize,
    },
    /// The text has a character that is not a lower-case hexadecimal digit.
    #[error("a layer's key consists of lower-case hexadecimal digits, not {character:?} (at byte {offset})")]
    Character {
        /// The first such character.
        character: char,
        /// The offset of the character, in bytes from the start of the text.
        offset: usize,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_has_only_lower_case_hexadecimal_digits() {
        let upper = "A".repeat(64);
        let error = SeedHashError::Character { character: 'A', offset: 0 };
        assert_eq!(upper.parse::<SeedHash>(), Err(error));
        let late = format!("{}é", "a".repeat(62));
        assert_eq!(late.parse::<SeedHash>(), Err(SeedHashError::Character { character: 'é', offset: 62 }));
        assert_eq!("a".repeat(65).parse::<SeedHash>(), Err(SeedHashError::Length { length: 65 }));
    }

    proptest! {
        #[test]
        fn a_key_round_trips_through_text_and_json(text in ".*") {
            let hash = SeedHash::of_text(&text);
            prop_assert_eq!(&hash.to_string().parse::<SeedHash>().unwrap(), &hash);
            let json = serde_json::to_string(&hash).unwrap();
            prop_assert_eq!(&json, &format!("\"{hash}\""));
            prop_assert_eq!(serde_json::from_str::<SeedHash>(&json).unwrap(), hash);
        }
    }

    #[test]
    fn json_that_is_not_a_key_is_refused() {
        assert!(serde_json::from_str::<SeedHash>("\"latest\"").is_err());
    }
}
