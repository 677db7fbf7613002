//! Locale and encoding of a cluster, for `initdb`: chosen from the user's settings and the locales that a machine or an
//! image has. Only this module chooses them, so that the locale in a layer's key is the one that the cluster has. It
//! starts no server.

mod installed;

use ociman::ImageInfo;

use crate::model::{Encoding, IcuLocale, Locale, LocaleProvider};
use crate::postgres::host_image::Installation;
use crate::state::Folders;

pub use crate::model::locale::ClusterLocale;
pub(crate) use installed::InstalledLocales;
#[cfg(test)]
pub(crate) use installed::installed;

/// The locales of PostgreSQL's `builtin` provider.
const BUILTIN: [&str; 4] = ["C", "C.UTF-8", "C.UTF8", "PG_UNICODE_FAST"];
/// The environment variables that can set the locale of an image, in order of precedence.
const VARIABLES: [&str; 3] = ["LC_ALL", "LC_COLLATE", "LANG"];

/// The user's locale settings; `None` if a setting is not set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LocaleSettings {
    pub(crate) locale: Option<Locale>,
    pub(crate) encoding: Option<Encoding>,
    pub(crate) provider: Option<LocaleProvider>,
    pub(crate) icu_locale: Option<IcuLocale>,
}

/// An error in locale settings: no cluster can have them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocaleError {
    /// An ICU locale is set, but the locale provider is not ICU.
    #[error("the ICU locale {icu_locale} needs the locale provider icu, not {provider}")]
    IcuLocaleWithoutIcu {
        /// The ICU locale.
        icu_locale: IcuLocale,
        /// The locale provider.
        provider: LocaleProvider,
    },
    /// The locale provider is `builtin`, which does not have the locale.
    #[error("the locale provider builtin has no locale {locale}: there are C, C.UTF-8 and PG_UNICODE_FAST")]
    NotBuiltin {
        /// The locale.
        locale: Locale,
    },
    /// This version of PostgreSQL does not have the locale provider yet.
    #[error("the locale provider {provider} needs PostgreSQL {} or newer, not {version}", .provider.since())]
    ProviderTooNew {
        /// The locale provider.
        provider: LocaleProvider,
        /// The version of PostgreSQL.
        version: String,
    },
    /// The locale is not installed on this machine.
    #[error("the locale {locale} is not installed on this machine: there are {}", installed.join(", "))]
    NotInstalled {
        /// The locale.
        locale: Locale,
        /// The locales that are installed.
        installed: Vec<String>,
    },
}

impl LocaleError {
    /// Returns what the user can do about the error, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::IcuLocaleWithoutIcu { .. } => Some("set locale_provider to icu, or leave icu_locale out".to_owned()),
            Self::NotBuiltin { .. } => Some("set locale to one of them, or leave it out".to_owned()),
            Self::ProviderTooNew { .. } => Some("ask for a newer version, or leave locale_provider out".to_owned()),
            Self::NotInstalled { locale, .. } => Some(format!(
                "{}, set locale to one that is installed, or use docker or podman",
                installed::how_to_make(locale.as_str())
            )),
        }
    }
}

impl LocaleSettings {
    /// Returns the locale of a cluster in a container. It is the locale of the image, `of_image`, unless the user has
    /// set one.
    pub(crate) fn on_engine(&self, of_image: Option<&str>) -> Result<ClusterLocale, LocaleError> {
        self.check()?;
        let given = self.system_locale().map(Locale::as_str);
        let locale = given.or(of_image);
        let cluster = self.cluster(locale.map(str::to_owned), locale);
        Ok(ClusterLocale { is_of_image: given.is_none(), ..cluster })
    }

    /// Returns the locale of a cluster on the host backend. If the machine does not have the default locale, the
    /// nearest one replaces it. A locale that the user has set is never replaced.
    pub(crate) fn on_host(
        &self,
        installation: &Installation,
        installed: impl FnOnce() -> InstalledLocales,
    ) -> Result<ClusterLocale, LocaleError> {
        self.check()?;
        let provider = self.provider();
        if installation.major() < provider.since() {
            return Err(LocaleError::ProviderTooNew { provider, version: installation.version.clone() });
        }
        let locale = match self.system_locale() {
            Some(locale) => given(locale, installed)?,
            None => default_on_host(&installed()),
        };
        // The ICU locale does not depend on the locales of the machine.
        let wanted = self.system_locale().cloned().unwrap_or_default();
        Ok(self.cluster(Some(locale), Some(wanted.as_str())))
    }

    fn provider(&self) -> LocaleProvider {
        self.provider.unwrap_or_default()
    }

    /// Returns the locale that the user has set, if it is one of the operating system.
    fn system_locale(&self) -> Option<&Locale> {
        self.locale.as_ref().filter(|_| self.provider() != LocaleProvider::Builtin)
    }

    fn check(&self) -> Result<(), LocaleError> {
        let provider = self.provider();
        match (provider, &self.locale, &self.icu_locale) {
            (LocaleProvider::Libc | LocaleProvider::Builtin, _, Some(icu_locale)) => {
                Err(LocaleError::IcuLocaleWithoutIcu { icu_locale: icu_locale.clone(), provider })
            }
            (LocaleProvider::Builtin, Some(locale), _) if !BUILTIN.contains(&locale.as_str()) => {
                Err(LocaleError::NotBuiltin { locale: locale.clone() })
            }
            _ => Ok(()),
        }
    }

    fn cluster(&self, locale: Option<String>, wanted: Option<&str>) -> ClusterLocale {
        let provider = self.provider();
        let provider_locale = match provider {
            LocaleProvider::Libc => None,
            LocaleProvider::Icu => {
                let of_wanted = || IcuLocale::of_locale(wanted.unwrap_or(Locale::default().as_str()));
                Some(self.icu_locale.clone().unwrap_or_else(of_wanted).to_string())
            }
            LocaleProvider::Builtin => {
                let default = || Locale::default_of(provider);
                Some(self.locale.clone().unwrap_or_else(default).to_string())
            }
        };
        let encoding = self.encoding.clone().unwrap_or_default();
        ClusterLocale { locale, is_of_image: false, encoding, provider, provider_locale }
    }
}

/// Returns the locale that the environment of an image sets, if any.
pub(crate) fn of_image(info: &ImageInfo) -> Option<String> {
    let set = VARIABLES.into_iter().find_map(|name| info.variable(name).filter(|value| !value.is_empty()));
    set.map(str::to_owned)
}

/// Returns the C library's name for a locale that the user has set.
fn given(locale: &Locale, installed: impl FnOnce() -> InstalledLocales) -> Result<String, LocaleError> {
    if installed::is_everywhere(locale.as_str()) {
        return Ok(locale.to_string());
    }
    let installed = installed();
    match installed.find_name(locale.as_str()) {
        Some(name) => Ok(name),
        None => Err(LocaleError::NotInstalled { locale: locale.clone(), installed: installed.names().to_vec() }),
    }
}

/// Returns the locale of clusters on the host backend if the user has set none: that of the official image, or the
/// nearest one that is installed.
fn default_on_host(installed: &InstalledLocales) -> String {
    match installed.find_default() {
        Some(name) => name,
        None => {
            let wanted = Locale::default();
            let nearest = installed.nearest_to_default();
            tracing::debug!(%wanted, %nearest, "the default locale is not installed, so text is sorted by the nearest");
            nearest
        }
    }
}

/// Returns the locale that clusters of the host backend have on this machine if no locale is set: `en_US.utf8`, as in
/// the official image, or the nearest one that is installed.
pub fn default_of_host(folders: &Folders) -> String {
    default_on_host(&InstalledLocales::find(folders))
}

/// Returns the locales in `wanted` that this machine does not have. `None` in `wanted` stands for the default locale.
pub(crate) fn missing_on_host(installed: &InstalledLocales, wanted: &[Option<Locale>]) -> Vec<Missing> {
    let mut missing = Vec::new();
    for locale in wanted {
        let name = locale.clone().unwrap_or_default();
        let found = match locale {
            None => installed.find_default(),
            Some(_) if installed::is_everywhere(name.as_str()) => continue,
            Some(_) => installed.find_name(name.as_str()),
        };
        if found.is_some() {
            continue;
        }
        let instead = locale.is_none().then(|| installed.nearest_to_default());
        let found = Missing { how_to_make: installed::how_to_make(name.as_str()), locale: name, instead };
        if !missing.contains(&found) {
            missing.push(found);
        }
    }
    missing
}

/// A locale that this machine does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    /// The locale.
    pub(crate) locale: Locale,
    /// The locale that is used instead of the default locale; `None` for a locale that the user has set.
    pub(crate) instead: Option<String>,
    /// What the user can do to get the locale.
    pub(crate) how_to_make: String,
}

#[cfg(test)]
mod tests;
