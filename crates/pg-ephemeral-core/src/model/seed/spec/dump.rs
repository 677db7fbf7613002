//! The options of a `dump` seed, as the user wrote them.

use std::num::NonZeroU16;

/// The options for restoring a dump. None of them can be set for a plain dump.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DumpOptions {
    /// The number of connections that restore in parallel. Only for the formats custom and directory.
    pub jobs: Option<NonZeroU16>,
    /// Whether owners and privileges are restored; [`DumpOwner::Keep`] if it is not set.
    pub owner: Option<DumpOwner>,
    /// The sections that are restored. If the list is empty, all sections are restored.
    pub sections: Vec<DumpSection>,
}

impl DumpOptions {
    /// Returns the name of the first option that is set.
    pub(crate) fn first_set(&self) -> Option<&'static str> {
        let set =
            [("jobs", self.jobs.is_some()), ("owner", self.owner.is_some()), ("sections", !self.sections.is_empty())];
        set.into_iter().find(|(_, is_set)| *is_set).map(|(name, _)| name)
    }
}

/// Whether the owners and privileges in an archive are restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DumpOwner {
    /// Owners and privileges are restored. Every role that the archive names must exist.
    #[default]
    Keep,
    /// Owners and privileges are left out. The superuser owns everything.
    Drop,
}

impl DumpOwner {
    /// All names, as the key `owner` in `database.toml` accepts them.
    pub const NAMES: [&'static str; 2] = ["keep", "drop"];

    /// Returns the name, as in `database.toml`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Drop => "drop",
        }
    }
}

/// A section of an archive; see `--section` in the manual of pg_restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DumpSection {
    /// Definitions that must exist before the data is restored, such as those of tables.
    PreData,
    /// The rows of tables, large objects and the values of sequences.
    Data,
    /// Indexes, triggers, rules and constraints.
    PostData,
}

impl DumpSection {
    /// All sections.
    pub const ALL: [Self; 3] = [Self::PreData, Self::Data, Self::PostData];

    /// Returns the name, as in `database.toml` and as pg_restore accepts it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PreData => "pre-data",
            Self::Data => "data",
            Self::PostData => "post-data",
        }
    }
}
