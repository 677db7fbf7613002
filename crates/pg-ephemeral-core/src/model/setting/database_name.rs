//! The name of a server's database.

use std::fmt;
use std::str::FromStr;

use crate::model::seed::spec::{Identifier, IdentifierError};

/// The database that seeds are applied to and that all connections use; by default `postgres`.
///
/// ```
/// use pg_ephemeral_core::config::DatabaseName;
///
/// assert_eq!(DatabaseName::default().as_str(), "postgres");
/// assert!("template0".parse::<DatabaseName>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DatabaseName(String);

impl DatabaseName {
    /// Returns the database's name, unquoted.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for DatabaseName {
    fn default() -> Self {
        Self("postgres".to_owned())
    }
}

impl FromStr for DatabaseName {
    type Err = DatabaseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name: Identifier = text.parse()?;
        if text == "template0" {
            return Err(DatabaseNameError::Template0);
        }
        Ok(Self(name.as_str().to_owned()))
    }
}

impl fmt::Display for DatabaseName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// The reason why a text can't be the name of the database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseNameError {
    /// The text is not a valid PostgreSQL name.
    #[error(transparent)]
    Identifier(#[from] IdentifierError),
    /// The text is `template0`, to which PostgreSQL allows no connections.
    #[error("PostgreSQL allows no connections to `template0`")]
    Template0,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template0_is_refused() {
        assert_eq!("template0".parse::<DatabaseName>(), Err(DatabaseNameError::Template0));
        assert_eq!("template1".parse::<DatabaseName>().unwrap().to_string(), "template1");
    }
}
