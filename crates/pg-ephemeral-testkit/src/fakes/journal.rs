//! [`Recorder`]: writes down every command line on its way to whatever executes it. Values of variables, secret or not,
//! are not written down.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ociman::System;
use ociman::command::{CommandLine, Executor, Output, Process, ProcessError, QueryOutput};

use super::operation::Operation;

/// One command that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it does.
    pub operation: Operation,
    /// The program.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Names of the variables that were set for it, in order, without their values.
    pub variables: Vec<String>,
}

impl Entry {
    fn new(line: &CommandLine) -> Self {
        let open = line.environment.iter().map(|(name, _)| name);
        let secret = line.secrets.iter().map(|(name, _)| name);
        let variables: BTreeSet<&String> = open.chain(secret).collect();
        Self {
            operation: Operation::of(line),
            program: line.program.to_string_lossy().into_owned(),
            arguments: line.arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
            variables: variables.into_iter().cloned().collect(),
        }
    }
}

/// The program and its arguments as one line.
impl fmt::Display for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        CommandLine::new(&self.program).arguments(&self.arguments).fmt(formatter)
    }
}

/// Every command that was given, in order. A clone is the same journal.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    entries: Arc<Mutex<Vec<Entry>>>,
}

impl Journal {
    /// Everything so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().clone()
    }

    /// How many commands of one operation there were.
    pub fn count(&self, operation: Operation) -> usize {
        self.lock().iter().filter(|entry| entry.operation == operation).count()
    }

    /// How many commands there were.
    pub fn total(&self) -> usize {
        self.lock().len()
    }

    /// Forgets everything so far, so that what follows can be counted by itself.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Writes a command down, and says the how many-th of its operation it is, from 1.
    pub(crate) fn record(&self, line: &CommandLine) -> usize {
        let entry = Entry::new(line);
        let operation = entry.operation;
        let mut entries = self.lock();
        entries.push(entry);
        entries.iter().filter(|entry| entry.operation == operation).count()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One command a line.
impl fmt::Display for Journal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lock().iter().try_for_each(|entry| writeln!(formatter, "{entry}"))
    }
}

/// An [`Executor`] that writes every command line down and then hands it on.
///
/// ```
/// # async fn example() -> Result<(), ociman::CommandError> {
/// use std::sync::Arc;
/// use pg_ephemeral_testkit::{Operation, Recorder};
///
/// let recorder = Recorder::system();
/// let podman = ociman::Backend::podman_with(Arc::new(recorder.clone()));
/// podman.list(&[], &[]).await?;
/// assert_eq!(recorder.count(Operation::List), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Recorder {
    inner: Arc<dyn Executor>,
    journal: Journal,
}

impl Recorder {
    /// Writes down what goes to another executor.
    pub fn new(inner: Arc<dyn Executor>) -> Self {
        Self { inner, journal: Journal::default() }
    }

    /// Writes down what goes to the programs of this machine.
    pub fn system() -> Self {
        Self::new(Arc::new(System))
    }

    /// What was written down, now and from now on.
    pub fn journal(&self) -> Journal {
        self.journal.clone()
    }

    /// As [`Journal::count`].
    pub fn count(&self, operation: Operation) -> usize {
        self.journal.count(operation)
    }

    /// As [`Journal::total`].
    pub fn total(&self) -> usize {
        self.journal.total()
    }
}

#[async_trait::async_trait]
impl Executor for Recorder {
    fn variable(&self, name: &str) -> Option<String> {
        self.inner.variable(name)
    }

    async fn spawn(&self, line: CommandLine) -> Result<Process, ProcessError> {
        self.journal.record(&line);
        self.inner.spawn(line).await
    }

    async fn query(&self, line: CommandLine, limit: Duration) -> Result<QueryOutput, ProcessError> {
        self.journal.record(&line);
        self.inner.query(line, limit).await
    }

    async fn capture(&self, line: CommandLine, input: &[u8]) -> Result<Output, ProcessError> {
        self.journal.record(&line);
        self.inner.capture(line, input).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_recorder_hands_commands_on_and_writes_each_down_once() {
        let recorder = Recorder::system();
        let line = || CommandLine::new("sh").arguments(["-c", "cat; exit 3"]);
        let output = recorder.capture(line(), b"in").await.unwrap();
        assert_eq!((output.status.code(), output.stdout), (3, b"in".to_vec()));
        recorder.query(line(), Duration::from_secs(9)).await.unwrap();
        assert_eq!(recorder.total(), 2);
        assert_eq!(recorder.journal().to_string(), "sh -c \"cat; exit 3\"\nsh -c \"cat; exit 3\"\n");
    }

    #[tokio::test]
    async fn values_of_variables_are_not_written_down() {
        let recorder = Recorder::system();
        let mut line = CommandLine::new("true");
        line.secrets.push(("PGPASSWORD".to_owned(), ociman::Secret::new("hunter2")));
        line.environment.push(("LANG".to_owned(), "hunter2".to_owned()));
        recorder.capture(line, b"").await.unwrap();
        let journal = recorder.journal();
        assert_eq!(journal.entries()[0].variables, ["LANG", "PGPASSWORD"]);
        assert!(!format!("{journal} {journal:?}").contains("hunter2"));
    }
}
