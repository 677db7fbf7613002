//! One interface for both places where client programs run.

use std::io;
use std::path::{Path, PathBuf};

use ociman::command::ExitStatus;

use super::here::ProgramsHere;
use super::shell::ShellSlot;
use crate::io::content::Content;

/// Variables that every psql gets which a seed starts, directly or from a script. No start-up file of the user or of the
/// machine is read; see "Files" in the manual of psql.
pub(crate) const PSQL_VARIABLES: [(&str, &str); 2] = [("PSQLRC", "/dev/null"), ("PGSYSCONFDIR", "/dev/null")];

/// Where client programs run.
#[derive(Debug)]
pub(crate) enum ClientPrograms<'a> {
    /// On this machine.
    Here(ProgramsHere),
    /// Inside the container of the server.
    Container(ShellSlot<'a>),
}

/// A client program with its arguments, and what it reads.
#[derive(Debug)]
pub(crate) struct ClientCommand<'c> {
    /// Its name, such as `psql`.
    pub(crate) program: &'static str,
    /// Its arguments. The path of the operand is added as the last one.
    pub(crate) arguments: Vec<String>,
    /// Its working directory, an absolute path of this machine.
    pub(crate) folder: &'c Path,
    /// What it reads.
    pub(crate) operand: Operand<'c>,
    /// Other files that it may open.
    pub(crate) files: &'c [MirroredFile],
    /// Which of its output is of interest.
    pub(crate) keep: Keep,
}

/// What a client program reads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Operand<'c> {
    /// Something that it reads once, from the start to the end. Without a path it is read from standard input, and the
    /// last argument is `-`.
    Stream {
        /// What is read.
        content: &'c Content,
        /// The path by which the program knows it, relative to its working directory or absolute.
        path: Option<&'c Path>,
    },
    /// A file in which it may go back and forth.
    File {
        /// What is read.
        content: &'c Content,
        /// The path by which the program knows it.
        path: &'c Path,
    },
    /// A folder. Its files are among those of the command.
    Folder {
        /// The path by which the program knows it.
        path: &'c Path,
    },
}

/// A file of this machine that a client program may open. Where the program runs in a container, the file is there at
/// the same place below a temporary folder.
#[derive(Debug, Clone)]
pub(crate) struct MirroredFile {
    /// The absolute path on this machine. It may have `..` in it.
    pub(crate) path: PathBuf,
    /// What the program finds there.
    pub(crate) content: Content,
}

impl MirroredFile {
    /// Whether the content is that of the file at the path.
    pub(crate) fn is_in_place(&self) -> bool {
        self.content.plain_path() == Some(self.path.as_path())
    }
}

/// Which output of a client program is of interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// What it writes to standard error.
    Errors,
    /// What it writes to both streams.
    Everything,
}

/// Why a client program could not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientProgramError {
    /// It could not be started.
    #[error("failed to start {program}")]
    Start {
        /// The program, such as `psql`.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The backend refused to run a command in the server's container.
    #[error("failed to run {program} in the server's container")]
    Container {
        /// The program.
        program: String,
        /// What the backend said.
        #[source]
        source: ociman::CommandError,
    },
    /// The shell in the server's container that runs client programs ended early.
    #[error("the shell that runs {program} in the server's container ended{}", said(message))]
    ShellEnded {
        /// The program.
        program: String,
        /// What was printed.
        message: String,
    },
    /// A file that the program reads could not be put into the server's container.
    #[error("failed to write {} in the server's container{}", path.display(), said(message))]
    Mirror {
        /// The file, by its path on this machine.
        path: PathBuf,
        /// What was printed there.
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
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The temporary folder for what the program reads, or for the way to the server's socket, could not be made.
    #[error("failed to make a temporary folder")]
    Temporary(#[source] io::Error),
}

fn said(message: &str) -> String {
    let message = message.trim();
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl ClientProgramError {
    /// What the user can do about it.
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
    /// Runs a program to its end. `read` is told how many bytes of the operand's source were sent so far, and `take` gets
    /// each line of the output.
    ///
    /// # Errors
    /// What keeps the program from being run. A program that fails tells so by its status.
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

/// Where a path of this machine is below a folder that mirrors it.
pub(super) fn mirrored(mirror: &Path, path: &Path) -> PathBuf {
    mirror.join(path.strip_prefix("/").unwrap_or(path))
}
