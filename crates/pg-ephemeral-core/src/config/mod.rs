//! `database.toml`: finding it, reading it, and working out what holds for one instance.
//!
//! Everything wrong in a file is found in one pass and reported with its place ([`Diagnostics`]). Command line,
//! instance, top level and defaults come together in [`Config::instance`], which keeps where each value came from.
//! This module must not touch backends, start anything or read what the file points to, and it never prints.
//!
//! ```
//! use pg_ephemeral_core::config::{Config, Origin, Overrides};
//!
//! let text = r#"
//! image = "17"
//!
//! [instances.main]
//! database = "shop"
//!
//! [instances.main.seeds.schema]
//! type = "sql-file"
//! path = "schema.sql"
//! "#;
//! let config = Config::parse(text, "/project/database.toml")?;
//! let main = config.instance(&"main".parse()?, &Overrides::default())?;
//!
//! assert_eq!(main.database.value.as_str(), "shop");
//! assert_eq!(main.database.origin, Origin::Instance);
//! assert_eq!(main.image.origin, Origin::TopLevel);
//! assert_eq!(main.seeds.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use crate::model::setting::{
    CacheRegistry, CacheRegistryError, DatabaseName, DatabaseNameError, Encoding, IcuLocale, Locale, LocaleNameError,
    LocaleProvider, LocaleProviderError, SslConfig, SslHostname, SslHostnameError, Superuser, SuperuserError,
};
pub use chosen::{INSTANCE_VARIABLE, InstanceVariableError, instance_of_environment};
pub use diagnostic::{Diagnostic, Diagnostics, Position};
pub use effective::{Effective, EffectiveError, EffectiveInstance, Origin, Overrides};
pub use file::{FILE_NAME, LoadError, find};
pub use missing_files::{MissingFile, MissingKind};
pub use parsed::Config;
pub use problem::{Problem, TablePath};
pub use schema::schema;
pub use settings::{
    BackendChoice, BackendChoiceError, DEFAULT_WAIT_AVAILABLE_TIMEOUT, Durability, InstanceConfig, Settings,
};
pub use template::template;
pub use trust::{Distrust, UntrustedConfig};

mod chosen;
mod diagnostic;
mod effective;
mod file;
mod missing_files;
mod parsed;
mod picture;
mod problem;
mod read;
mod read_seed;
mod reader;
mod schema;
mod settings;
mod suggest;
mod template;
mod trust;

#[cfg(test)]
mod tests;
