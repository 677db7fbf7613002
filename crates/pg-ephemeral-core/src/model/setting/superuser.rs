//! The name of a server's superuser.

use std::fmt;
use std::str::FromStr;

use crate::model::seed::spec::{Identifier, IdentifierError};

/// The role that `initdb` creates and that all connections use; by default `postgres`.
///
/// ```
/// use pg_ephemeral_core::config::Superuser;
///
/// assert_eq!(Superuser::default().as_str(), "postgres");
/// assert!("pg_admin".parse::<Superuser>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Superuser(String);

impl Superuser {
    /// Returns the role's name, unquoted.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Superuser {
    fn default() -> Self {
        Self("postgres".to_owned())
    }
}

impl FromStr for Superuser {
    type Err = SuperuserError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name: Identifier = text.parse()?;
        if text.starts_with("pg_") || matches!(text, "public" | "none") {
            return Err(SuperuserError::Reserved);
        }
        if text.contains(UNUSABLE) {
            return Err(SuperuserError::Unusable);
        }
        Ok(Self(name.as_str().to_owned()))
    }
}

impl fmt::Display for Superuser {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// The reason why a text can't be the name of the superuser.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SuperuserError {
    /// The text is not a valid PostgreSQL name.
    #[error(transparent)]
    Identifier(#[from] IdentifierError),
    /// PostgreSQL reserves the name.
    #[error("PostgreSQL reserves `public`, `none` and role names that start with `pg_`")]
    Reserved,
    /// The name has a character with which `initdb` fails.
    #[error("a superuser's name can't have any of `\"`, `$`, `'` and `\\`")]
    Unusable,
}

/// The characters that are not allowed in the name of the owner of an extension. The superuser owns the extensions that
/// `initdb` creates.
const UNUSABLE: [char; 4] = ['"', '$', '\'', '\\'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_and_unusable_role_names_are_refused() {
        for text in ["public", "none", "pg_monitor"] {
            assert_eq!(text.parse::<Superuser>(), Err(SuperuserError::Reserved), "{text}");
        }
        for text in ["a\"b", "a$b", "a'b", "a\\b"] {
            assert_eq!(text.parse::<Superuser>(), Err(SuperuserError::Unusable), "{text}");
        }
        assert_eq!("pgadmin".parse::<Superuser>().unwrap().to_string(), "pgadmin");
    }
}
