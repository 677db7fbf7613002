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

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use crate::model::instance::InstanceName;

pub use crate::model::setting::{
    CacheRegistry, CacheRegistryError, DatabaseName, DatabaseNameError, Encoding, IcuLocale, Locale, LocaleNameError,
    LocaleProvider, LocaleProviderError, SslConfig, SslHostname, SslHostnameError, Superuser, SuperuserError,
};
pub use chosen::{INSTANCE_VARIABLE, InstanceVariableError, instance_of_environment};
pub use diagnostic::{Diagnostic, Diagnostics, Position};
pub use effective::{Effective, EffectiveError, EffectiveInstance, Origin, Overrides};
pub use file::{FILE_NAME, LoadError, find};
pub use missing_files::{MissingFile, MissingKind};
pub use problem::{Problem, TablePath};
pub(crate) use read::sets_ssl;
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

/// A whole `database.toml`, or what holds without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    path: Option<PathBuf>,
    folder: PathBuf,
    backend: Option<BackendChoice>,
    cache_registry: Option<CacheRegistry>,
    default_instance: Option<InstanceName>,
    defaults: Settings,
    instances: IndexMap<InstanceName, InstanceConfig>,
}

impl Config {
    /// What holds without a file: one instance `main`, everything at its default, paths relative to `folder`.
    #[must_use]
    pub fn without_file(folder: impl Into<PathBuf>) -> Self {
        Self {
            path: None,
            folder: folder.into(),
            backend: None,
            cache_registry: None,
            default_instance: None,
            defaults: Settings::default(),
            instances: IndexMap::from([(InstanceName::default(), InstanceConfig::default())]),
        }
    }

    /// Reads the text of a file. `path` names it in errors, and its folder is what relative paths start from; nothing
    /// is read from it.
    ///
    /// # Errors
    /// Everything that is wrong with the text, each with its place. When it is no TOML, only that is reported.
    pub fn parse(text: &str, path: impl Into<PathBuf>) -> Result<Self, Diagnostics> {
        read::config(text, path.into())
    }

    /// Reads a file. [`Config::folder`] is absolute afterwards, so a later change of the working directory does no harm.
    ///
    /// # Errors
    /// The file can't be read, is not UTF-8, or holds something wrong.
    pub fn load(path: impl Into<PathBuf>) -> Result<Self, LoadError> {
        file::load(path.into())
    }

    /// The file this came from, as it was named; `None` without one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The folder that relative paths start from and that scripts and commands run in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A path of the file as one that can be opened: a relative one starts from [`Config::folder`].
    #[must_use]
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// The backend the file asks for.
    #[must_use]
    pub fn backend(&self) -> Option<BackendChoice> {
        self.backend
    }

    /// Where the file says that layers are pushed to and pulled from.
    #[must_use]
    pub fn cache_registry(&self) -> Option<&CacheRegistry> {
        self.cache_registry.as_ref()
    }

    /// The instance that the file says is used unless another is named.
    #[must_use]
    pub fn default_instance(&self) -> Option<&InstanceName> {
        self.default_instance.as_ref()
    }

    /// What the top level sets for every instance.
    #[must_use]
    pub fn defaults(&self) -> &Settings {
        &self.defaults
    }

    /// The instances in file order, at least one.
    #[must_use]
    pub fn instances(&self) -> &IndexMap<InstanceName, InstanceConfig> {
        &self.instances
    }
}

impl Default for Config {
    /// As [`Config::without_file`] in the working directory.
    fn default() -> Self {
        Self::without_file(".")
    }
}
