//! Code shared by the types of checked text: their conversions, and decoding characters at compile time.

/// Implements the conversions of a type that holds a checked text as a `Cow<'static, str>` and has a `check` function.
macro_rules! checked_text {
    ($type:ident, $error:ident) => {
        impl $type {
            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $type {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::try_from(text.to_owned())
            }
        }

        impl TryFrom<String> for $type {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::check(&text)?;
                Ok(Self(std::borrow::Cow::Owned(text)))
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

        impl std::fmt::Display for $type {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(self.as_str())
            }
        }
    };
}

pub(crate) use checked_text;

/// Returns the character that starts at byte `offset` of `text`. Can be used in a `const fn`, unlike `str::chars`.
///
/// `offset` must be a character boundary inside `text`; the callers have just read the byte there.
pub(crate) const fn character_at(text: &str, offset: usize) -> char {
    let bytes = text.as_bytes();
    let first = bytes[offset];
    let (length, mut code) = match first {
        0x00..=0x7f => (1, first as u32),
        0x80..=0xdf => (2, (first & 0x1f) as u32),
        0xe0..=0xef => (3, (first & 0x0f) as u32),
        0xf0..=0xff => (4, (first & 0x07) as u32),
    };
    let mut index = 1;
    while index < length {
        code = (code << 6) | (bytes[offset + index] & 0x3f) as u32;
        index += 1;
    }
    match char::from_u32(code) {
        Some(character) => character,
        None => char::REPLACEMENT_CHARACTER,
    }
}
