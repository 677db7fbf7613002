//! Finds and reads `database.toml`, and determines the effective settings of an instance.
//!
//! All problems in a file are found in one pass and reported with their positions ([`Diagnostics`]).
//! [`Config::instance`] merges command line, instance, top level and defaults, and records the origin of each value.
//! This module must not use backends or start anything, and it never prints. Only [`EffectiveInstance::missing_files`]
//! and [`EffectiveInstance::unkeyed_files`] look at the files that a configuration names.
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
