//! The values that `database.toml` can contain, for all instances and for one.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use indexmap::IndexMap;
use ociman::{Kind, UnknownKind};

use super::{DatabaseName, Encoding, IcuLocale, Locale, LocaleProvider, SslConfig, Superuser};
use crate::model::seed::spec::SeedSpec;
use crate::model::{Image, Parameters, SeedName};

/// The default of `wait_available_timeout`, the time within which a server must accept connections.
pub const DEFAULT_WAIT_AVAILABLE_TIMEOUT: Duration = Duration::from_secs(30);

/// The settings that can be set at the top level for all instances, and in an instance. `None` means not set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// The PostgreSQL image.
    pub image: Option<Image>,
    /// The time within which a server must accept connections: more than zero, at most a day.
    pub wait_available_timeout: Option<Duration>,
    /// Whether the data of servers survives a crash of the machine.
    pub durability: Option<Durability>,
    /// The superuser, which all connections use.
    pub superuser: Option<Superuser>,
    /// The database, which all connections use.
    pub database: Option<DatabaseName>,
    /// The locale of the cluster.
    pub locale: Option<Locale>,
    /// The encoding of the cluster's text.
    pub encoding: Option<Encoding>,
    /// The provider of the collation, which sorts text.
    pub locale_provider: Option<LocaleProvider>,
    /// The ICU locale, for the provider ICU.
    pub icu_locale: Option<IcuLocale>,
    /// The SSL settings. If they are set, servers use SSL.
    pub ssl_config: Option<SslConfig>,
    /// The server parameters that are set at this place.
    pub parameters: Parameters,
}

/// The content of one instance's table in the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InstanceConfig {
    /// The instance's own settings.
    pub settings: Settings,
    /// The instance's chain of seeds, in file order.
    pub seeds: IndexMap<SeedName, SeedSpec>,
}

/// Whether the data of a server survives a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Durability {
    /// `fsync`, `synchronous_commit` and `full_page_writes` are off. This is fast, but a crash of the machine may
    /// destroy the data.
    #[default]
    Off,
    /// PostgreSQL's own defaults, with which the data survives.
    On,
}

impl From<bool> for Durability {
    fn from(durable: bool) -> Self {
        if durable { Self::On } else { Self::Off }
    }
}

impl From<Durability> for bool {
    fn from(durability: Durability) -> Self {
        durability == Durability::On
    }
}

/// The backend that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum BackendChoice {
    /// The first backend that works.
    #[default]
    Auto,
    /// Only this backend.
    Only(Kind),
}

impl BackendChoice {
    /// The names of all choices, as options and files accept them.
    pub const NAMES: [&'static str; 4] = ["auto", "docker", "podman", "host"];

    /// Returns the choice's name, as options and files accept it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Only(kind) => kind.as_str(),
        }
    }
}

impl FromStr for BackendChoice {
    type Err = BackendChoiceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == Self::Auto.as_str() {
            return Ok(Self::Auto);
        }
        let kind = text.parse().map_err(|UnknownKind { text }| BackendChoiceError { text })?;
        Ok(Self::Only(kind))
    }
}

impl fmt::Display for BackendChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// The error for a text that is not the name of a backend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a backend: {}", BackendChoice::NAMES.join(", "))]
pub struct BackendChoiceError {
    /// The text.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_backend_is_found_by_its_name() {
        let kinds = Kind::ALL.into_iter().map(BackendChoice::Only);
        let choices: Vec<BackendChoice> = [BackendChoice::Auto].into_iter().chain(kinds).collect();
        let parsed: Result<Vec<_>, _> = BackendChoice::NAMES.into_iter().map(str::parse).collect();
        assert_eq!(parsed, Ok(choices));
        assert_eq!(
            BackendChoice::NAMES.map(|name| name.parse::<BackendChoice>().unwrap().as_str()),
            BackendChoice::NAMES
        );
    }

    #[test]
    fn an_unknown_backend_is_reported_with_the_valid_names() {
        insta::assert_snapshot!("Docker".parse::<BackendChoice>().unwrap_err(), @r#""Docker" is not a backend: auto, docker, podman, host"#);
    }
}
