//! The settings for the locale and the encoding of a cluster. [`crate::locale`] resolves them for a backend.

use std::fmt;
use std::str::FromStr;

/// The maximum length of the name of a locale or an encoding, in bytes.
const MAX_BYTES: usize = 63;

/// A locale of the operating system. The default is that of PostgreSQL's official image, `en_US.utf8`.
///
/// With the provider `builtin` it is one of PostgreSQL's own locales: `C`, `C.UTF-8` (the default) or
/// `PG_UNICODE_FAST`.
///
/// ```
/// use pg_ephemeral_core::config::Locale;
///
/// assert_eq!(Locale::default().as_str(), "en_US.utf8");
/// assert!("de_DE@euro".parse::<Locale>().is_ok());
/// assert!("de DE".parse::<Locale>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Locale(String);

/// The encoding of a cluster's text, such as `LATIN1`; by default `UTF8`.
///
/// ```
/// use pg_ephemeral_core::config::Encoding;
///
/// assert_eq!(Encoding::default().as_str(), "UTF8");
/// assert!("SQL_ASCII".parse::<Encoding>().is_ok());
/// assert!("".parse::<Encoding>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Encoding(String);

/// A locale of ICU, such as `de-AT` or `en-u-kn-true`.
///
/// ```
/// use pg_ephemeral_core::config::IcuLocale;
///
/// assert!("en-u-kn-true".parse::<IcuLocale>().is_ok());
/// assert!("en;kn=true".parse::<IcuLocale>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IcuLocale(String);

// Only characters that need no quoting in a shell are allowed in these names: on an engine they are part of
// `POSTGRES_INITDB_ARGS`, which the entrypoint script of the image evaluates.

impl Locale {
    const WHAT: &'static str = "a locale";
    const PUNCTUATION: &'static [char] = &['_', '.', '@', '+', '-'];

    /// Returns the name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the default locale of a provider.
    #[must_use]
    pub fn default_of(provider: LocaleProvider) -> Self {
        let name = if provider == LocaleProvider::Builtin { "C.UTF-8" } else { "en_US.utf8" };
        Self(name.to_owned())
    }
}

impl Encoding {
    const WHAT: &'static str = "an encoding";
    const PUNCTUATION: &'static [char] = &['_', '-'];

    /// Returns the name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl IcuLocale {
    const WHAT: &'static str = "an ICU locale";
    const PUNCTUATION: &'static [char] = &['_', '-', '@', '='];

    /// Returns the name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the ICU locale for the language and the country of a locale of the operating system: `en-US` for
    /// `en_US.utf8`, and ICU's root locale `und` for `C` and `POSIX`, which have neither.
    pub(crate) fn of_locale(name: &str) -> Self {
        let end = name.find(['.', '@']).unwrap_or(name.len());
        match name.get(..end).unwrap_or_default() {
            "" | "C" | "POSIX" => Self("und".to_owned()),
            language => Self(language.replace('_', "-")),
        }
    }
}

impl Default for Locale {
    fn default() -> Self {
        Self::default_of(LocaleProvider::default())
    }
}

impl Default for Encoding {
    fn default() -> Self {
        Self("UTF8".to_owned())
    }
}

fn check(text: &str, what: &'static str, punctuation: &'static [char]) -> Result<String, LocaleNameError> {
    if text.is_empty() {
        return Err(LocaleNameError::Empty { what });
    }
    if text.len() > MAX_BYTES {
        return Err(LocaleNameError::TooLong { what, length: text.len() });
    }
    if !text.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return Err(LocaleNameError::Start { what });
    }
    let unfit = |character: &char| !character.is_ascii_alphanumeric() && !punctuation.contains(character);
    match text.chars().find(unfit) {
        Some(character) => Err(LocaleNameError::Character { what, punctuation, character }),
        None => Ok(text.to_owned()),
    }
}

impl FromStr for Locale {
    type Err = LocaleNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check(text, Self::WHAT, Self::PUNCTUATION).map(Self)
    }
}

impl FromStr for Encoding {
    type Err = LocaleNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check(text, Self::WHAT, Self::PUNCTUATION).map(Self)
    }
}

impl FromStr for IcuLocale {
    type Err = LocaleNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check(text, Self::WHAT, Self::PUNCTUATION).map(Self)
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl fmt::Display for IcuLocale {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// The reason why a text can't be the name of a locale or an encoding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocaleNameError {
    /// The text is empty.
    #[error("the name of {what} can't be empty")]
    Empty {
        /// The kind of name, such as `a locale`.
        what: &'static str,
    },
    /// The text is longer than 63 bytes.
    #[error("the name of {what} has at most {MAX_BYTES} bytes, this one has {length}")]
    TooLong {
        /// The kind of name.
        what: &'static str,
        /// The length of the text, in bytes.
        length: usize,
    },
    /// The text does not start with an ASCII letter or a digit.
    #[error("the name of {what} starts with an ASCII letter or a digit")]
    Start {
        /// The kind of name.
        what: &'static str,
    },
    /// The text has a character that is not allowed in such a name.
    #[error("the name of {what} has ASCII letters, digits and {}, not {character:?}", quoted(.punctuation))]
    Character {
        /// The kind of name.
        what: &'static str,
        /// The characters that are allowed besides letters and digits.
        punctuation: &'static [char],
        /// The first character that is not allowed.
        character: char,
    },
}

fn quoted(punctuation: &[char]) -> String {
    let quoted: Vec<String> = punctuation.iter().map(|character| format!("`{character}`")).collect();
    quoted.join(" ")
}

/// The provider of the collation, which sorts text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum LocaleProvider {
    /// The operating system's C library.
    #[default]
    Libc,
    /// The library ICU; for PostgreSQL 15 and newer.
    Icu,
    /// PostgreSQL itself; for PostgreSQL 17 and newer.
    Builtin,
}

impl LocaleProvider {
    /// The names of all providers, as `database.toml` accepts them.
    pub const NAMES: [&'static str; 3] = ["libc", "icu", "builtin"];

    /// Returns the provider's name, as `database.toml` and `initdb` accept it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Libc => "libc",
            Self::Icu => "icu",
            Self::Builtin => "builtin",
        }
    }

    /// Returns the first major version of PostgreSQL that supports the provider.
    pub(crate) fn since(self) -> u32 {
        match self {
            Self::Libc => 0,
            Self::Icu => 15,
            Self::Builtin => 17,
        }
    }
}

impl FromStr for LocaleProvider {
    type Err = LocaleProviderError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Libc, Self::Icu, Self::Builtin];
        let found = all.into_iter().find(|provider| provider.as_str() == text);
        found.ok_or_else(|| LocaleProviderError { text: text.to_owned() })
    }
}

impl fmt::Display for LocaleProvider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// The error for a text that is not the name of a locale provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a locale provider: {}", LocaleProvider::NAMES.join(", "))]
pub struct LocaleProviderError {
    /// The text.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_names_are_accepted() {
        for text in ["C", "POSIX", "en_US.utf8", "en_US.UTF-8", "de_DE.ISO-8859-15@euro", "PG_UNICODE_FAST"] {
            assert_eq!(text.parse::<Locale>().unwrap().as_str(), text);
        }
        for text in ["UTF8", "utf-8", "SQL_ASCII", "EUC_JIS_2004", "WIN1252"] {
            assert_eq!(text.parse::<Encoding>().unwrap().as_str(), text);
        }
        for text in ["und", "de-AT", "en-u-kn-true", "de@collation=phonebook"] {
            assert_eq!(text.parse::<IcuLocale>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn names_with_characters_that_a_shell_interprets_are_refused() {
        for character in " \t\n'\"\\$`;&|<>(){}[]*?!#~%^,/:\0ü".chars() {
            let text = format!("a{character}b");
            assert!(text.parse::<Locale>().is_err(), "{text:?}");
            assert!(text.parse::<Encoding>().is_err(), "{text:?}");
            assert!(text.parse::<IcuLocale>().is_err(), "{text:?}");
        }
        for text in ["", "-x", "=x", "@euro", ".UTF-8", "_", &"a".repeat(64)] {
            assert!(text.parse::<Locale>().is_err(), "{text:?}");
            assert!(text.parse::<Encoding>().is_err(), "{text:?}");
            assert!(text.parse::<IcuLocale>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn every_provider_is_found_by_its_name() {
        for name in LocaleProvider::NAMES {
            assert_eq!(name.parse::<LocaleProvider>().unwrap().to_string(), name);
        }
        let error = "ICU".parse::<LocaleProvider>().unwrap_err();
        assert_eq!(error.to_string(), "\"ICU\" is not a locale provider: libc, icu, builtin");
    }

    #[test]
    fn the_icu_locale_of_a_locale_is_its_language_and_country() {
        for (locale, icu) in [
            ("en_US.utf8", "en-US"),
            ("de_DE@euro", "de-DE"),
            ("german", "german"),
            ("C.UTF-8", "und"),
            ("POSIX", "und"),
        ] {
            assert_eq!(IcuLocale::of_locale(locale).as_str(), icu);
        }
    }
}
