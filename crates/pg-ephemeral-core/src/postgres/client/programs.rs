//! A common interface for both places where client programs run.

use std::io;
use std::path::{Path, PathBuf};

use ociman::command::ExitStatus;

use super::here::ProgramsHere;
use super::shell::ShellSlot;
use crate::io::content::Content;

/// The environment variables of every psql that a seed starts, directly or from a script. They keep psql from reading
/// the start-up files of the user and of the machine; see "Files" in the manual of psql.
pub(crate) const PSQL_VARIABLES: [(&str, &str); 2] = [("PSQLRC", "/dev/null"), ("PGSYSCONFDIR", "/dev/null")];

/// The place where client programs run.
#[derive(Debug)]
pub(crate) enum ClientPrograms<'a> {
    /// On this machine.
    Here(ProgramsHere),
    /// Inside the container of the server.
    Container(ShellSlot<'a>),
}

/// A client program with its arguments and its input.
#[derive(Debug)]
pub(crate) struct ClientCommand<'c> {
    /// The name of the program, such as `psql`.
    pub(crate) program: &'static str,
    /// The arguments, except for the path of the operand, which is added as the last one.
    pub(crate) arguments: Vec<String>,
    /// The working directory, an absolute path on this machine.
    pub(crate) folder: &'c Path,
    /// The input.
    pub(crate) operand: Operand<'c>,
    /// Other files that the program may open.
    pub(crate) files: &'c [MirroredFile],
    /// The output that is passed on.
    pub(crate) keep: Keep,
}

/// The input of a client program.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Operand<'c> {
    /// Content that the program reads once, from start to end. If there is no path, the program reads it from standard
    /// input, and the last argument is `-`.
    Stream {
        /// The content.
        content: &'c Content,
        /// The path at which the program opens it, absolute or relative to the working directory.
        path: Option<&'c Path>,
    },
    /// A file in which the program may seek.
    File {
        /// The content.
        content: &'c Content,
        /// The path at which the program opens it.
        path: &'c Path,
    },
    /// A folder. Its files are among [`ClientCommand::files`].
    Folder {
        /// The path at which the program opens it.
        path: &'c Path,
    },
}

/// A file of this machine that a client program may open. If the program runs in a container, the file has the same
/// path there, below a temporary folder.
#[derive(Debug, Clone)]
pub(crate) struct MirroredFile {
    /// The absolute path on this machine. It may contain `..`.
    pub(crate) path: PathBuf,
    /// The content that the program finds at this path.
    pub(crate) content: Content,
}

impl MirroredFile {
    /// Returns `true` if the content is that of the file at the path.
    pub(crate) fn is_in_place(&self) -> bool {
        self.content.plain_path() == Some(self.path.as_path())
    }
}

/// The output of a client program that is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Only standard error.
    Errors,
    /// Standard output and standard error.
    Everything,
}

/// An error while running a client program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientProgramError {
    /// The program could not be started.
    #[error("failed to start {program}")]
    Start {
        /// The program, such as `psql`.
        program: String,
        /// The underlying I/O error.
        #[source]
        source: io::Error,
    },
    /// The backend refused to run a command in the server's container.
    #[error("failed to run {program} in the server's container")]
    Container {
        /// The program.
        program: String,
        /// The error of the backend.
        #[source]
        source: ociman::CommandError,
    },
    /// The shell in the server's container that runs client programs ended early.
    #[error("the shell that runs {program} in the server's container ended{}", said(message))]
    ShellEnded {
        /// The program.
        program: String,
        /// The output of the shell.
        message: String,
    },
    /// A file that the program reads could not be put into the server's container.
    #[error("failed to write {} in the server's container{}", path.display(), said(message))]
    Mirror {
        /// The file, by its path on this machine.
        path: PathBuf,
        /// The output of the shell in the container.
        message: String,
    },
    /// A path can't be used in a container.
    #[error("the path {path:?} has a line break or is not UTF-8")]
    Path {
        /// The path.
        path: PathBuf,
    },
    /// A file that the program reads could not be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The underlying I/O error.
        #[source]
        source: io::Error,
    },
    /// The temporary folder for the program's input, or the link to the server's socket, could not be created.
    #[error("failed to make a temporary folder")]
    Temporary(#[source] io::Error),
}

fn said(message: &str) -> String {
    let message = message.trim();
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl ClientProgramError {
    /// Returns what the user can do about the error, if anything.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Start { program, source } if source.kind() == io::ErrorKind::NotFound => Some(format!(
                "{program} is missing from this PostgreSQL installation and from PATH; install PostgreSQL's client programs"
            )),
            _ => None,
        }
    }
}

impl ClientPrograms<'_> {
    /// Runs a program until it ends. `read` is called with the number of bytes of the operand's source that were sent
    /// so far, and `take` with each line of the output.
    ///
    /// # Errors
    /// Returns an error if the program can't be run. If the program runs and fails, its exit status says so.
    pub(crate) async fn run(
        &mut self,
        command: &ClientCommand<'_>,
        read: &mut (dyn FnMut(u64) + Send),
        take: &mut (dyn FnMut(&str) + Send),
    ) -> Result<ExitStatus, ClientProgramError> {
        match self {
            Self::Here(here) => here.run(command, read, take).await,
            Self::Container(shell) => shell.run(command, read, take).await,
        }
    }
}

/// Returns the path that stands for a path of this machine in a folder that mirrors such paths.
pub(super) fn mirrored(mirror: &Path, path: &Path) -> PathBuf {
    mirror.join(path.strip_prefix("/").unwrap_or(path))
}
