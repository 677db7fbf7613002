//! The one seam between this crate and the operating system's programs: a [`CommandLine`] goes in, an [`Output`], a
//! [`Process`] or a typed [`ProcessError`] comes out. It knows nothing of containers, and nothing above it starts a
//! process of an engine by another way, so that a test which replaces the [`Executor`] replaces all there is.

pub(crate) mod system;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::Secret;

/// What one standard stream of a child is connected to.
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

/// The user a child runs as, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserIds {
    /// User id.
    pub uid: u32,
    /// Group id; supplementary groups are dropped.
    pub gid: u32,
}

/// Which signals of the terminal a child sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProcessGroup {
    /// A group of its own: Ctrl-C in the caller's terminal does not reach it.
    #[default]
    Own,
    /// The caller's group: it shares the terminal with the caller.
    Caller,
}

/// Whether a child may live on when the calling process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Orphaning {
    /// It may, and finishes what it does.
    #[default]
    Allowed,
    /// It gets SIGTERM, where the system can do it (Linux). It gets it as well when the calling *thread* ends.
    Terminated,
    /// The same with SIGKILL, for a child that hands other signals on.
    Killed,
    /// It is killed with everything that it started, where the system can tell what that is (Linux).
    KilledWithDescendants,
}

/// A program to run, with everything that shapes the run. Values of secret variables stand apart from the
/// arguments and never in `Debug` or `Display`.
#[derive(Debug, Clone)]
pub struct CommandLine {
    /// Name or path of the program.
    pub program: OsString,
    /// Its arguments, passed on as they are.
    pub arguments: Vec<OsString>,
    /// Variables set on top of the inherited environment.
    pub environment: Vec<(String, String)>,
    /// Variables set on top of the inherited environment whose values are secret.
    pub secrets: Vec<(String, Secret)>,
    /// Inherited variables that the child does not get.
    pub removed_environment: Vec<String>,
    /// Working directory; the caller's by default.
    pub folder: Option<PathBuf>,
    /// Change to this user before the program starts.
    pub user: Option<UserIds>,
    /// Standard input.
    pub stdin: Stream,
    /// Standard output.
    pub stdout: Stream,
    /// Standard error.
    pub stderr: Stream,
    /// Process group.
    pub group: ProcessGroup,
    /// What becomes of it when the caller is killed.
    pub orphaning: Orphaning,
}

impl CommandLine {
    /// A command line without arguments, with no standard streams.
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

/// The program and its arguments as one line, for messages. Environment and streams are left out.
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
    /// It exited by itself with this status.
    Exited(i32),
    /// A signal ended it.
    Signaled(i32),
}

impl ExitStatus {
    /// Whether the process exited with status 0.
    pub fn success(self) -> bool {
        self == Self::Exited(0)
    }

    /// The status as a shell reports it: 128 + n for signal n.
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

/// What a captured command left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// All of standard output.
    pub stdout: Vec<u8>,
    /// All of standard error.
    pub stderr: Vec<u8>,
}

/// What a query left. A query is a command of fixed shape that only succeeds or fails; its exact status is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryOutput {
    /// Whether the command succeeded.
    pub success: bool,
    /// All of standard output; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// All of standard error; bytes that are not UTF-8 are replaced.
    pub stderr: String,
}

/// Why a command could not be run to its end. That it ran and failed is not an error here: see [`Output::status`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// No such program on `PATH`.
    #[error("no program {program:?}{}", on_path(program))]
    ProgramNotFound {
        /// The program that was looked for.
        program: OsString,
    },
    /// The program is there but could not be started.
    #[error("start {program:?}")]
    Spawn {
        /// The program.
        program: OsString,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Reading, writing or waiting failed while it ran.
    #[error("talk to {program:?}")]
    Communicate {
        /// The program.
        program: OsString,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It did not end in time and was killed.
    #[error("{command}: no answer within {} s", limit.as_secs_f32())]
    TimedOut {
        /// The whole command line.
        command: String,
        /// The time it had.
        limit: Duration,
    },
}

impl ProcessError {
    /// Tells a missing program from one that does not start.
    pub fn from_spawn(program: &OsString, source: std::io::Error) -> Self {
        let program = program.clone();
        match source.kind() {
            std::io::ErrorKind::NotFound => Self::ProgramNotFound { program },
            _ => Self::Spawn { program, source },
        }
    }
}

/// A running child. Dropping it kills the process.
pub struct Process {
    /// Its process id, when it is a process of this machine.
    pub id: Option<u32>,
    /// The writing end of its standard input, when that was [`Stream::Piped`].
    pub stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// The reading end of its standard output, when that was [`Stream::Piped`].
    pub stdout: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// The reading end of its standard error, when that was [`Stream::Piped`].
    pub stderr: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Resolves when the process has ended. Dropping it kills the process.
    pub exit: BoxFuture<'static, std::io::Result<ExitStatus>>,
}

impl fmt::Debug for Process {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Process").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A program with a folder in its name is not looked for on `PATH`.
fn on_path(program: &OsStr) -> &'static str {
    if program.as_encoded_bytes().contains(&b'/') { "" } else { " on PATH" }
}

/// Executes command lines. The system's own is [`crate::System`]; tests bring theirs.
#[async_trait::async_trait]
pub trait Executor: fmt::Debug + Send + Sync {
    /// A variable of the environment that the programs get, as far as it is text. It decides which engine they talk to.
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    /// Starts a command; its streams are as the command line says.
    ///
    /// # Errors
    /// [`ProcessError::ProgramNotFound`] and [`ProcessError::Spawn`].
    async fn spawn(&self, line: CommandLine) -> Result<Process, ProcessError>;

    /// Runs a command of fixed shape to its end and captures what it prints; it gets no standard input.
    ///
    /// # Errors
    /// Every [`ProcessError`].
    async fn query(&self, line: CommandLine, limit: Duration) -> Result<QueryOutput, ProcessError>;

    /// Runs a command to its end: `input` goes to its standard input, both output streams are captured.
    ///
    /// # Errors
    /// Every [`ProcessError`] but the time-out.
    async fn capture(&self, mut line: CommandLine, input: &[u8]) -> Result<Output, ProcessError> {
        let program = line.program.clone();
        line.stdin = if input.is_empty() { Stream::Null } else { Stream::Piped };
        line.stdout = Stream::Piped;
        line.stderr = Stream::Piped;
        let process = self.spawn(line).await?;
        communicate(process, input).await.map_err(|source| ProcessError::Communicate { program, source })
    }
}

/// Feeds `input` to a process while reading both of its outputs to their end.
///
/// # Errors
/// When reading, or waiting for the process, does not work. A process that closes its standard input early is no error.
pub async fn communicate(mut process: Process, input: &[u8]) -> std::io::Result<Output> {
    let stdin = process.stdin.take();
    let feed = async move {
        if let Some(mut stdin) = stdin {
            match stdin.write_all(input).await {
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(error),
                _ => {}
            }
            // Closing tells the child that this was all; it may have gone already.
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
