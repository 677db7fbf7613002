//! The only place through which this crate starts the programs of engines: a [`CommandLine`] goes in, and an
//! [`Output`], a [`Process`] or a typed [`ProcessError`] comes out. The module knows nothing of containers. Since no
//! other module starts an engine's process, a test that replaces the [`Executor`] replaces them all.

pub(crate) mod system;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::Secret;

/// What a standard stream of a child is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stream {
    /// Nothing: `/dev/null`.
    #[default]
    Null,
    /// The caller's own stream, such as its terminal.
    Inherit,
    /// A pipe, to be read or written through [`Process`].
    Piped,
}

/// The user and group that a child runs as, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserIds {
    /// The user ID.
    pub uid: u32,
    /// The group ID. Supplementary groups are dropped.
    pub gid: u32,
}

/// The process group of a child, which decides which signals of the terminal it receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProcessGroup {
    /// A group of its own: Ctrl-C in the caller's terminal does not reach the child.
    #[default]
    Own,
    /// The caller's group: the child shares the terminal with the caller.
    Caller,
}

/// What happens to a child when the calling process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Orphaning {
    /// The child lives on and finishes its work.
    #[default]
    Allowed,
    /// The child receives SIGTERM, if the system supports that (Linux). It also receives SIGTERM when the calling
    /// *thread* ends.
    Terminated,
    /// Like [`Orphaning::Terminated`] but with SIGKILL, for a child that forwards other signals.
    Killed,
    /// The child is killed together with all its descendants, if the system can identify them (Linux).
    KilledWithDescendants,
}

/// A program to run, with everything that affects the run. Values of secret variables are kept apart from the arguments
/// and never appear in `Debug` or `Display`.
#[derive(Debug, Clone)]
pub struct CommandLine {
    /// The name or path of the program.
    pub program: OsString,
    /// The arguments, passed on unchanged.
    pub arguments: Vec<OsString>,
    /// Variables set on top of the inherited environment.
    pub environment: Vec<(String, String)>,
    /// Variables set on top of the inherited environment whose values are secret.
    pub secrets: Vec<(String, Secret)>,
    /// Inherited variables that are removed from the child's environment.
    pub removed_environment: Vec<String>,
    /// The working directory; the caller's by default.
    pub folder: Option<PathBuf>,
    /// The user to change to before the program starts.
    pub user: Option<UserIds>,
    /// Standard input.
    pub stdin: Stream,
    /// Standard output.
    pub stdout: Stream,
    /// Standard error.
    pub stderr: Stream,
    /// Process group.
    pub group: ProcessGroup,
    /// What happens to the child when the calling process is killed.
    pub orphaning: Orphaning,
}

impl CommandLine {
    /// Creates a command line without arguments, with all standard streams connected to `/dev/null`.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            secrets: Vec::new(),
            removed_environment: Vec::new(),
            folder: None,
            user: None,
            stdin: Stream::Null,
            stdout: Stream::Null,
            stderr: Stream::Null,
            group: ProcessGroup::Own,
            orphaning: Orphaning::Allowed,
        }
    }

    /// Appends one argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Appends several arguments.
    #[must_use]
    pub fn arguments<I, A>(mut self, arguments: I) -> Self
    where
        I: IntoIterator<Item = A>,
        A: Into<OsString>,
    {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets the three standard streams.
    #[must_use]
    pub fn streams(mut self, stdin: Stream, stdout: Stream, stderr: Stream) -> Self {
        self.stdin = stdin;
        self.stdout = stdout;
        self.stderr = stderr;
        self
    }
}

/// Formats the program and its arguments as one line, for messages. Environment and streams are left out.
impl fmt::Display for CommandLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.program.to_string_lossy())?;
        for argument in &self.arguments {
            let text = argument.to_string_lossy();
            if text.is_empty() || text.contains([' ', '"', '\'', '\n', '\t']) {
                write!(formatter, " {text:?}")?;
            } else {
                write!(formatter, " {text}")?;
            }
        }
        Ok(())
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// The process exited with this status.
    Exited(i32),
    /// This signal terminated the process.
    Signaled(i32),
}

impl ExitStatus {
    /// Returns `true` if the process exited with status 0.
    pub fn success(self) -> bool {
        self == Self::Exited(0)
    }

    /// Returns the status as a shell reports it: 128 + n for signal n.
    pub fn code(self) -> i32 {
        match self {
            Self::Exited(code) => code,
            Self::Signaled(signal) => 128 + signal,
        }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(formatter, "exit status {code}"),
            Self::Signaled(signal) => write!(formatter, "signal {signal}"),
        }
    }
}

impl From<std::process::ExitStatus> for ExitStatus {
    fn from(status: std::process::ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt;
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, Some(signal)) => Self::Signaled(signal),
            (None, None) => Self::Exited(255),
        }
    }
}

/// The result of a captured command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// How the command ended.
    pub status: ExitStatus,
    /// All of standard output.
    pub stdout: Vec<u8>,
    /// All of standard error.
    pub stderr: Vec<u8>,
}

/// The result of a query. A query is a command of fixed shape that only succeeds or fails; its exact status is not
/// kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryOutput {
    /// Whether the command succeeded.
    pub success: bool,
    /// All of standard output; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// All of standard error; bytes that are not UTF-8 are replaced.
    pub stderr: String,
}

/// Error returned if a command can't be run to its end. A command that runs and fails is not an error here: see
/// [`Output::status`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// The program does not exist.
    #[error("no program {program:?}{}", on_path(program))]
    ProgramNotFound {
        /// The program.
        program: OsString,
    },
    /// The program exists but could not be started.
    #[error("failed to start {program:?}")]
    Spawn {
        /// The program.
        program: OsString,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// Reading, writing or waiting failed while the program ran.
    #[error("failed to talk to {program:?}")]
    Communicate {
        /// The program.
        program: OsString,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The program did not end in time and was killed.
    #[error("{command}: no answer within {} s", limit.as_secs_f32())]
    TimedOut {
        /// The whole command line.
        command: String,
        /// The time that the program had.
        limit: Duration,
    },
}

impl ProcessError {
    /// Converts an error of starting a program. Distinguishes a missing program from one that can't be started.
    pub fn from_spawn(program: &OsString, source: std::io::Error) -> Self {
        let program = program.clone();
        match source.kind() {
            std::io::ErrorKind::NotFound => Self::ProgramNotFound { program },
            _ => Self::Spawn { program, source },
        }
    }
}

/// A running child process. Dropping it kills the process.
pub struct Process {
    /// The process ID, if it is a process of this machine.
    pub id: Option<u32>,
    /// The writing end of the child's standard input, if that is [`Stream::Piped`].
    pub stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// The reading end of the child's standard output, if that is [`Stream::Piped`].
    pub stdout: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// The reading end of the child's standard error, if that is [`Stream::Piped`].
    pub stderr: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// A future that resolves when the process has ended. Dropping it kills the process.
    pub exit: BoxFuture<'static, std::io::Result<ExitStatus>>,
}

impl fmt::Debug for Process {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Process").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Returns the end of the message about a missing program. A name that contains `/` is not looked up on `PATH`.
fn on_path(program: &OsStr) -> &'static str {
    if program.as_encoded_bytes().contains(&b'/') { "" } else { " on PATH" }
}

/// Executes command lines. [`crate::System`] runs real processes; tests provide their own implementations.
#[async_trait::async_trait]
pub trait Executor: fmt::Debug + Send + Sync {
    /// Returns a variable of the environment that the programs get, or `None` if it is unset or not valid Unicode.
    /// These variables decide which engine the programs use.
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    /// Starts a command, with its streams connected as the command line says.
    ///
    /// # Errors
    /// Returns [`ProcessError::ProgramNotFound`] or [`ProcessError::Spawn`] if the command can't be started.
    async fn spawn(&self, line: CommandLine) -> Result<Process, ProcessError>;

    /// Runs a command of fixed shape to its end, for at most `limit`, and captures its output. The command gets no
    /// standard input.
    ///
    /// # Errors
    /// Returns a [`ProcessError`] if the command can't be run to its end within `limit`.
    async fn query(&self, line: CommandLine, limit: Duration) -> Result<QueryOutput, ProcessError>;

    /// Runs a command to its end, with `input` on its standard input, and captures both output streams.
    ///
    /// # Errors
    /// Returns any [`ProcessError`] except [`ProcessError::TimedOut`].
    async fn capture(&self, mut line: CommandLine, input: &[u8]) -> Result<Output, ProcessError> {
        let program = line.program.clone();
        line.stdin = if input.is_empty() { Stream::Null } else { Stream::Piped };
        line.stdout = Stream::Piped;
        line.stderr = Stream::Piped;
        let process = self.spawn(line).await?;
        communicate(process, input).await.map_err(|source| ProcessError::Communicate { program, source })
    }
}

/// Writes `input` to a process while reading both of its outputs to their end.
///
/// # Errors
/// Returns an error if reading, writing, or waiting for the process fails. If the process closes its standard input
/// early, that is not an error.
pub async fn communicate(mut process: Process, input: &[u8]) -> std::io::Result<Output> {
    let stdin = process.stdin.take();
    let feed = async move {
        if let Some(mut stdin) = stdin {
            match stdin.write_all(input).await {
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(error),
                _ => {}
            }
            // Closing tells the child that its input has ended. An error means that the child has already ended.
            let _ = stdin.shutdown().await;
        }
        Ok(())
    };
    let stdout = drain(process.stdout.take());
    let stderr = drain(process.stderr.take());
    let ((), stdout, stderr) = tokio::try_join!(feed, stdout, stderr)?;
    let status = process.exit.await?;
    Ok(Output { status, stdout, stderr })
}

async fn drain(reader: Option<Box<dyn AsyncRead + Send + Unpin>>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut reader) = reader {
        reader.read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}
