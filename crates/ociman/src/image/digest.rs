use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The algorithms that the OCI image specification or Docker's digest library registers, with the number of lower-case
/// hexadecimal digits of their hashes.
const REGISTERED: [(&str, usize); 4] = [("sha256", 64), ("sha384", 96), ("sha512", 128), ("blake3", 64)];

/// The minimum length of the hash of an unregistered algorithm, in hexadecimal digits.
const MIN_HASH_LENGTH: usize = 32;

/// The digest of an image: `algorithm:hash`.
///
/// The grammar is that of the distribution reference library. The algorithm is one or more parts of the form
/// `[A-Za-z][A-Za-z0-9]*`, with one of `+`, `.`, `_` or `-` between them, as in `sha256+b64`. The hash has at least 32
/// hexadecimal digits. For registered algorithms, the OCI image specification requires more: lower-case digits, and
/// exactly 64 of them for `sha256` and `blake3`, 96 for `sha384` and 128 for `sha512`.
///
/// ```
/// use ociman::{Digest, DigestError};
///
/// let digest: Digest = format!("sha256:{}", "0f".repeat(32)).parse()?;
/// assert_eq!(digest.algorithm(), "sha256");
/// assert_eq!(digest.hash().len(), 64);
///
/// let refused = format!("sha256:{}", "0f".repeat(20)).parse::<Digest>();
/// assert_eq!(refused, Err(DigestError::Length { algorithm: "sha256", expected: 64, length: 40 }));
/// # Ok::<(), DigestError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    text: String,
    /// The position of the `:` in `text`.
    colon: usize,
}

impl Digest {
    /// Returns the algorithm that computed the hash.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        &self.text[..self.colon]
    }

    /// Returns the hash in hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.text[self.colon + 1..]
    }

    /// Returns the digest as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Parses a digest that starts at byte `base` of a longer text.
    pub(super) fn parse_at(text: &str, base: usize) -> Result<Self, DigestError> {
        if text.is_empty() {
            return Err(DigestError::Empty);
        }
        let (algorithm, hash) = text.split_once(':').ok_or(DigestError::NoColon)?;
        check_algorithm(algorithm, base)?;
        check_hash(hash, algorithm, base + algorithm.len() + 1)?;
        Ok(Self { text: text.to_owned(), colon: algorithm.len() })
    }
}

fn check_algorithm(algorithm: &str, base: usize) -> Result<(), DigestError> {
    let mut part_is_empty = true;
    for (index, character) in algorithm.char_indices() {
        let offset = base + index;
        match character {
            'A'..='Z' | 'a'..='z' => part_is_empty = false,
            '0'..='9' if !part_is_empty => {}
            '+' | '.' | '_' | '-' if !part_is_empty => part_is_empty = true,
            '0'..='9' | '+' | '.' | '_' | '-' => return Err(DigestError::AlgorithmPart { offset }),
            _ => return Err(DigestError::AlgorithmCharacter { character, offset }),
        }
    }
    if part_is_empty { Err(DigestError::AlgorithmPart { offset: base + algorithm.len() }) } else { Ok(()) }
}

fn check_hash(hash: &str, algorithm: &str, base: usize) -> Result<(), DigestError> {
    let registered = REGISTERED.iter().find(|(name, _)| *name == algorithm);
    for (index, character) in hash.char_indices() {
        let offset = base + index;
        if !character.is_ascii_hexdigit() {
            return Err(DigestError::HashCharacter { character, offset });
        }
        if let Some((algorithm, _)) = registered
            && character.is_ascii_uppercase()
        {
            return Err(DigestError::UpperCase { algorithm, character, offset });
        }
    }
    let length = hash.len();
    match registered {
        Some(&(algorithm, expected)) if length != expected => Err(DigestError::Length { algorithm, expected, length }),
        None if length < MIN_HASH_LENGTH => Err(DigestError::TooShort { length }),
        _ => Ok(()),
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse_at(text, 0)
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse_at(&text, 0)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.text
    }
}

impl AsRef<str> for Digest {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.text)
    }
}

/// Error returned if a text is not a [`Digest`]. Offsets are in bytes from the start of the parsed text, which is the
/// digest or the whole reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// The digest is empty, as after the `@` of `app@`.
    #[error("digest is empty")]
    Empty,
    /// There is no `:` between algorithm and hash.
    #[error("digest has no `:` between algorithm and hash")]
    NoColon,
    /// A part of the algorithm is empty or does not start with a letter.
    #[error("algorithm of the digest has no letter at byte {offset}, where a part of it starts")]
    AlgorithmPart {
        /// Where the letter should be.
        offset: usize,
    },
    /// The algorithm contains a character that is not allowed.
    #[error(
        "algorithm of the digest has {character:?} at byte {offset}, allowed are letters, digits, `+`, `.`, `_` and `-`"
    )]
    AlgorithmCharacter {
        /// The first character that is not allowed.
        character: char,
        /// The position of the character.
        offset: usize,
    },
    /// The hash contains a character that is not a hexadecimal digit.
    #[error("hash of the digest has {character:?} at byte {offset}, which is not a hexadecimal digit")]
    HashCharacter {
        /// The first character that is not allowed.
        character: char,
        /// The position of the character.
        offset: usize,
    },
    /// The hash of a registered algorithm contains an upper-case digit.
    #[error("hash of the digest has upper-case {character:?} at byte {offset}, {algorithm} has lower-case digits")]
    UpperCase {
        /// The registered algorithm.
        algorithm: &'static str,
        /// The first upper-case digit.
        character: char,
        /// The position of the digit.
        offset: usize,
    },
    /// The hash of an unregistered algorithm has fewer than 32 digits.
    #[error("hash of the digest has {length} digits, at least {MIN_HASH_LENGTH} are needed")]
    TooShort {
        /// The number of digits in the hash.
        length: usize,
    },
    /// The hash of a registered algorithm does not have the required length.
    #[error("hash of the digest has {length} digits, {algorithm} has {expected}")]
    Length {
        /// The registered algorithm.
        algorithm: &'static str,
        /// The required number of digits.
        expected: usize,
        /// The number of digits in the hash.
        length: usize,
    },
}
