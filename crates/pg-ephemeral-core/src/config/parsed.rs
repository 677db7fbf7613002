//! [`Config`], the content of a `database.toml`.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::settings::{BackendChoice, InstanceConfig, Settings};
use crate::model::{CacheRegistry, InstanceName};

/// The content of a `database.toml`, or the defaults without a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub(super) path: Option<PathBuf>,
    pub(super) folder: PathBuf,
    pub(super) backend: Option<BackendChoice>,
    pub(super) cache_registry: Option<CacheRegistry>,
    pub(super) default_instance: Option<InstanceName>,
    pub(super) defaults: Settings,
    pub(super) instances: IndexMap<InstanceName, InstanceConfig>,
}

impl Config {
    /// Creates the configuration that applies without a file: one instance `main` with default settings. Paths are
    /// relative to `folder`.
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

    /// Returns the path of the file, as it was passed to the function that read it. `None` without a file.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Returns the folder that relative paths start from and that scripts and commands run in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Resolves a path in the file: a relative path starts from [`Config::folder`].
    #[must_use]
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// Returns the backend that the file sets.
    #[must_use]
    pub fn backend(&self) -> Option<BackendChoice> {
        self.backend
    }

    /// Returns the registry that layers are pushed to and pulled from, if the file sets it.
    #[must_use]
    pub fn cache_registry(&self) -> Option<&CacheRegistry> {
        self.cache_registry.as_ref()
    }

    /// Returns the instance that is used by default, if the file sets it.
    #[must_use]
    pub fn default_instance(&self) -> Option<&InstanceName> {
        self.default_instance.as_ref()
    }

    /// Returns the settings of the top level, which apply to all instances.
    #[must_use]
    pub fn defaults(&self) -> &Settings {
        &self.defaults
    }

    /// Returns the instances in file order. There is at least one.
    #[must_use]
    pub fn instances(&self) -> &IndexMap<InstanceName, InstanceConfig> {
        &self.instances
    }
}

impl Default for Config {
    /// Returns [`Config::without_file`] for the working directory.
    fn default() -> Self {
        Self::without_file(".")
    }
}

/// Returns the folder of a file. For a plain file name this is `.`, the working directory.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}
