//! The types of seeds, without the data of a seed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::spec::SeedSpec;

/// The type of a seed, spelt as `type` in `database.toml`.
///
/// ```
/// use pg_ephemeral_core::seed::SeedKind;
///
/// assert_eq!("csv-file".parse(), Ok(SeedKind::CsvFile));
/// assert_eq!(SeedKind::CsvFile.to_string(), "csv-file");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SeedKind {
    /// A file of SQL statements.
    SqlFile,
    /// SQL written in the configuration itself.
    SqlStatement,
    /// A dump that pg_dump or pg_dumpall wrote.
    Dump,
    /// A CSV file.
    CsvFile,
    /// A shell script that runs on the host.
    Script,
    /// A program that runs on the host.
    Command,
    /// A shell script that runs inside the image while PostgreSQL is not running.
    ContainerScript,
}

impl SeedKind {
    /// All types of seeds.
    pub const ALL: [Self; 7] = [
        Self::SqlFile,
        Self::SqlStatement,
        Self::Dump,
        Self::CsvFile,
        Self::Script,
        Self::Command,
        Self::ContainerScript,
    ];

    /// Returns the name of the type, as in `database.toml`, in labels and in listings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SqlFile => "sql-file",
            Self::SqlStatement => "sql-statement",
            Self::Dump => "dump",
            Self::CsvFile => "csv-file",
            Self::Script => "script",
            Self::Command => "command",
            Self::ContainerScript => "container-script",
        }
    }
}

impl From<&SeedSpec> for SeedKind {
    fn from(spec: &SeedSpec) -> Self {
        match spec {
            SeedSpec::SqlFile { .. } => Self::SqlFile,
            SeedSpec::SqlStatement { .. } => Self::SqlStatement,
            SeedSpec::Dump { .. } => Self::Dump,
            SeedSpec::CsvFile { .. } => Self::CsvFile,
            SeedSpec::Script { .. } => Self::Script,
            SeedSpec::Command { .. } => Self::Command,
            SeedSpec::ContainerScript { .. } => Self::ContainerScript,
        }
    }
}

impl fmt::Display for SeedKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for SeedKind {
    type Err = UnknownSeedKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.ok_or_else(|| UnknownSeedKind { name: text.to_owned() })
    }
}

/// The error for a text that is not the name of a seed type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no seed type `{name}`")]
pub struct UnknownSeedKind {
    /// The text.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_type_has_the_same_name_in_the_configuration_and_in_json() {
        assert_eq!(SeedKind::ALL.map(SeedKind::as_str), SeedSpec::TYPE_NAMES);
        for kind in SeedKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
    }
}
