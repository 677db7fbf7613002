//! The locale and the encoding of a cluster, after all settings have been resolved.

use super::setting::{Encoding, Locale, LocaleProvider};

/// The locale and the encoding of a cluster. Two clusters have equal values exactly if they sort and store text alike.
///
/// ```
/// use pg_ephemeral_core::locale::ClusterLocale;
///
/// let default = ClusterLocale::default();
/// assert_eq!(default.locale.as_deref(), Some("en_US.utf8"));
/// assert_eq!(default.encoding.as_str(), "UTF8");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterLocale {
    /// The locale of the operating system. `None` if it is the locale of an image whose environment sets none.
    pub locale: Option<String>,
    /// `true` if `initdb` gets that locale from the environment of the image instead of an argument.
    pub is_of_image: bool,
    /// The encoding of text.
    pub encoding: Encoding,
    /// The provider of the collation, which sorts text.
    pub provider: LocaleProvider,
    /// The locale of the provider ICU or of PostgreSQL's builtin provider. `None` for the provider libc, which uses the
    /// locale of the operating system.
    pub provider_locale: Option<String>,
}

impl Default for ClusterLocale {
    fn default() -> Self {
        Self {
            locale: Some(Locale::default().to_string()),
            is_of_image: false,
            encoding: Encoding::default(),
            provider: LocaleProvider::default(),
            provider_locale: None,
        }
    }
}

impl ClusterLocale {
    /// Returns the arguments for `initdb`. They set messages to English and need no quoting in a shell.
    pub(crate) fn initdb_arguments(&self) -> Vec<String> {
        let given = self.locale.iter().filter(|_| !self.is_of_image);
        let mut arguments: Vec<String> = given.map(|locale| format!("--locale={locale}")).collect();
        arguments.push("--lc-messages=C".to_owned());
        arguments.push(format!("--encoding={}", self.encoding));
        if let Some(locale) = &self.provider_locale {
            let provider = self.provider;
            arguments.push(format!("--locale-provider={provider}"));
            arguments.push(format!("--{provider}-locale={locale}"));
        }
        arguments
    }
}
