//! What holds for one instance once command line, instance, top level and defaults are put together, and where each
//! value came from.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;

use super::suggest::closest;
use super::{
    BackendChoice, CacheRegistry, Config, DEFAULT_WAIT_AVAILABLE_TIMEOUT, DatabaseName, Durability, Encoding,
    IcuLocale, Locale, LocaleProvider, Settings, SslConfig, SslHostname, Superuser,
};
use crate::model::seed::spec::SeedSpec;
use crate::model::{Image, InstanceName, ParameterName, ParameterValue, Parameters, SeedName, sets_ssl};

/// Where a value came from, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// An option of the command line.
    CommandLine,
    /// The instance's own table.
    Instance,
    /// The top level of the file.
    TopLevel,
    /// Nobody set it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::CommandLine => "command line",
            Self::Instance => "instance",
            Self::TopLevel => "top level",
            Self::Default => "default",
        })
    }
}

/// A value that holds, and where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Effective<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

/// What the command line sets, stronger than any file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overrides {
    /// `--image`
    pub image: Option<Image>,
    /// `--backend`
    pub backend: Option<BackendChoice>,
    /// `--cache-registry`
    pub cache_registry: Option<CacheRegistry>,
    /// `--ssl-hostname`
    pub ssl_hostname: Option<SslHostname>,
    /// `--parameter`, all of them.
    pub parameters: Parameters,
}

/// Everything that holds for one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EffectiveInstance {
    /// The instance.
    pub name: InstanceName,
    /// The PostgreSQL image.
    pub image: Effective<Image>,
    /// The backend asked for by command line or file. `OCIMAN_BACKEND` stands between the two, so whoever chooses a
    /// backend looks at the origin.
    pub backend: Effective<BackendChoice>,
    /// Where layers are pushed to and pulled from, when anywhere.
    pub cache_registry: Option<Effective<CacheRegistry>>,
    /// How long a server may take to accept connections.
    pub wait_available_timeout: Effective<Duration>,
    /// Whether servers survive a crash of the machine.
    pub durability: Effective<Durability>,
    /// The role everything connects as.
    pub superuser: Effective<Superuser>,
    /// The database everything connects to.
    pub database: Effective<DatabaseName>,
    /// The locale of the cluster.
    pub locale: Effective<Locale>,
    /// The encoding of the cluster's text.
    pub encoding: Effective<Encoding>,
    /// What sorts text.
    pub locale_provider: Effective<LocaleProvider>,
    /// The locale that ICU sorts by, when one is set and it is ICU that sorts.
    pub icu_locale: Option<Effective<IcuLocale>>,
    /// SSL, when there is any.
    pub ssl_config: Option<Effective<SslConfig>>,
    /// Server parameters, each from the strongest place that sets it; in no order that means anything.
    pub parameters: IndexMap<ParameterName, Effective<ParameterValue>>,
    /// The chain of seeds, in file order.
    pub seeds: IndexMap<SeedName, SeedSpec>,
    /// The folder that the seeds' relative paths start from and that scripts and commands run in.
    pub folder: PathBuf,
}

impl EffectiveInstance {
    /// The parameters without their origins.
    #[must_use]
    pub fn parameters(&self) -> Parameters {
        let mut parameters = Parameters::default();
        for (name, effective) in &self.parameters {
            parameters.insert(name.clone(), effective.value.clone());
        }
        parameters
    }
}

impl Config {
    /// What holds for one instance: command line, instance, top level and default, in this order; parameters by name.
    ///
    /// # Errors
    /// There is no such instance, or SSL is set up and an `ssl*` parameter is set as well.
    pub fn instance(&self, name: &InstanceName, overrides: &Overrides) -> Result<EffectiveInstance, EffectiveError> {
        let instance = self.instances.get(name).ok_or_else(|| self.unknown_instance(name))?;
        let own = &instance.settings;
        let top = &self.defaults;

        let command_line_ssl = overrides.ssl_hostname.clone().map(|hostname| SslConfig { hostname });
        let locale_provider = strongest(&None, &own.locale_provider, &top.locale_provider).or_default();
        let icu_locale = strongest(&None, &own.icu_locale, &top.icu_locale).0;
        let effective = EffectiveInstance {
            name: name.clone(),
            image: strongest(&overrides.image, &own.image, &top.image).or_default(),
            backend: strongest(&overrides.backend, &None, &self.backend).or_default(),
            cache_registry: strongest(&overrides.cache_registry, &None, &self.cache_registry).0,
            wait_available_timeout: strongest(&None, &own.wait_available_timeout, &top.wait_available_timeout)
                .or(DEFAULT_WAIT_AVAILABLE_TIMEOUT),
            durability: strongest(&None, &own.durability, &top.durability).or_default(),
            superuser: strongest(&None, &own.superuser, &top.superuser).or_default(),
            database: strongest(&None, &own.database, &top.database).or_default(),
            locale: strongest(&None, &own.locale, &top.locale).or(Locale::default_of(locale_provider.value)),
            encoding: strongest(&None, &own.encoding, &top.encoding).or_default(),
            locale_provider,
            icu_locale: icu_locale_beside(icu_locale, locale_provider)?,
            ssl_config: strongest(&command_line_ssl, &own.ssl_config, &top.ssl_config).0,
            parameters: merge_parameters(&overrides.parameters, own, top),
            seeds: instance.seeds.clone(),
            folder: self.folder.clone(),
        };
        refuse_ssl_twice(&effective)?;
        Ok(effective)
    }

    /// The instance that is used: the one that is asked for, else `default_instance`, else `main`, else the only one.
    ///
    /// # Errors
    /// None is asked for, and there are several, none of which is `main`.
    pub fn choose_instance(&self, asked: Option<&InstanceName>) -> Result<InstanceName, EffectiveError> {
        let main = InstanceName::main();
        let main = self.instances.contains_key(&main).then_some(&main);
        let only = || self.instances.keys().next().filter(|_| self.instances.len() == 1);
        let chosen = asked.or(self.default_instance.as_ref()).or(main).or_else(only);
        let several = || EffectiveError::SeveralInstances { known: self.instances.keys().cloned().collect() };
        chosen.cloned().ok_or_else(several)
    }

    fn unknown_instance(&self, name: &InstanceName) -> EffectiveError {
        let known: Vec<InstanceName> = self.instances.keys().cloned().collect();
        let closest = closest(name.as_str(), known.iter().map(InstanceName::as_str));
        EffectiveError::UnknownInstance {
            name: name.clone(),
            closest: known.iter().find(|known| Some(known.as_str()) == closest).cloned(),
            known,
        }
    }
}

/// Why there is nothing that holds for an instance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EffectiveError {
    /// The configuration has no instance of that name.
    #[error("no instance is called `{name}`: {}", listed(.known))]
    UnknownInstance {
        /// The name asked for.
        name: InstanceName,
        /// The instance it is nearest to, for a hint.
        closest: Option<InstanceName>,
        /// The instances there are, in file order.
        known: Vec<InstanceName>,
    },
    /// No instance is named, and there are several to choose from.
    #[error("no instance is named: {}", listed(.known))]
    SeveralInstances {
        /// The instances there are, in file order.
        known: Vec<InstanceName>,
    },
    /// A parameter does by hand what the SSL configuration does.
    #[error(
        "parameter `{parameter}` ({parameter_origin}) can't be set beside the SSL host name ({ssl_origin}), \
         which sets SSL up"
    )]
    SslParameter {
        /// The parameter.
        parameter: ParameterName,
        /// Where it is set.
        parameter_origin: Origin,
        /// Where the SSL host name is set.
        ssl_origin: Origin,
    },
    /// A locale is set for ICU, and it is not ICU that sorts.
    #[error(
        "the ICU locale `{icu_locale}` ({icu_origin}) needs the locale provider `icu`, not `{provider}` ({provider_origin})"
    )]
    IcuLocaleWithoutIcu {
        /// The ICU locale.
        icu_locale: IcuLocale,
        /// Where it is set.
        icu_origin: Origin,
        /// What sorts text.
        provider: LocaleProvider,
        /// Where that is set.
        provider_origin: Origin,
    },
}

pub(super) fn listed(names: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("there {verb} {}", names.join(", "))
}

/// The strongest of the places that may set a value.
struct Strongest<T>(Option<Effective<T>>);

fn strongest<T: Clone>(command_line: &Option<T>, instance: &Option<T>, top_level: &Option<T>) -> Strongest<T> {
    let places = [(command_line, Origin::CommandLine), (instance, Origin::Instance), (top_level, Origin::TopLevel)];
    let set = places.into_iter().find_map(|(value, origin)| value.clone().map(|value| Effective { value, origin }));
    Strongest(set)
}

impl<T> Strongest<T> {
    fn or(self, default: T) -> Effective<T> {
        self.0.unwrap_or(Effective { value: default, origin: Origin::Default })
    }
}

impl<T: Default> Strongest<T> {
    fn or_default(self) -> Effective<T> {
        self.or(T::default())
    }
}

fn merge_parameters(
    command_line: &Parameters,
    instance: &Settings,
    top_level: &Settings,
) -> IndexMap<ParameterName, Effective<ParameterValue>> {
    let mut merged = IndexMap::new();
    let weakest_first = [
        (&top_level.parameters, Origin::TopLevel),
        (&instance.parameters, Origin::Instance),
        (command_line, Origin::CommandLine),
    ];
    for (parameters, origin) in weakest_first {
        for (name, value) in parameters.iter() {
            merged.insert(name.clone(), Effective { value: value.clone(), origin });
        }
    }
    merged
}

/// Where the provider is set at a stronger place than ICU's locale, that does not matter any more.
fn icu_locale_beside(
    icu_locale: Option<Effective<IcuLocale>>,
    provider: Effective<LocaleProvider>,
) -> Result<Option<Effective<IcuLocale>>, EffectiveError> {
    match icu_locale {
        Some(icu) if provider.value != LocaleProvider::Icu && icu.origin <= provider.origin => {
            Err(EffectiveError::IcuLocaleWithoutIcu {
                icu_locale: icu.value,
                icu_origin: icu.origin,
                provider: provider.value,
                provider_origin: provider.origin,
            })
        }
        icu_locale => Ok(icu_locale.filter(|_| provider.value == LocaleProvider::Icu)),
    }
}

fn refuse_ssl_twice(instance: &EffectiveInstance) -> Result<(), EffectiveError> {
    let Some(ssl) = &instance.ssl_config else {
        return Ok(());
    };
    for (parameter, effective) in &instance.parameters {
        if sets_ssl(parameter.as_str()) {
            return Err(EffectiveError::SslParameter {
                parameter: parameter.clone(),
                parameter_origin: effective.origin,
                ssl_origin: ssl.origin,
            });
        }
    }
    Ok(())
}
