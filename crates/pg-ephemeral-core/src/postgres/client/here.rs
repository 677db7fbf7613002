//! Client programs as processes of this machine.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use ociman::Variable;
use ociman::command::ExitStatus;
use tokio::process::Command;

use super::programs::{ClientCommand, ClientProgramError, Keep, MirroredFile, Operand, PSQL_VARIABLES, mirrored};
use super::socket::SocketLink;
use crate::io::child::{self, ChildError, Input, Lines, OutputStream};
use crate::io::content::Content;

/// The path at which a program can open its standard input as a file.
const STANDARD_INPUT: &str = "/dev/stdin";

/// The client programs of an installation on this machine.
#[derive(Debug)]
pub(crate) struct ProgramsHere {
    /// The folder of the installation's programs. A program that is not in it is looked up on `PATH`.
    pub(crate) bin: PathBuf,
    /// The environment variables for connecting to the server, except for the folder of its socket.
    pub(crate) environment: Vec<Variable>,
    /// The folder in which temporary folders are created that mirror paths of this machine.
    pub(crate) temporary: PathBuf,
    /// The link to the folder of the server's socket.
    pub(crate) link: SocketLink,
}

/// The input of a program, ready to be read on this machine.
struct Prepared {
    folder: PathBuf,
    last_argument: PathBuf,
    input: Input,
    /// Removed when the program has ended.
    mirror: Option<Mirror>,
}

impl ProgramsHere {
    pub(super) async fn run(
        &self,
        command: &ClientCommand<'_>,
        read: &mut (dyn FnMut(u64) + Send),
        take: &mut (dyn FnMut(&str) + Send),
    ) -> Result<ExitStatus, ClientProgramError> {
        let Prepared { folder, last_argument, input, mirror } = self.prepare(command).await?;
        let mut process = self.command(command.program);
        process.args(&command.arguments).arg(last_argument).current_dir(&folder);
        let mut lines = [Lines::default(), Lines::default()];
        let mirror_path = mirror.as_ref().map(|mirror| mirror.0.to_string_lossy().into_owned());
        // The program prints paths in the mirror. The user knows them without the path of the mirror.
        let mut show = |line: &str| match &mirror_path {
            Some(mirror) if line.contains(mirror.as_str()) => take(&line.replace(mirror.as_str(), "")),
            _ => take(line),
        };
        let ended = child::run(process, input, read, |stream, piece| match stream {
            OutputStream::Stdout if command.keep == Keep::Errors => {}
            stream => lines[usize::from(stream == OutputStream::Stderr)].take(piece, &mut show),
        });
        let ended = ended.await.map_err(|error| match error {
            ChildError::System(source) => ClientProgramError::Start { program: command.program.to_owned(), source },
            ChildError::Input(source) => ClientProgramError::Read { path: operand_path(command.operand), source },
        })?;
        for lines in lines {
            lines.finish(&mut show);
        }
        Ok(ended.into())
    }

    /// Returns a command for the program. Variables of the caller that name a server are removed, and messages are in
    /// English, whatever the caller's language.
    fn command(&self, program: &str) -> Command {
        let installed = self.bin.join(program);
        let mut process = if installed.is_file() { Command::new(installed) } else { Command::new(program) };
        child::remove_server_variables(&mut process);
        process.env_remove("LANGUAGE").env("LC_MESSAGES", "C");
        if let Some(all) = std::env::var_os("LC_ALL") {
            process.env_remove("LC_ALL").env("LANG", all);
        }
        process.envs(PSQL_VARIABLES);
        // This folder is first on `PATH`, so that programs that a script starts have the server's version, too.
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = [self.bin.clone()].into_iter().chain(std::env::split_paths(&path));
        if let Ok(path) = std::env::join_paths(folders) {
            process.env("PATH", path);
        }
        for variable in &self.environment {
            process.env(&variable.name, variable.expose());
        }
        process.env("PGHOST", self.link.path());
        process
    }

    async fn prepare(&self, command: &ClientCommand<'_>) -> Result<Prepared, ClientProgramError> {
        let in_place = command.files.iter().all(MirroredFile::is_in_place);
        let folder = command.folder.to_owned();
        let direct = |last_argument: &Path, input| {
            Ok(Prepared { folder: folder.clone(), last_argument: last_argument.to_owned(), input, mirror: None })
        };
        match command.operand {
            Operand::Folder { path } => direct(path, Input::Empty),
            Operand::File { content, path } if content.plain_path().is_some() => direct(path, Input::Empty),
            Operand::File { content, path } => {
                let content = content.clone();
                let unpacked = ociman::blocking::run(move || unpack(&content)).await;
                let file =
                    unpacked.flatten().map_err(|source| ClientProgramError::Read { path: path.to_owned(), source })?;
                direct(Path::new(STANDARD_INPUT), Input::File(file))
            }
            Operand::Stream { content, path: Some(path) } if in_place && content.plain_path().is_some() => {
                direct(path, Input::Opened(command.folder.join(path)))
            }
            Operand::Stream { content, path: None } if in_place => {
                direct(Path::new("-"), Input::Pieces(content.pieces()))
            }
            Operand::Stream { content, path } => {
                let mirror = Mirror::new(&self.temporary).map_err(ClientProgramError::Temporary)?;
                mirror.fill(command).map_err(ClientProgramError::Temporary)?;
                let last_argument = match path {
                    None => PathBuf::from("-"),
                    Some(path) if path.is_relative() => path.to_owned(),
                    Some(path) => mirrored(&mirror.0, path),
                };
                let folder = mirrored(&mirror.0, command.folder);
                Ok(Prepared { folder, last_argument, input: Input::Pieces(content.pieces()), mirror: Some(mirror) })
            }
        }
    }
}

/// Returns the path of a program's input, as the user knows it.
pub(super) fn operand_path(operand: Operand<'_>) -> PathBuf {
    match operand {
        Operand::Stream { path: None, .. } => PathBuf::from("standard input"),
        Operand::Stream { path: Some(path), .. } | Operand::File { path, .. } | Operand::Folder { path } => {
            path.to_owned()
        }
    }
}

/// Writes the decompressed content to a file without a name. The file is gone when the last process closes it.
fn unpack(content: &Content) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    let mut written = Ok(());
    content.examine(|piece| {
        if written.is_ok() {
            written = file.write_all(piece);
        }
    })?;
    written?;
    file.rewind()?;
    Ok(file)
}

/// A temporary folder in which files have the same paths as on this machine.
struct Mirror(PathBuf);

impl Mirror {
    fn new(temporary: &Path) -> io::Result<Self> {
        let path = ociman::host::temporary(temporary);
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    fn fill(&self, command: &ClientCommand<'_>) -> io::Result<()> {
        std::fs::create_dir_all(mirrored(&self.0, command.folder))?;
        for file in command.files {
            let target = self.place(&file.path)?;
            match file.content.plain_path() {
                Some(path) => std::os::unix::fs::symlink(path, target)?,
                None => {
                    let mut copy = File::create(target)?;
                    let mut written = Ok(());
                    file.content.examine(|piece| {
                        if written.is_ok() {
                            written = copy.write_all(piece);
                        }
                    })?;
                    written?;
                }
            }
        }
        if let Operand::Stream { path: Some(path), .. } = command.operand {
            let target = self.place(&command.folder.join(path))?;
            // If the script includes itself, its file is already in the mirror. psql reads that file instead of the
            // stream.
            if !target.is_symlink() && !target.exists() {
                std::os::unix::fs::symlink(STANDARD_INPUT, target)?;
            }
        }
        Ok(())
    }

    /// Creates the parent folder of a file in the mirror, and returns the path of the file there.
    fn place(&self, path: &Path) -> io::Result<PathBuf> {
        let target = mirrored(&self.0, path);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        Ok(target)
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        // If this fails, the next command removes the folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
