//! [`ProjectCommand`]: a command of a project before it runs.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use super::folder::Project;

/// A command that can be run in a project, built by [`Project::command`]. The command gets its own process group.
/// Without [`ProjectCommand::input`], its standard input is empty.
#[derive(Debug)]
pub struct ProjectCommand<'a> {
    pub(super) project: &'a Project,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) variables: Vec<(String, OsString)>,
    pub(super) without: Vec<String>,
    pub(super) folder: PathBuf,
    pub(super) input: Option<Vec<u8>>,
    pub(super) limit: Duration,
}

impl<'a> ProjectCommand<'a> {
    /// Sets the program. The default is the project's binary.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Removes an environment variable.
    #[must_use]
    pub fn without_variable(mut self, name: &str) -> Self {
        self.without.push(name.to_owned());
        self
    }

    /// Sets the working folder. The default is [`Project::folder`].
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }

    /// Sets the standard input, which the command reads from a pipe.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = Some(input.into());
        self
    }

    /// Sets the time limit after which the test fails. The default is 120 s.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }
}

impl Project {
    /// Returns a command that calls the project's binary with these arguments. [`ProjectCommand::run`] and
    /// [`ProjectCommand::start`] start it.
    pub fn command<I, A>(&self, arguments: I) -> ProjectCommand<'_>
    where
        I: IntoIterator<Item = A>,
        A: AsRef<OsStr>,
    {
        ProjectCommand {
            project: self,
            program: self.binary().to_owned(),
            arguments: arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect(),
            variables: Vec::new(),
            without: Vec::new(),
            folder: self.folder(),
            input: None,
            limit: Duration::from_secs(120),
        }
    }
}
