//! Programs of the user on this machine: scripts and commands.

use std::fmt;
use std::path::{Path, PathBuf};

use tokio::process::Command;

/// A program and the folder it runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) text: ProgramText,
    /// Absolute, or relative to the working directory.
    pub(super) folder: PathBuf,
}

/// What is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ProgramText {
    /// By `sh -e -c`.
    Script(String),
    /// Directly.
    Command { command: String, arguments: Vec<String> },
}

/// What to do about a command that is a whole command line.
pub(crate) const COMMAND_HINT: &str =
    "`command` names a program alone; its arguments go into `arguments`, or a whole command line into a script";

/// Whether a command is a whole command line: no program has this name, and it has spaces.
pub(crate) fn names_program_with_arguments(command: &str, folder: &Path) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = match command.contains('/') {
        true => folder.join(command).exists(),
        false => std::env::split_paths(&path).any(|folder| folder.join(command).exists()),
    };
    command.trim().contains(char::is_whitespace) && !is_there
}

impl Program {
    /// What is started, in words.
    pub(super) fn started(&self) -> String {
        match &self.text {
            ProgramText::Script(_) => "sh, which runs the script".to_owned(),
            ProgramText::Command { .. } => self.to_string(),
        }
    }

    /// Why it may be that it could not be started.
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

    /// A name without a slash is looked up on `PATH`, anything else starts from the folder.
    fn resolve(&self, command: &str) -> PathBuf {
        if command.contains('/') { self.folder.join(command) } else { Path::new(command).to_owned() }
    }
}

/// A script is called just so: its text is the user's, and long.
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
