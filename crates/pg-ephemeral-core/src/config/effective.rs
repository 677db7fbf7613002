//! The effective settings of one instance, merged from command line, instance, top level and defaults, with the origin
//! of each value.

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

/// The origin of a value, in descending order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// An option of the command line.
    CommandLine,
    /// The instance's own table.
    Instance,
    /// The top level of the file.
    TopLevel,
    /// The value is not set anywhere, so the default applies.
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

/// The effective value of a setting, with its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Effective<T> {
    /// The value.
    pub value: T,
    /// The origin of the value.
    pub origin: Origin,
}

/// The settings of the command line. They take precedence over those of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overrides {
    /// The option `--image`.
    pub image: Option<Image>,
    /// The option `--backend`.
    pub backend: Option<BackendChoice>,
    /// The option `--cache-registry`.
    pub cache_registry: Option<CacheRegistry>,
    /// The option `--ssl-hostname`.
    pub ssl_hostname: Option<SslHostname>,
    /// All options `--parameter`.
    pub parameters: Parameters,
}

/// The effective settings of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EffectiveInstance {
    /// The instance.
    pub name: InstanceName,
    /// The PostgreSQL image.
    pub image: Effective<Image>,
    /// The backend that the command line or the file asks for. The environment variable `OCIMAN_BACKEND` takes
    /// precedence over the file but not over the command line, so code that chooses a backend must check the origin.
    pub backend: Effective<BackendChoice>,
    /// The registry that layers are pushed to and pulled from, if one is set.
    pub cache_registry: Option<Effective<CacheRegistry>>,
    /// The time within which a server must accept connections.
    pub wait_available_timeout: Effective<Duration>,
    /// Whether the data of servers survives a crash of the machine.
    pub durability: Effective<Durability>,
    /// The superuser, which all connections use.
    pub superuser: Effective<Superuser>,
    /// The database, which all connections use.
    pub database: Effective<DatabaseName>,
    /// The locale of the cluster.
    pub locale: Effective<Locale>,
    /// The encoding of the cluster's text.
    pub encoding: Effective<Encoding>,
    /// The provider of the collation, which sorts text.
    pub locale_provider: Effective<LocaleProvider>,
    /// The ICU locale, if one is set and the provider is ICU.
    pub icu_locale: Option<Effective<IcuLocale>>,
    /// The SSL settings, if servers use SSL.
    pub ssl_config: Option<Effective<SslConfig>>,
    /// The server parameters. Each has the value of the origin with the highest precedence. Their order has no meaning.
    pub parameters: IndexMap<ParameterName, Effective<ParameterValue>>,
    /// The chain of seeds, in file order.
    pub seeds: IndexMap<SeedName, SeedSpec>,
    /// The folder that the seeds' relative paths start from and that scripts and commands run in.
    pub folder: PathBuf,
}

impl EffectiveInstance {
    /// Returns the server parameters without their origins.
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
    /// Returns the effective settings of one instance. The order of precedence is command line, instance, top level,
    /// default. Parameters are merged by name.
    ///
    /// # Errors
    /// Returns an error if there is no such instance, if an `ssl*` parameter is set together with an SSL host name, or
    /// if an ICU locale is set and the locale provider is not ICU.
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
            icu_locale: effective_icu_locale(icu_locale, locale_provider)?,
            ssl_config: strongest(&command_line_ssl, &own.ssl_config, &top.ssl_config).0,
            parameters: merge_parameters(&overrides.parameters, own, top),
            seeds: instance.seeds.clone(),
            folder: self.folder.clone(),
        };
        check_ssl_conflict(&effective)?;
        Ok(effective)
    }

    /// Selects the instance to use: the one in `asked`, else `default_instance`, else `main`, else the only one.
    ///
    /// # Errors
    /// Returns an error if there are several instances and none of these rules selects one. The name in `asked` is not
    /// checked.
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

/// The reason why there are no effective settings for an instance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EffectiveError {
    /// The configuration has no instance of that name.
    #[error("there is no instance `{name}`: {}", listed(.known))]
    UnknownInstance {
        /// The name that was asked for.
        name: InstanceName,
        /// The known instance with the most similar name, for a hint.
        closest: Option<InstanceName>,
        /// The known instances, in file order.
        known: Vec<InstanceName>,
    },
    /// No instance is selected, and there are several.
    #[error("no instance is selected: {}", listed(.known))]
    SeveralInstances {
        /// The known instances, in file order.
        known: Vec<InstanceName>,
    },
    /// An `ssl*` parameter is set together with an SSL host name, although the host name already configures SSL.
    #[error(
        "parameter `{parameter}` ({parameter_origin}) can't be set beside the SSL host name ({ssl_origin}), \
         which sets SSL up"
    )]
    SslParameter {
        /// The parameter.
        parameter: ParameterName,
        /// The origin of the parameter.
        parameter_origin: Origin,
        /// The origin of the SSL host name.
        ssl_origin: Origin,
    },
    /// An ICU locale is set, but the locale provider is not ICU.
    #[error(
        "the ICU locale `{icu_locale}` ({icu_origin}) needs the locale provider `icu`, not `{provider}` ({provider_origin})"
    )]
    IcuLocaleWithoutIcu {
        /// The ICU locale.
        icu_locale: IcuLocale,
        /// The origin of the ICU locale.
        icu_origin: Origin,
        /// The locale provider.
        provider: LocaleProvider,
        /// The origin of the locale provider.
        provider_origin: Origin,
    },
}

pub(super) fn listed(names: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("there {verb} {}", names.join(", "))
}

/// The value of the origin with the highest precedence, if any origin sets it.
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

/// Returns the ICU locale to use. An ICU locale for another provider is an error, unless the provider has an origin of
/// higher precedence; then the ICU locale is ignored.
fn effective_icu_locale(
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

fn check_ssl_conflict(instance: &EffectiveInstance) -> Result<(), EffectiveError> {
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
