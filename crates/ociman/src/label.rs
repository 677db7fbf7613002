//! Labels: what a container or an image says about itself, as key and value.
//!
//! Keys, values and filters are checked when they are made. What a label means is the business of whoever writes it;
//! this module only knows what an engine can store and give back unchanged.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::CommandError;
use crate::name::character_at;

mod labels;
#[cfg(test)]
mod tests;

pub use labels::Labels;

/// The key of a label, such as `pg-ephemeral.owner`.
///
/// 1 to 255 bytes without `=` (engines split `key=value` there), `,` (Docker lists labels as `a=b,c=d`), white space
/// and control characters. The OCI image specification asks for nothing but a non-empty string; a key that breaks the
/// rules above can't be told apart in what an engine prints.
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
    /// The longest key, in bytes.
    pub const MAX_LENGTH: usize = 255;

    /// Checks a key without making one, also at compile time.
    ///
    /// # Errors
    ///
    /// The first rule that `key` breaks.
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

    /// A key from a literal, for `const` items: a bad literal does not compile.
    ///
    /// # Panics
    ///
    /// When `key` is not a label key. Outside a `const` context use [`FromStr`] instead.
    #[expect(clippy::panic, reason = "meant for const items, where a panic is a compile error")]
    #[must_use]
    pub const fn from_static(key: &'static str) -> Self {
        match Self::check(key) {
            Ok(()) => Self(Cow::Borrowed(key)),
            Err(_) => panic!("a label key is 1 to 255 bytes without `=`, `,`, white space and control characters"),
        }
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Unicode's category Cc, as `char::is_control`, which is not `const`.
const fn is_control(character: char) -> bool {
    matches!(character, '\0'..='\x1f' | '\x7f'..='\u{9f}')
}

/// Why a text is not a [`Key`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no text at all.
    #[error("label key is empty")]
    Empty,
    /// The key is longer than [`Key::MAX_LENGTH`].
    #[error("label key is {length} bytes long, at most {} are allowed", Key::MAX_LENGTH)]
    TooLong {
        /// The length found, in bytes.
        length: usize,
    },
    /// A `=`, a `,`, white space or a control character.
    #[error(
        "label key has {character:?} at byte {offset}, not allowed are `=`, `,`, white space and control characters"
    )]
    Character {
        /// The first character that is not allowed.
        character: char,
        /// Where it starts, in bytes from the start of the key.
        offset: usize,
    },
}

/// The value of a label: any text without NUL, the empty one included.
///
/// Commas, quotes, line breaks and non-ASCII text are all fine, so that JSON and PEM certificates fit. NUL is not: no
/// argument of a process can carry it. Nor is there a limit to the length here, but labels travel as arguments, and
/// Linux ends one argument at 128 KiB.
///
/// ```
/// use ociman::label::{Value, ValueError};
///
/// let value: Value = r#"[{"name": "schema"}]"#.parse()?;
/// assert_eq!(value.as_str(), r#"[{"name": "schema"}]"#);
/// assert_eq!("a\0b".parse::<Value>(), Err(ValueError::Nul { offset: 1 }));
/// # Ok::<(), ValueError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Value(Cow<'static, str>);

impl Value {
    /// Checks a value without making one, also at compile time.
    ///
    /// # Errors
    ///
    /// [`ValueError::Nul`] for the first NUL.
    pub const fn check(value: &str) -> Result<(), ValueError> {
        let bytes = value.as_bytes();
        let mut offset = 0;
        while offset < bytes.len() {
            if bytes[offset] == 0 {
                return Err(ValueError::Nul { offset });
            }
            offset += 1;
        }
        Ok(())
    }

    /// A value from a literal, for `const` items: a bad literal does not compile.
    ///
    /// # Panics
    ///
    /// When `value` holds NUL. Outside a `const` context use [`FromStr`] instead.
    #[expect(clippy::panic, reason = "meant for const items, where a panic is a compile error")]
    #[must_use]
    pub const fn from_static(value: &'static str) -> Self {
        match Self::check(value) {
            Ok(()) => Self(Cow::Borrowed(value)),
            Err(_) => panic!("a label value is text without NUL"),
        }
    }

    /// The value as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is not a [`Value`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The value holds NUL.
    #[error("label value has NUL at byte {offset}")]
    Nul {
        /// Where it is, in bytes from the start of the value.
        offset: usize,
    },
}

/// What [`Key`] and [`Value`] have in common once they are checked: ways in from text and out to it.
macro_rules! checked_text {
    ($type:ident, $error:ident) => {
        impl FromStr for $type {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::try_from(text.to_owned())
            }
        }

        impl TryFrom<String> for $type {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::check(&text)?;
                Ok(Self(Cow::Owned(text)))
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

checked_text!(Key, KeyError);
checked_text!(Value, ValueError);

/// Why the labels of a container could not be told.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// The backend did not inspect the container, or there is none.
    #[error("failed to inspect the container")]
    Inspect(#[from] CommandError),
}

/// Which labels to look for. Displayed as engines want it behind `--filter label=`: `key` or `key=value`.
///
/// ```
/// use ociman::label::{Filter, Key, Labels, Value};
///
/// const TEAM: Key = Key::from_static("team");
///
/// let labels = Labels::from_iter([(TEAM, Value::from_static("db"))]);
/// let filter = Filter::exact(&TEAM, &Value::from_static("db"));
/// assert!(filter.matches(&labels));
/// assert_eq!(filter.to_string(), "team=db");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Filter {
    key: Key,
    value: Option<Value>,
}

impl Filter {
    /// Looks for a key, with whatever value.
    #[must_use]
    pub fn key_only(key: &Key) -> Self {
        Self { key: key.clone(), value: None }
    }

    /// Looks for a key with exactly this value.
    #[must_use]
    pub fn exact(key: &Key, value: &Value) -> Self {
        Self { key: key.clone(), value: Some(value.clone()) }
    }

    /// The key that is looked for.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The value that is looked for; `None` when any will do.
    #[must_use]
    pub fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }

    /// Whether `labels` has what the filter asks for.
    ///
    /// The comparison is exact. An engine may be more generous: Podman reads `*` in a key as a pattern and an empty
    /// value as any, so what an engine listed is worth a look with this.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        labels.get(&self.key).is_some_and(|found| self.value.as_ref().is_none_or(|value| value == found))
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            None => write!(formatter, "{}", self.key),
            Some(value) => write!(formatter, "{}={value}", self.key),
        }
    }
}
