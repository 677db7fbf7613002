//! Names of things inside PostgreSQL. How to quote one in SQL is not this module's business.

use std::fmt;
use std::str::FromStr;

/// A name PostgreSQL takes for a role, a database, a schema or a table, kept exactly as written.
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
    /// The longest name PostgreSQL keeps whole, in bytes (`NAMEDATALEN` less one).
    pub const MAX_BYTES: usize = 63;

    /// The name, unquoted.
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

/// Why a text is no PostgreSQL name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentifierError {
    /// It has no character at all.
    #[error("a PostgreSQL name can't be empty")]
    Empty,
    /// PostgreSQL would cut it off.
    #[error("a PostgreSQL name has at most {} bytes, this one has {length}", Identifier::MAX_BYTES)]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// It holds the NUL character.
    #[error("a PostgreSQL name can't hold the NUL character (at byte {offset})")]
    Nul {
        /// Where it is, in bytes from the start of the text.
        offset: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_measured_in_bytes() {
        assert!("x".repeat(63).parse::<Identifier>().is_ok());
        assert_eq!("é".repeat(32).parse::<Identifier>(), Err(IdentifierError::TooLong { length: 64 }));
    }

    #[test]
    fn a_name_holds_anything_but_nul() {
        assert_eq!("a \"b\"; --".parse::<Identifier>().unwrap().as_str(), "a \"b\"; --");
        assert_eq!("a\0".parse::<Identifier>(), Err(IdentifierError::Nul { offset: 1 }));
        assert_eq!("".parse::<Identifier>(), Err(IdentifierError::Empty));
    }
}
