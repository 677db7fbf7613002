//! Programs of the user on this machine: scripts and commands.

use std::fmt;
use std::path::{Path, PathBuf};

use tokio::process::Command;

/// A program and the folder it runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) text: ProgramText,
    /// The folder, absolute or relative to the working directory.
    pub(super) folder: PathBuf,
}

/// A script or a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ProgramText {
    /// A script, which `sh -e -c` runs.
    Script(String),
    /// A command, which is started directly.
    Command { command: String, arguments: Vec<String> },
}

/// What the user can do about a `command` that is a whole command line.
pub(crate) const COMMAND_HINT: &str =
    "`command` names a program alone; its arguments go into `arguments`, or a whole command line into a script";

/// Returns `true` if a command is a whole command line: it contains spaces, and no program has this name.
pub(crate) fn names_program_with_arguments(command: &str, folder: &Path) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = match command.contains('/') {
        true => folder.join(command).exists(),
        false => std::env::split_paths(&path).any(|folder| folder.join(command).exists()),
    };
    command.trim().contains(char::is_whitespace) && !is_there
}

impl Program {
    /// Returns a description of the program that is started, for error messages.
    pub(super) fn started(&self) -> String {
        match &self.text {
            ProgramText::Script(_) => "sh, which runs the script".to_owned(),
            ProgramText::Command { .. } => self.to_string(),
        }
    }

    /// Returns what the user can do if the program could not be started, if anything.
    pub(super) fn hint(&self) -> Option<&'static str> {
        match &self.text {
            ProgramText::Command { command, .. } if names_program_with_arguments(command, &self.folder) => {
                Some(COMMAND_HINT)
            }
            _ => None,
        }
    }

    pub(super) fn command(&self) -> Command {
        let mut command = match &self.text {
            ProgramText::Script(script) => {
                let mut shell = Command::new("sh");
                shell.args(["-e", "-c", script]);
                shell
            }
            ProgramText::Command { command, arguments } => {
                let mut direct = Command::new(self.resolve(command));
                direct.args(arguments);
                direct
            }
        };
        command.current_dir(&self.folder);
        command
    }

    /// Returns the path of a command. A name without a slash is looked up on `PATH`; any other path starts from the
    /// folder.
    fn resolve(&self, command: &str) -> PathBuf {
        if command.contains('/') { self.folder.join(command) } else { Path::new(command).to_owned() }
    }
}

/// Displays the name of a command. The text of a script is not displayed, because it belongs to the user and can be
/// long.
impl fmt::Display for Program {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            ProgramText::Script(_) => formatter.write_str("the script"),
            ProgramText::Command { command, .. } => write!(formatter, "the command {command}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn stdout(program: &Program) -> String {
        String::from_utf8(program.command().output().await.unwrap().stdout).unwrap()
    }

    #[tokio::test]
    async fn a_script_stops_at_its_first_error() {
        let text = ProgramText::Script("echo early; false; echo late".to_owned());
        assert_eq!(stdout(&Program { text, folder: std::env::temp_dir() }).await, "early\n");
    }

    #[tokio::test]
    async fn a_command_gets_its_arguments_as_they_are() {
        let text = ProgramText::Command {
            command: "sh".to_owned(),
            arguments: ["-c", "printf '[%s]' \"$@\"", "-", "", "A=b", "c d"].map(str::to_owned).to_vec(),
        };
        assert_eq!(stdout(&Program { text, folder: std::env::temp_dir() }).await, "[][A=b][c d]");
    }

    #[test]
    fn a_command_with_spaces_is_a_command_line_unless_a_program_has_this_name() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("my tool"), "").unwrap();
        let is_line = |command: &str| names_program_with_arguments(command, folder.path());
        assert!(is_line("npx prisma migrate deploy") && is_line("./my tool up"));
        assert!(!is_line("./my tool") && !is_line("npx") && !is_line("./nosuch"));
    }

    #[tokio::test]
    async fn a_relative_command_starts_from_the_folder() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let tool = folder.path().join("tool");
        std::fs::write(&tool, "#!/bin/sh\necho here\n").unwrap();
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        let text = ProgramText::Command { command: "./tool".to_owned(), arguments: Vec::new() };
        assert_eq!(stdout(&Program { text, folder: folder.path().to_owned() }).await, "here\n");
    }
}
