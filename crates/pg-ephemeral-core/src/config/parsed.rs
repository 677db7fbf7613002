//! [`Config`]: what a whole `database.toml` says.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::settings::{BackendChoice, InstanceConfig, Settings};
use crate::model::{CacheRegistry, InstanceName};

/// A whole `database.toml`, or what holds without one.
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

/// The folder of a file; the working directory for a bare name.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}
