//! The value of a label.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::text::checked_text;

/// The value of a label: any text without NUL, including the empty text.
///
/// Commas, quotes, line breaks and non-ASCII text are allowed, so JSON and PEM certificates are valid values. NUL is
/// not allowed, because the argument of a process can't contain it. This type does not limit the length, but labels are
/// passed as arguments, and Linux limits one argument to 128 KiB.
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
    /// Checks a value without creating one. Can be used at compile time.
    ///
    /// # Errors
    ///
    /// Returns [`ValueError::Nul`] for the first NUL.
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

    /// Creates a value from a literal. In a `const` item, an invalid literal does not compile.
    ///
    /// # Panics
    ///
    /// Panics if `value` contains NUL. Outside a `const` context, use [`FromStr`](std::str::FromStr) instead.
    #[expect(clippy::panic, reason = "meant for const items, where a panic is a compile error")]
    #[must_use]
    pub const fn from_static(value: &'static str) -> Self {
        match Self::check(value) {
            Ok(()) => Self(Cow::Borrowed(value)),
            Err(_) => panic!("a label value is text without NUL"),
        }
    }
}

checked_text!(Value, ValueError);

/// Error returned if a text is not a [`Value`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The value contains NUL.
    #[error("label value has NUL at byte {offset}")]
    Nul {
        /// The position of the NUL, in bytes from the start of the value.
        offset: usize,
    },
}
