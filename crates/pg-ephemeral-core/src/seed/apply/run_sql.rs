//! Runs SQL with psql.

use std::fmt;
use std::path::{Path, PathBuf};

use ociman::command::ExitStatus;

use super::psql_output::PsqlOutput;
use crate::postgres::client::{ClientCommand, ClientProgramError, ClientPrograms, Keep, Operand};
use crate::seed::events::{ApplyEvent, EventSink};
use crate::seed::sql::SqlScript;
use crate::seed::sql::SqlSource;

/// The options of psql for a script: psql reads no start-up file, and stops at the first error.
pub(super) const PSQL_OPTIONS: [&str; 4] = ["-X", "-v", "ON_ERROR_STOP=1", "-f"];

/// The name that psql's messages use for standard input.
const STANDARD_INPUT: &str = "<stdin>";

/// The end of psql's message about a folder that a script includes. The path comes before it.
const NOT_READABLE: &str = ": error: could not read from input file: Is a directory";

/// A line of SQL, displayed as `file:line`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Location {
    /// The source of the SQL: the script itself, or a file that it includes.
    pub source: SqlSource,
    /// The line, from 1. For a statement of several lines, it is the last one.
    pub line: u64,
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            SqlSource::Statement => write!(formatter, "line {} of its statement", self.line),
            file => write!(formatter, "{file}:{}", self.line),
        }
    }
}

/// An error while running SQL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqlError {
    /// psql stopped at an error; statements before it may have been run.
    #[error("{message}")]
    Stopped {
        /// The place where psql stopped, if psql reports it.
        location: Option<Location>,
        /// The message: that of the server with its lines `LINE`, `DETAIL`, `HINT` and `CONTEXT`, or one of psql
        /// itself.
        message: String,
    },
    /// psql failed without a message.
    #[error("psql ended with {status}")]
    Silent {
        /// The exit status.
        status: ExitStatus,
    },
    /// psql could not be run.
    #[error(transparent)]
    Program(#[from] ClientProgramError),
    /// A file has changed since its hash was computed.
    #[error("{} changed while it was in use", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

impl SqlError {
    /// Returns what the user can do about the error, if anything.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Stopped { message, .. } => hint_for(message),
            Self::Program(error) => error.hint(),
            Self::Changed { .. } => Some("run it again once nothing writes to the file".to_owned()),
            Self::Silent { .. } => None,
        }
    }

    /// Returns the place of the error as text that follows "failed"; empty if the place is not known.
    pub(crate) fn at(&self) -> String {
        match self {
            Self::Stopped { location: Some(location), .. } => format!(" at {location}"),
            _ => String::new(),
        }
    }
}

/// Returns what the user can do about a message, if anything.
fn hint_for(message: &str) -> Option<String> {
    if message.starts_with("error: ") && message.ends_with("No such file or directory") {
        return Some(
            "in a container a script finds the files that it names by relative paths; add others, such as one that a \
             variable names, to the seed's `files`"
                .to_owned(),
        );
    }
    let already = message.lines().next()?.strip_suffix(" already exists")?;
    let what = ["role ", "database "].iter().find(|what| already.contains(&format!("ERROR:  {what}")))?;
    Some(format!("a seed with `type = \"dump\"` skips the {what}that is there from the start"))
}

/// Runs a script like `psql -X -v ON_ERROR_STOP=1 -f FILE` in the script's folder.
///
/// # Errors
/// Returns an error if psql fails or can't be run, or if a file has changed. The error contains the place in the SQL if
/// psql reports it.
pub(crate) async fn run_sql(
    programs: &mut ClientPrograms<'_>,
    script: &SqlScript,
    events: &EventSink,
) -> Result<(), SqlError> {
    let files: Vec<_> = script.includes.iter().map(|include| include.file.clone()).collect();
    let path = script.source.path();
    let command = ClientCommand {
        program: "psql",
        arguments: PSQL_OPTIONS.map(str::to_owned).to_vec(),
        folder: &script.folder,
        operand: Operand::Stream { content: &script.content, path },
        files: &files,
        keep: Keep::Errors,
    };
    let mut output = PsqlOutput::new(events);
    let total = script.content.size();
    let mut read = |bytes| events.send(ApplyEvent::Copied { bytes, total });
    let status = programs.run(&command, &mut read, &mut |line| output.take(line)).await?;
    if let Some(path) = script.changed_file() {
        return Err(SqlError::Changed { path });
    }
    if status.success() {
        output.succeed();
        return Ok(());
    }
    let Some(message) = output.fail() else { return Err(SqlError::Silent { status }) };
    let location = message.place.map(|(file, line)| Location { source: source_of(&file, &script.source), line });
    let message = match included_folder(&message.text, &script.folder) {
        Some(path) => format!("error: {path} is a folder, and a script includes files"),
        None => message.text,
    };
    Err(SqlError::Stopped { location, message })
}

/// Returns the folder that a script includes, if the message is about one. psql reports it as unreadable on this
/// machine, and as missing in a container.
fn included_folder<'m>(message: &'m str, folder: &Path) -> Option<&'m str> {
    let unreadable = message.strip_prefix("psql:").and_then(|rest| rest.strip_suffix(NOT_READABLE));
    let missing = || message.strip_prefix("error: ").and_then(|rest| rest.strip_suffix(": No such file or directory"));
    unreadable.or_else(missing).filter(|path| folder.join(path).is_dir())
}

/// Returns the source for a file that psql names in a message.
fn source_of(file: &Path, script: &SqlSource) -> SqlSource {
    if file == script.path().unwrap_or(Path::new(STANDARD_INPUT)) {
        return script.clone();
    }
    match script {
        SqlSource::Revision { revision, .. } => {
            SqlSource::Revision { revision: revision.clone(), path: file.to_owned() }
        }
        SqlSource::File(_) | SqlSource::Statement => SqlSource::File(file.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_a_script_includes_is_distinguished_from_a_missing_file() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("db")).unwrap();
        let named = |message: &'static str| included_folder(message, root.path());
        assert_eq!(named("psql:db: error: could not read from input file: Is a directory"), Some("db"));
        assert_eq!(named("error: db: No such file or directory"), Some("db"));
        assert_eq!(named("error: nosuch: No such file or directory"), None);
        assert_eq!(named("ERROR:  db"), None);
    }
}
