//! How a dump is restored, as the user wrote it.

use std::num::NonZeroU16;

/// How a dump is restored. A plain dump has none of these options.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DumpOptions {
    /// How many connections restore at the same time. For the formats custom and directory.
    pub jobs: Option<NonZeroU16>,
    /// What becomes of owners and privileges; [`DumpOwner::Keep`] if it is not set.
    pub owner: Option<DumpOwner>,
    /// The sections that are restored; empty: all.
    pub sections: Vec<DumpSection>,
}

impl DumpOptions {
    /// The name of the first option that is set.
    pub(crate) fn first_set(&self) -> Option<&'static str> {
        let set =
            [("jobs", self.jobs.is_some()), ("owner", self.owner.is_some()), ("sections", !self.sections.is_empty())];
        set.into_iter().find(|(_, is_set)| *is_set).map(|(name, _)| name)
    }
}

/// What becomes of the owners and privileges in an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DumpOwner {
    /// They are restored. Every role that the archive names has to be there.
    #[default]
    Keep,
    /// They are left out: the superuser owns everything.
    Drop,
}

impl DumpOwner {
    /// Every name, as `owner` in `database.toml` takes it.
    pub const NAMES: [&'static str; 2] = ["keep", "drop"];

    /// The name, as in `database.toml`.
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
    /// Definitions that the data needs.
    PreData,
    /// The rows of tables, large objects and the values of sequences.
    Data,
    /// Indexes, triggers, rules and constraints.
    PostData,
}

impl DumpSection {
    /// Every section.
    pub const ALL: [Self; 3] = [Self::PreData, Self::Data, Self::PostData];

    /// The name, as in `database.toml` and as pg_restore takes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PreData => "pre-data",
            Self::Data => "data",
            Self::PostData => "post-data",
        }
    }
}
