//! Seeds as the user wrote them: plain values, checked where a wrong value could do harm.
//!
//! Other modules load, hash and apply seeds. This module must not read files, start processes or use PostgreSQL
//! connections. Paths and commands stay as written; they are resolved against the folder of the configuration when the
//! seed is loaded.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

pub use dump::{DumpOptions, DumpOwner, DumpSection};
pub(crate) use file_glob::GlobPart;
pub use file_glob::{FileGlob, FileGlobError};
pub use identifier::{Identifier, IdentifierError};

mod dump;
mod file_glob;
mod identifier;

/// One step that puts schema or data into an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SeedSpec {
    /// A script for psql.
    SqlFile {
        /// The file, relative to the configuration's folder.
        path: PathBuf,
        /// The git revision that the file and the files that it includes are read from. Without a revision they are
        /// read from the working tree.
        git_revision: Option<GitRevision>,
        /// More files of the working tree that the script reads. A file has to be listed here if the script names it
        /// only by a variable.
        files: Vec<FileGlob>,
    },
    /// A script for psql, written in the configuration itself.
    SqlStatement {
        /// One or more statements.
        statement: String,
    },
    /// A dump that pg_dump or pg_dumpall wrote. It is restored by the server's own pg_restore or psql.
    Dump {
        /// The file, or the folder of a dump in directory format, relative to the configuration's folder.
        path: PathBuf,
        /// The options for restoring it.
        options: DumpOptions,
    },
    /// A CSV file whose first row names the columns.
    CsvFile {
        /// The file, relative to the configuration's folder.
        path: PathBuf,
        /// The table that the rows are loaded into.
        table: CsvTable,
        /// The character between two fields.
        delimiter: CsvDelimiter,
    },
    /// A shell script that `sh -e -c` runs on the host.
    Script {
        /// The script's text.
        script: String,
        /// Files whose names and contents are part of the layer's key.
        files: Vec<FileGlob>,
        /// The further inputs of the layer's key.
        cache: CacheStrategy,
    },
    /// A program that runs on the host.
    Command {
        /// The program. It is relative to the configuration's folder if it contains a `/`, otherwise it is looked up on
        /// `PATH`.
        command: String,
        /// The arguments, which are passed unchanged.
        arguments: Vec<String>,
        /// Files whose names and contents are part of the layer's key.
        files: Vec<FileGlob>,
        /// The further inputs of the layer's key.
        cache: CacheStrategy,
    },
    /// A shell script that runs inside the image while PostgreSQL is not running, to install packages and extensions.
    ContainerScript {
        /// The script's text.
        script: String,
        /// Files that the script finds in its working directory. Their names and contents are part of the layer's key.
        files: Vec<FileGlob>,
    },
}

impl SeedSpec {
    /// The names of all seed types, as the key `type` in `database.toml` accepts them.
    pub const TYPE_NAMES: [&'static str; 7] =
        ["sql-file", "sql-statement", "dump", "csv-file", "script", "command", "container-script"];

    /// Returns the name of this seed's type, as in `database.toml` and in labels.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::SqlFile { .. } => "sql-file",
            Self::SqlStatement { .. } => "sql-statement",
            Self::Dump { .. } => "dump",
            Self::CsvFile { .. } => "csv-file",
            Self::Script { .. } => "script",
            Self::Command { .. } => "command",
            Self::ContainerScript { .. } => "container-script",
        }
    }

    /// Returns the globs of the key `files`. The slice is empty for a type that has no such key.
    #[must_use]
    pub fn files(&self) -> &[FileGlob] {
        match self {
            Self::SqlFile { files, .. }
            | Self::Script { files, .. }
            | Self::Command { files, .. }
            | Self::ContainerScript { files, .. } => files,
            Self::SqlStatement { .. } | Self::Dump { .. } | Self::CsvFile { .. } => &[],
        }
    }
}

/// The inputs of the layer's key of a `script` or `command` seed, besides its `files`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum CacheStrategy {
    /// The script, or the command with its arguments. The seed runs again when they change.
    #[default]
    CommandHash,
    /// The seed is not cached. It runs at each start of a server, and so do all later seeds of the chain.
    None,
    /// The same as for `CommandHash`, and the standard output of this program.
    KeyCommand {
        /// The program, which is looked up like that of [`SeedSpec::Command`].
        command: String,
        /// The arguments, which are passed unchanged.
        arguments: Vec<String>,
    },
    /// The same as for `CommandHash`, and the standard output of this shell script.
    KeyScript {
        /// The script's text.
        script: String,
    },
}

impl CacheStrategy {
    /// The names of all strategies, as the key `cache.type` in `database.toml` accepts them.
    pub const TYPE_NAMES: [&'static str; 4] = ["command-hash", "none", "key-command", "key-script"];

    /// Returns the name of this strategy, as in `database.toml`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::CommandHash => "command-hash",
            Self::None => "none",
            Self::KeyCommand { .. } => "key-command",
            Self::KeyScript { .. } => "key-script",
        }
    }
}

/// The table that a CSV file is loaded into.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CsvTable {
    /// The table's schema.
    pub schema: Identifier,
    /// The table's name.
    pub table: Identifier,
}

/// The character between two fields of a CSV file: one ASCII character, by default a comma.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CsvDelimiter(u8);

impl CsvDelimiter {
    /// Returns the character.
    #[must_use]
    pub fn as_char(self) -> char {
        char::from(self.0)
    }
}

impl Default for CsvDelimiter {
    fn default() -> Self {
        Self(b',')
    }
}

impl FromStr for CsvDelimiter {
    type Err = CsvDelimiterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let &[byte] = text.as_bytes() else {
            return Err(CsvDelimiterError::NotOneAsciiCharacter);
        };
        match byte {
            b'"' => Err(CsvDelimiterError::Quote),
            b'\n' | b'\r' => Err(CsvDelimiterError::LineEnd),
            0 => Err(CsvDelimiterError::Nul),
            _ => Ok(Self(byte)),
        }
    }
}

impl fmt::Display for CsvDelimiter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_char(), formatter)
    }
}

/// The reason why a text is not a valid CSV delimiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CsvDelimiterError {
    /// The text is empty, longer than one character, or not ASCII.
    #[error("a delimiter is exactly one ASCII character")]
    NotOneAsciiCharacter,
    /// The text is the character that quotes fields.
    #[error("a delimiter can't be the quote character")]
    Quote,
    /// The text is a line feed or a carriage return, which ends a row.
    #[error("a delimiter can't be a line end")]
    LineEnd,
    /// The text is the NUL character.
    #[error("a delimiter can't be the NUL character")]
    Nul,
}

/// A git revision: a branch, a tag, a commit or an expression such as `HEAD~2`.
///
/// It never starts with `-`, so git can't mistake it for an option.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GitRevision(String);

impl GitRevision {
    /// Returns the revision as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GitRevision {
    type Err = GitRevisionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(GitRevisionError::Empty);
        }
        if text.starts_with('-') {
            return Err(GitRevisionError::LeadingDash);
        }
        if let Some((offset, character)) = text.char_indices().find(|(_, c)| c.is_control()) {
            return Err(GitRevisionError::Control { character, offset });
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for GitRevision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// The reason why a text is not a valid git revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GitRevisionError {
    /// The text is empty.
    #[error("a git revision can't be empty")]
    Empty,
    /// The text starts with `-`, so git would take it for an option.
    #[error("a git revision can't start with `-`")]
    LeadingDash,
    /// The text contains a control character.
    #[error("a git revision can't hold {character:?} (at byte {offset})")]
    Control {
        /// The character.
        character: char,
        /// The offset of the character, in bytes from the start of the text.
        offset: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delimiter_is_one_plain_ascii_character() {
        assert_eq!(";".parse::<CsvDelimiter>().unwrap().as_char(), ';');
        assert_eq!("\t".parse::<CsvDelimiter>().unwrap().as_char(), '\t');
        assert_eq!(CsvDelimiter::default().to_string(), ",");
        for (text, error) in [
            ("", CsvDelimiterError::NotOneAsciiCharacter),
            (",,", CsvDelimiterError::NotOneAsciiCharacter),
            ("é", CsvDelimiterError::NotOneAsciiCharacter),
            ("\"", CsvDelimiterError::Quote),
            ("\n", CsvDelimiterError::LineEnd),
            ("\r", CsvDelimiterError::LineEnd),
            ("\0", CsvDelimiterError::Nul),
        ] {
            assert_eq!(text.parse::<CsvDelimiter>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn a_git_revision_can_not_be_an_option() {
        for text in ["HEAD", "HEAD~2", "v1.0^{}", "feature/x", "main@{5 minutes ago}", "3f2a"] {
            assert_eq!(text.parse::<GitRevision>().unwrap().as_str(), text);
        }
        for (text, error) in [
            ("", GitRevisionError::Empty),
            ("--output=x", GitRevisionError::LeadingDash),
            ("é\0", GitRevisionError::Control { character: '\0', offset: 2 }),
        ] {
            assert_eq!(text.parse::<GitRevision>(), Err(error), "{text:?}");
        }
    }
}
