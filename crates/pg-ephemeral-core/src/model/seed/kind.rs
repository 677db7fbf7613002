//! The types of seeds by name, without what they hold.

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
    /// What pg_dump or pg_dumpall wrote.
    Dump,
    /// A CSV file.
    CsvFile,
    /// A shell script on the host.
    Script,
    /// A program on the host.
    Command,
    /// A shell script inside the image, with no PostgreSQL running.
    ContainerScript,
}

impl SeedKind {
    /// Every type.
    pub const ALL: [Self; 7] = [
        Self::SqlFile,
        Self::SqlStatement,
        Self::Dump,
        Self::CsvFile,
        Self::Script,
        Self::Command,
        Self::ContainerScript,
    ];

    /// The name, as in `database.toml`, in labels and in listings.
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

/// No type of seeds has that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no seed type is called `{name}`")]
pub struct UnknownSeedKind {
    /// The name.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_configuration_everywhere() {
        assert_eq!(SeedKind::ALL.map(SeedKind::as_str), SeedSpec::TYPE_NAMES);
        for kind in SeedKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
    }
}
