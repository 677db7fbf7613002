//! How a cluster sorts and stores text, once that is decided.

use super::setting::{Encoding, Locale, LocaleProvider};

/// How a cluster sorts and stores text. It is the same for two clusters exactly when they do it alike.
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
    /// The locale of the operating system; `None` for that of an image whose environment names none.
    pub locale: Option<String>,
    /// Whether `initdb` finds that in the environment of an image, and is not told it.
    pub is_of_image: bool,
    /// The encoding of text.
    pub encoding: Encoding,
    /// What sorts text.
    pub provider: LocaleProvider,
    /// The locale of ICU, or PostgreSQL's own; `None` where the operating system's counts.
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
    /// What `initdb` is told. Messages are English everywhere; nothing in it needs quoting in a shell.
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
