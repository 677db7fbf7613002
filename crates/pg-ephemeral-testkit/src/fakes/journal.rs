//! [`Recorder`]: records every command line before another executor runs it. Values of variables, secret or not, are
//! not recorded.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ociman::System;
use ociman::command::{CommandLine, Executor, Output, Process, ProcessError, QueryOutput};

use super::operation::Operation;

/// One recorded command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The operation of the command.
    pub operation: Operation,
    /// The program.
    pub program: String,
    /// The arguments of the program.
    pub arguments: Vec<String>,
    /// The sorted names of the environment variables that were set for the command, without their values.
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

/// Writes the program and its arguments as one line.
impl fmt::Display for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        CommandLine::new(&self.program).arguments(&self.arguments).fmt(formatter)
    }
}

/// The recorded commands, in order. A clone refers to the same journal.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    entries: Arc<Mutex<Vec<Entry>>>,
}

impl Journal {
    /// Returns all commands so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().clone()
    }

    /// Returns the number of commands of one operation.
    pub fn count(&self, operation: Operation) -> usize {
        self.lock().iter().filter(|entry| entry.operation == operation).count()
    }

    /// Returns the number of all commands.
    pub fn total(&self) -> usize {
        self.lock().len()
    }

    /// Removes all entries, so that later commands can be counted on their own.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Records a command, and returns how many commands of its operation there are now.
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

/// Writes one command per line.
impl fmt::Display for Journal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lock().iter().try_for_each(|entry| writeln!(formatter, "{entry}"))
    }
}

/// An [`Executor`] that records every command line and then passes it to another executor.
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
    /// Creates a recorder in front of another executor.
    pub fn new(inner: Arc<dyn Executor>) -> Self {
        Self { inner, journal: Journal::default() }
    }

    /// Creates a recorder in front of the programs of this machine.
    pub fn system() -> Self {
        Self::new(Arc::new(System))
    }

    /// Returns the journal. It also shows commands that are recorded later.
    pub fn journal(&self) -> Journal {
        self.journal.clone()
    }

    /// Returns the number of commands of one operation, as [`Journal::count`].
    pub fn count(&self, operation: Operation) -> usize {
        self.journal.count(operation)
    }

    /// Returns the number of all commands, as [`Journal::total`].
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
    async fn a_recorder_passes_commands_on_and_records_each_once() {
        let recorder = Recorder::system();
        let line = || CommandLine::new("sh").arguments(["-c", "cat; exit 3"]);
        let output = recorder.capture(line(), b"in").await.unwrap();
        assert_eq!((output.status.code(), output.stdout), (3, b"in".to_vec()));
        recorder.query(line(), Duration::from_secs(9)).await.unwrap();
        assert_eq!(recorder.total(), 2);
        assert_eq!(recorder.journal().to_string(), "sh -c \"cat; exit 3\"\nsh -c \"cat; exit 3\"\n");
    }

    #[tokio::test]
    async fn values_of_variables_are_not_recorded() {
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
