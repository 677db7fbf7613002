//! What a seed is, as the user wrote it: plain values, checked where a wrong one could do harm.
//!
//! Loading bodies, hashing and applying a seed happen elsewhere; this module must not read files, start
//! processes or know PostgreSQL connections. Paths and commands stay as written: whoever loads a seed resolves them
//! against the folder of the configuration.

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
        /// Take the file, and those that it includes, from this git revision instead of the working tree.
        git_revision: Option<GitRevision>,
        /// More files of the working tree that the script reads: those whose paths only a variable names.
        files: Vec<FileGlob>,
    },
    /// A script for psql, written in the configuration itself.
    SqlStatement {
        /// One or more statements.
        statement: String,
    },
    /// What pg_dump or pg_dumpall wrote, restored by the server's own pg_restore or psql.
    Dump {
        /// The file, or the folder in directory format, relative to the configuration's folder.
        path: PathBuf,
        /// How it is restored.
        options: DumpOptions,
    },
    /// A CSV file whose first row names the columns.
    CsvFile {
        /// The file, relative to the configuration's folder.
        path: PathBuf,
        /// The table that takes the rows.
        table: CsvTable,
        /// What stands between two fields.
        delimiter: CsvDelimiter,
    },
    /// A shell script run on the host by `sh -e -c`.
    Script {
        /// The script's text.
        script: String,
        /// Files whose names and contents join the layer's key.
        files: Vec<FileGlob>,
        /// What else joins the layer's key.
        cache: CacheStrategy,
    },
    /// A program run on the host.
    Command {
        /// The program: looked up on `PATH`, or relative to the configuration's folder when it has a `/`.
        command: String,
        /// Its arguments, passed as they are.
        arguments: Vec<String>,
        /// Files whose names and contents join the layer's key.
        files: Vec<FileGlob>,
        /// What else joins the layer's key.
        cache: CacheStrategy,
    },
    /// A shell script run inside the image while PostgreSQL is not running, for packages and extensions.
    ContainerScript {
        /// The script's text.
        script: String,
        /// Files that it finds in its working directory. Their names and contents join the layer's key.
        files: Vec<FileGlob>,
    },
}

impl SeedSpec {
    /// Every seed type's name, as `type` in `database.toml` takes it.
    pub const TYPE_NAMES: [&'static str; 7] =
        ["sql-file", "sql-statement", "dump", "csv-file", "script", "command", "container-script"];

    /// The name of this seed's type, as in `database.toml` and in labels.
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

    /// The globs of `files`; none for a type that has no such key.
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

/// What a `script` or `command` seed gives to its layer's key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum CacheStrategy {
    /// The script, or the command with its arguments: it runs again when they change.
    #[default]
    CommandHash,
    /// Nothing: the seed runs at each boot, and the cacheable prefix of the chain ends before it.
    None,
    /// As `CommandHash`, and what this program writes to its standard output.
    KeyCommand {
        /// The program, under the same rule as [`SeedSpec::Command`].
        command: String,
        /// Its arguments, passed as they are.
        arguments: Vec<String>,
    },
    /// As `CommandHash`, and what this shell script writes to its standard output.
    KeyScript {
        /// The script's text.
        script: String,
    },
}

impl CacheStrategy {
    /// Every strategy's name, as `cache.type` in `database.toml` takes it.
    pub const TYPE_NAMES: [&'static str; 4] = ["command-hash", "none", "key-command", "key-script"];

    /// The name of this strategy, as in `database.toml`.
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

/// The table a CSV file is loaded into.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CsvTable {
    /// The table's schema.
    pub schema: Identifier,
    /// The table's name in it.
    pub table: Identifier,
}

/// The character between two fields of a CSV file: one ASCII character, a comma unless set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CsvDelimiter(u8);

impl CsvDelimiter {
    /// The character.
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

/// Why a text is no CSV delimiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CsvDelimiterError {
    /// It is empty, longer than one character, or not ASCII.
    #[error("a delimiter is exactly one ASCII character")]
    NotOneAsciiCharacter,
    /// It is the character that quotes fields.
    #[error("a delimiter can't be the quote character")]
    Quote,
    /// It is the character that ends rows.
    #[error("a delimiter can't be a line end")]
    LineEnd,
    /// It is the NUL character.
    #[error("a delimiter can't be the NUL character")]
    Nul,
}

/// A git revision: a branch, a tag, a commit or an expression such as `HEAD~2`.
///
/// It never starts with `-`, so git can't take it for an option.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GitRevision(String);

impl GitRevision {
    /// The revision as written.
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

/// Why a text is no git revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GitRevisionError {
    /// It has no character at all.
    #[error("a git revision can't be empty")]
    Empty,
    /// git would take it for an option.
    #[error("a git revision can't start with `-`")]
    LeadingDash,
    /// It has a control character.
    #[error("a git revision can't hold {character:?} (at byte {offset})")]
    Control {
        /// The character.
        character: char,
        /// Where it starts, in bytes from the start of the text.
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
