//! [`ProjectCommand`]: one command of a project before it runs.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Project, Ran, Started, must};

/// A command to be run in a project. It gets a process group of its own and no standard input unless it is given one.
#[derive(Debug)]
pub struct ProjectCommand<'a> {
    pub(super) project: &'a Project,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    variables: Vec<(String, OsString)>,
    without: Vec<String>,
    pub(super) folder: PathBuf,
    input: Option<Vec<u8>>,
    pub(super) limit: Duration,
}

impl<'a> ProjectCommand<'a> {
    pub(super) fn new<I, A>(project: &'a Project, arguments: I) -> Self
    where
        I: IntoIterator<Item = A>,
        A: AsRef<OsStr>,
    {
        Self {
            project,
            program: project.binary().to_owned(),
            arguments: arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect(),
            variables: Vec::new(),
            without: Vec::new(),
            folder: project.folder(),
            input: None,
            limit: Duration::from_secs(120),
        }
    }

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

    /// Runs the command to its end.
    #[track_caller]
    pub fn run(self) -> Ran<'a> {
        self.start().wait()
    }

    /// Starts the command.
    #[track_caller]
    pub fn start(mut self) -> Started<'a> {
        let input = self.input.take();
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(&self.folder).env_clear();
        command.envs(self.project.environment()).envs(self.variables.iter().map(|(name, value)| (name, value)));
        for name in &self.without {
            command.env_remove(name);
        }
        let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let child = must(command.spawn(), "start the command");
        Started::new(self, child, input)
    }
}
