//! The source of a seed's SQL.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::model::seed::spec::GitRevision;

/// The source of SQL. Displayed in a short form, as in errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqlSource {
    /// A file, by the path that the user gave.
    File(PathBuf),
    /// A file of a git revision.
    Revision {
        /// The revision.
        revision: GitRevision,
        /// The file, by the path that the user gave.
        path: PathBuf,
    },
    /// A statement in the configuration or in a program.
    Statement,
}

impl fmt::Display for SqlSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Revision { revision, path } => write!(formatter, "{revision}:{}", path.display()),
            Self::Statement => formatter.write_str("statement"),
        }
    }
}

impl SqlSource {
    /// Returns the file's path as the user gave it; `None` for a statement.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::Revision { path, .. } => Some(path),
            Self::Statement => None,
        }
    }
}
