//! Parameters of a PostgreSQL server (`postgresql.conf`), as they are set in the configuration and on the command line.
//!
//! Only the syntax of names and values is checked here. The server checks whether it knows a parameter and accepts its
//! value.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

mod assignment;
mod parameters;
/// Returns `true` if a parameter configures SSL, that is, if its name starts with `ssl`. Such a parameter conflicts
/// with `ssl_config`.
pub(crate) fn sets_ssl(name: &str) -> bool {
    name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("ssl"))
}

#[cfg(test)]
mod tests;

pub use assignment::{ParameterAssignment, ParameterAssignmentError};
pub use parameters::Parameters;

/// The name of a parameter: `[A-Za-z_][A-Za-z0-9_.]*`.
///
/// Names are compared, ordered and hashed without regard to ASCII case, as PostgreSQL does, and displayed as they were
/// written. Parameters of extensions have a dot in their names, such as `auto_explain.log_min_duration`.
///
/// ```
/// use pg_ephemeral_core::parameter::ParameterName;
///
/// const WORK_MEM: ParameterName = ParameterName::from_static("work_mem");
///
/// let written: ParameterName = "Work_Mem".parse()?;
/// assert_eq!(written, WORK_MEM);
/// assert_eq!(written.to_string(), "Work_Mem");
/// # Ok::<(), pg_ephemeral_core::parameter::ParameterNameError>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ParameterName(Cow<'static, str>);

impl ParameterName {
    /// Creates a name from a literal, for `const` items. There, an invalid literal is a compile-time error.
    ///
    /// # Panics
    ///
    /// Panics if `name` is not a valid name. Outside a `const` context use [`FromStr`] instead.
    #[expect(clippy::panic, reason = "meant for const items, where a panic is a compile error")]
    #[must_use]
    pub const fn from_static(name: &'static str) -> Self {
        if name.is_empty() || bad_byte_of_name(name).is_some() {
            panic!("the name of a parameter is [A-Za-z_][A-Za-z0-9_.]*");
        }
        Self(Cow::Borrowed(name))
    }

    /// Returns the name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name in lower case. Equal names result in the same text.
    #[must_use]
    pub fn to_ascii_lowercase(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    fn folded_bytes(&self) -> impl Iterator<Item = u8> {
        self.0.bytes().map(|byte| byte.to_ascii_lowercase())
    }
}

/// Returns the offset of the first byte that is not allowed at its place. All bytes before it are ASCII, so the offset
/// is the start of a character.
const fn bad_byte_of_name(name: &str) -> Option<usize> {
    let bytes = name.as_bytes();
    let mut offset = 0;
    while offset < bytes.len() {
        let allowed = match bytes[offset] {
            b'A'..=b'Z' | b'a'..=b'z' | b'_' => true,
            b'0'..=b'9' | b'.' => offset > 0,
            _ => false,
        };
        if !allowed {
            return Some(offset);
        }
        offset += 1;
    }
    None
}

impl TryFrom<String> for ParameterName {
    type Error = ParameterNameError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let first = name.chars().next().ok_or(ParameterNameError::Empty)?;
        let Some(offset) = bad_byte_of_name(&name) else {
            return Ok(Self(Cow::Owned(name)));
        };
        match name.get(offset..).and_then(|rest| rest.chars().next()) {
            Some(character) if offset > 0 => Err(ParameterNameError::Character { character, offset }),
            _ => Err(ParameterNameError::FirstCharacter { character: first }),
        }
    }
}

impl PartialEq for ParameterName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for ParameterName {}

impl PartialOrd for ParameterName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ParameterName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded_bytes().cmp(other.folded_bytes())
    }
}

impl Hash for ParameterName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.folded_bytes() {
            state.write_u8(byte);
        }
        // The same terminator as for `str`: it keeps ("a", "bc") and ("ab", "c") apart when a tuple is hashed.
        state.write_u8(0xff);
    }
}

/// The reason why a text is not a valid [`ParameterName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterNameError {
    /// The text is empty.
    #[error("parameter name is empty")]
    Empty,
    /// The name does not start with an ASCII letter or `_`.
    #[error("parameter name starts with {character:?}, not with an ASCII letter or `_`")]
    FirstCharacter {
        /// The first character of the name.
        character: char,
    },
    /// The name has a character that is not allowed after the first one.
    #[error("parameter name has {character:?} at byte {offset}, allowed are ASCII letters, digits, `_` and `.`")]
    Character {
        /// The first character that is not allowed.
        character: char,
        /// The offset of the character, in bytes from the start of the name.
        offset: usize,
    },
}

/// The value of a parameter: any text without NUL. It may be empty.
///
/// The value is not quoted: `16MB`, `on`, `schema_a, schema_b`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ParameterValue(Cow<'static, str>);

impl ParameterValue {
    /// Creates a value from a literal, for `const` items. There, an invalid literal is a compile-time error.
    ///
    /// # Panics
    ///
    /// Panics if `value` contains NUL. Outside a `const` context use [`FromStr`] instead.
    #[expect(clippy::panic, reason = "meant for const items, where a panic is a compile error")]
    #[must_use]
    pub const fn from_static(value: &'static str) -> Self {
        let bytes = value.as_bytes();
        let mut offset = 0;
        while offset < bytes.len() {
            if bytes[offset] == 0 {
                panic!("the value of a parameter is text without NUL");
            }
            offset += 1;
        }
        Self(Cow::Borrowed(value))
    }

    /// Returns the value as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ParameterValue {
    type Error = ParameterValueError;

    fn try_from(value: String) -> Result<Self, Self::Error> {
        match value.find('\0') {
            Some(offset) => Err(ParameterValueError::Nul { offset }),
            None => Ok(Self(Cow::Owned(value))),
        }
    }
}

/// The reason why a text is not a valid [`ParameterValue`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterValueError {
    /// The value contains NUL.
    #[error("parameter value has NUL at byte {offset}")]
    Nul {
        /// The offset of the first NUL, in bytes from the start of the value.
        offset: usize,
    },
}

/// Implements the conversions from and to text that names and values have in common.
macro_rules! checked_text {
    ($type:ident, $error:ident) => {
        impl FromStr for $type {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$type> for String {
            fn from(text: $type) -> Self {
                text.0.into_owned()
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

checked_text!(ParameterName, ParameterNameError);
checked_text!(ParameterValue, ParameterValueError);
