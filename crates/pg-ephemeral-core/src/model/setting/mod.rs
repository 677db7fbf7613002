//! The types of the values of individual settings.

mod cache_registry;
mod database_name;
mod locale;
mod ssl;
mod superuser;

pub use cache_registry::{CacheRegistry, CacheRegistryError};
pub use database_name::{DatabaseName, DatabaseNameError};
pub use locale::{Encoding, IcuLocale, Locale, LocaleNameError, LocaleProvider, LocaleProviderError};
pub use ssl::{SslConfig, SslHostname, SslHostnameError};
pub use superuser::{Superuser, SuperuserError};
