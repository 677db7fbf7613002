//! Names of objects in PostgreSQL. This module does not quote them for SQL.

use std::fmt;
use std::str::FromStr;

/// A name that PostgreSQL accepts for a role, a database, a schema or a table. It is kept exactly as written.
///
/// ```
/// use pg_ephemeral_core::seed::spec::{Identifier, IdentifierError};
///
/// assert_eq!("Orders 2024".parse::<Identifier>()?.as_str(), "Orders 2024");
/// assert_eq!("".parse::<Identifier>(), Err(IdentifierError::Empty));
/// # Ok::<(), IdentifierError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier(String);

impl Identifier {
    /// The length of the longest name that PostgreSQL does not truncate, in bytes (`NAMEDATALEN` minus one).
    pub const MAX_BYTES: usize = 63;

    /// Returns the name, unquoted.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Identifier {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(IdentifierError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(IdentifierError::TooLong { length: text.len() });
        }
        if let Some(offset) = text.find('\0') {
            return Err(IdentifierError::Nul { offset });
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// The reason why a text is not a valid PostgreSQL name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentifierError {
    /// The text is empty.
    #[error("a PostgreSQL name can't be empty")]
    Empty,
    /// The text is longer than [`Identifier::MAX_BYTES`], so PostgreSQL would truncate it.
    #[error("a PostgreSQL name has at most {} bytes, this one has {length}", Identifier::MAX_BYTES)]
    TooLong {
        /// The length of the text, in bytes.
        length: usize,
    },
    /// The text contains the NUL character.
    #[error("a PostgreSQL name can't hold the NUL character (at byte {offset})")]
    Nul {
        /// The offset of the character, in bytes from the start of the text.
        offset: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_name_is_counted_in_bytes() {
        assert!("x".repeat(63).parse::<Identifier>().is_ok());
        assert_eq!("é".repeat(32).parse::<Identifier>(), Err(IdentifierError::TooLong { length: 64 }));
    }

    #[test]
    fn a_name_may_contain_any_character_but_nul() {
        assert_eq!("a \"b\"; --".parse::<Identifier>().unwrap().as_str(), "a \"b\"; --");
        assert_eq!("a\0".parse::<Identifier>(), Err(IdentifierError::Nul { offset: 1 }));
        assert_eq!("".parse::<Identifier>(), Err(IdentifierError::Empty));
    }
}
