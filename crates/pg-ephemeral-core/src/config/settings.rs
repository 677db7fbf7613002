//! The values `database.toml` can hold, for all instances and for one.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use indexmap::IndexMap;
use ociman::{Kind, UnknownKind};

use super::{DatabaseName, Encoding, IcuLocale, Locale, LocaleProvider, SslConfig, Superuser};
use crate::model::seed::spec::SeedSpec;
use crate::model::{Image, Parameters, SeedName};

/// How long a server may take to accept connections unless set.
pub const DEFAULT_WAIT_AVAILABLE_TIMEOUT: Duration = Duration::from_secs(30);

/// What may be set at the top level for every instance, and again in one. `None`: not set there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// The PostgreSQL image.
    pub image: Option<Image>,
    /// How long a server may take to accept connections: more than zero, at most a day.
    pub wait_available_timeout: Option<Duration>,
    /// Whether servers survive a crash of the machine.
    pub durability: Option<Durability>,
    /// The role everything connects as.
    pub superuser: Option<Superuser>,
    /// The database everything connects to.
    pub database: Option<DatabaseName>,
    /// The locale of the cluster.
    pub locale: Option<Locale>,
    /// The encoding of the cluster's text.
    pub encoding: Option<Encoding>,
    /// What sorts text.
    pub locale_provider: Option<LocaleProvider>,
    /// The locale that ICU sorts by, where it is ICU that sorts.
    pub icu_locale: Option<IcuLocale>,
    /// SSL, when there is any.
    pub ssl_config: Option<SslConfig>,
    /// Server parameters set here, and no others.
    pub parameters: Parameters,
}

/// What the file says about one instance.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InstanceConfig {
    /// The settings it has of its own.
    pub settings: Settings,
    /// Its chain of seeds, in file order.
    pub seeds: IndexMap<SeedName, SeedSpec>,
}

/// Whether a server writes safely to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Durability {
    /// `fsync`, `synchronous_commit` and `full_page_writes` are off: fast, and nothing survives a crash of the machine.
    #[default]
    Off,
    /// PostgreSQL's own defaults.
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

/// Which backend is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum BackendChoice {
    /// The first that works.
    #[default]
    Auto,
    /// This one and no other.
    Only(Kind),
}

impl BackendChoice {
    /// Every choice's name, as options and files take it.
    pub const NAMES: [&'static str; 4] = ["auto", "docker", "podman", "host"];

    /// The choice's name, as options and files take it.
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

/// A text that names no backend.
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
    fn an_unknown_backend_is_reported_with_those_there_are() {
        insta::assert_snapshot!("Docker".parse::<BackendChoice>().unwrap_err(), @r#""Docker" is not a backend: auto, docker, podman, host"#);
    }
}
