//! Names of instances and of their seeds.
//!
//! Both follow the same rule. It is so strict that a name can be part of an image path, a container name and a file
//! name without being escaped.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// The maximum length of the name of an instance or a seed, in bytes.
pub const MAX_NAME_LENGTH: usize = 63;

/// The reason why a text is not a valid [`InstanceName`] or [`SeedName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name is empty.
    #[error("name is empty")]
    Empty,
    /// The name is longer than [`MAX_NAME_LENGTH`].
    #[error("name is {length} bytes long, at most {MAX_NAME_LENGTH} are allowed")]
    TooLong {
        /// The length of the name, in bytes.
        length: usize,
    },
    /// The name has a character that is not a lower-case ASCII letter, a digit or a dash.
    #[error("name has {character:?} at byte {offset}, allowed are lower-case ASCII letters, digits and inner dashes")]
    Character {
        /// The first character that is not allowed.
        character: char,
        /// The offset of the character, in bytes from the start of the name.
        offset: usize,
    },
    /// The name starts with a dash.
    #[error("name starts with a dash")]
    LeadingDash,
    /// The name ends with a dash.
    #[error("name ends with a dash")]
    TrailingDash,
}

/// Checks the rule for both kinds of names: first the length, then the characters, then the positions of dashes.
fn check(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > MAX_NAME_LENGTH {
        return Err(NameError::TooLong { length: name.len() });
    }
    for (offset, character) in name.char_indices() {
        if !matches!(character, 'a'..='z' | '0'..='9' | '-') {
            return Err(NameError::Character { character, offset });
        }
    }
    if name.starts_with('-') {
        return Err(NameError::LeadingDash);
    }
    if name.ends_with('-') {
        return Err(NameError::TrailingDash);
    }
    Ok(())
}

macro_rules! name {
    ($(#[$documentation:meta])* $type:ident) => {
        $(#[$documentation])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(Cow<'static, str>);

        impl $type {
            /// Returns the name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                Self::try_from(name.to_owned())
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;

            fn try_from(name: String) -> Result<Self, Self::Error> {
                check(&name)?;
                Ok(Self(Cow::Owned(name)))
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0.into_owned()
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(self.as_str())
            }
        }
    };
}

name! {
    /// The name of an instance: lower-case ASCII letters, digits and inner dashes, 1 to 63 bytes.
    ///
    /// ```
    /// use pg_ephemeral_core::instance::{InstanceName, NameError};
    ///
    /// let name: InstanceName = "billing-2".parse()?;
    /// assert_eq!(name.as_str(), "billing-2");
    /// assert_eq!(InstanceName::default().as_str(), "main");
    /// assert_eq!("-a".parse::<InstanceName>(), Err(NameError::LeadingDash));
    /// # Ok::<(), NameError>(())
    /// ```
    InstanceName
}

name! {
    /// The name of a seed, unique in its instance: lower-case ASCII letters, digits and inner dashes, 1 to 63 bytes.
    ///
    /// ```
    /// use pg_ephemeral_core::instance::{NameError, SeedName};
    ///
    /// let name: SeedName = "schema".parse()?;
    /// assert_eq!(name.to_string(), "schema");
    /// let refused = "Schema".parse::<SeedName>();
    /// assert_eq!(refused, Err(NameError::Character { character: 'S', offset: 0 }));
    /// # Ok::<(), NameError>(())
    /// ```
    SeedName
}

impl InstanceName {
    /// Returns `main`, the name of the instance that exists without a configuration. It is also the instance that is
    /// used by default.
    #[must_use]
    pub const fn main() -> Self {
        Self(Cow::Borrowed("main"))
    }

    /// Returns an invalid name, for tests of code that fails with one.
    #[cfg(test)]
    pub(crate) const fn impossible() -> Self {
        Self(Cow::Borrowed("Not A Name"))
    }
}

impl Default for InstanceName {
    fn default() -> Self {
        Self::main()
    }
}
