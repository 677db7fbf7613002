//! [`ProjectCommand`]: one command of a project before it runs.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use super::folder::Project;

/// A command to be run in a project. It gets a process group of its own and no standard input unless it is given one.
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
    /// Runs another program than the project's binary.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Takes a variable away.
    #[must_use]
    pub fn without_variable(mut self, name: &str) -> Self {
        self.without.push(name.to_owned());
        self
    }

    /// Runs in another folder.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }

    /// Standard input, through a pipe.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = Some(input.into());
        self
    }

    /// How long the command may take before the test fails; 120 s by default.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }
}

impl Project {
    /// A command with these arguments, to be run or started.
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
