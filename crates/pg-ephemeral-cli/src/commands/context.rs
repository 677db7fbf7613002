//! Builds a [`Definition`] from the command line and the configuration.

use std::path::PathBuf;

use pg_ephemeral_core::config::{self, Config, EffectiveInstance, Overrides, UntrustedConfig};
use pg_ephemeral_core::parameter::Parameters;
use pg_ephemeral_core::{Definition, Folders, InstanceName};

use super::working_folder::current_folder;
use crate::args::Global;
use crate::output::Failure;

/// The arguments and the configuration that a command works with.
pub(crate) struct Context<'a> {
    pub(crate) global: &'a Global,
    pub(crate) folders: Folders,
    pub(crate) config: Config,
    overrides: Overrides,
}

impl<'a> Context<'a> {
    pub(crate) fn load(global: &'a Global) -> Result<Self, Failure> {
        let config = match config_path(global)?? {
            Some(path) => Config::load(&path)?,
            None => Config::without_file(current_folder()?),
        };
        let overrides = Overrides {
            image: global.image.clone(),
            backend: global.backend,
            cache_registry: global.cache_registry.clone(),
            ssl_hostname: global.ssl_hostname.clone(),
            parameters: Parameters::from_iter(global.parameters.iter().cloned()),
        };
        Ok(Self { global, folders: Folders::of_user()?, config, overrides })
    }

    /// Returns the effective settings of every configured instance.
    pub(crate) fn instances(&self) -> Result<Vec<EffectiveInstance>, Failure> {
        let names = self.config.instances().keys();
        names.map(|name| Ok(self.config.instance(name, &self.overrides)?)).collect()
    }

    pub(crate) fn instance(&self) -> Result<EffectiveInstance, Failure> {
        Ok(self.config.instance(&self.instance_name()?, &self.overrides)?)
    }

    pub(crate) fn definition(&self) -> Result<Definition, Failure> {
        self.definition_of(&self.instance_name()?)
    }

    /// Returns the name of the instance that the command works on.
    pub(crate) fn instance_name(&self) -> Result<InstanceName, Failure> {
        let asked = match &self.global.instance {
            Some(name) => Some(name.clone()),
            None => config::instance_of_environment()?,
        };
        Ok(self.config.choose_instance(asked.as_ref())?)
    }

    pub(crate) fn definition_of(&self, name: &InstanceName) -> Result<Definition, Failure> {
        let instance = self.config.instance(name, &self.overrides)?;
        Ok(Definition::of_instance(self.folders.clone(), &instance))
    }
}

/// Returns the path of the configuration file in effect, if there is one. The inner error is a file that was found but
/// is not trusted.
///
/// # Errors
///
/// Returns an error if the working directory is needed and can't be determined.
pub(crate) fn config_path(global: &Global) -> Result<Result<Option<PathBuf>, UntrustedConfig>, Failure> {
    if global.no_config_file {
        return Ok(Ok(None));
    }
    match &global.config_file {
        Some(path) => Ok(Ok(Some(path.clone()))),
        None => Ok(config::find(&current_folder()?)),
    }
}
