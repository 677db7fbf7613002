//! Runs commands next to a container's process: with its environment, as its user, on its files. The commands are plain
//! child processes of the caller; nothing isolates them from the machine.

use std::path::{Path, PathBuf};

use super::environment;
use super::process::user;
use super::store::container_store::StoredContainer;
use crate::command::{CommandLine, ExitStatus, Process, ProcessError, ProcessGroup, Stream, UserIds};
use crate::{CommandError, ExecSpec, Terminal};

/// The variables of the caller that programs on a terminal need.
const TERMINAL_VARIABLES: [&str; 3] = ["TERM", "COLORTERM", "COLUMNS"];

/// Returns the command line that runs a command in a container.
pub(super) fn command_line(container: &StoredContainer, spec: &ExecSpec) -> Result<CommandLine, CommandError> {
    if !container.is_running() {
        return Err(CommandError::ContainerNotRunning { container: container.name.clone() });
    }
    let record = &container.record;
    let user = match &spec.user {
        Some(text) => user::change_to(user::parse(text)?)?,
        None => record.user(),
    };
    let (program, arguments) = spec.command.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let mut line = CommandLine::new(program).arguments(arguments);
    line.user = user;
    line.folder = Some(spec.folder.clone().unwrap_or_else(|| record.folder.clone()));
    line.removed_environment = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    if spec.terminal == Terminal::Yes {
        let given = TERMINAL_VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
        line.environment.extend(given);
    }
    line.environment.extend(environment::of(record, &[], &seen_root(container, user)));
    for variable in &spec.environment {
        line.environment.retain(|(name, _)| *name != variable.name);
        match &variable.value {
            crate::VariableValue::Plain(value) => line.environment.push((variable.name.clone(), value.clone())),
            crate::VariableValue::Secret(secret) => line.secrets.push((variable.name.clone(), secret.clone())),
        }
    }
    // A variable that is set must not be removed, whichever of the two an executor does first.
    line.removed_environment.retain(|removed| {
        !line.environment.iter().any(|(name, _)| name == removed)
            && !line.secrets.iter().any(|(name, _)| name == removed)
    });
    Ok(line)
}

/// Like [`command_line`], on the caller's own standard streams.
pub(super) fn attached(container: &StoredContainer, spec: &ExecSpec) -> Result<CommandLine, CommandError> {
    let mut line = command_line(container, spec)?.streams(Stream::Inherit, Stream::Inherit, Stream::Inherit);
    // In a process group of its own, the command could not read from the terminal.
    line.group = ProcessGroup::Caller;
    Ok(line)
}

/// Returns the root as a process next to the container's own process sees it. Another user reaches it through the
/// descriptor of the container's process.
fn seen_root(container: &StoredContainer, user: Option<UserIds>) -> PathBuf {
    match (user, container.leader(), &container.start) {
        (Some(_), Some(leader), Some(start)) if cfg!(target_os = "linux") => {
            Path::new("/proc").join(leader.pid.to_string()).join("fd").join(start.descriptor.to_string())
        }
        _ => container.root_path(),
    }
}

/// Returns what a shell reports for a program that can't be started: a status and a message instead of a process.
pub(super) fn not_started(error: ProcessError, line: &CommandLine) -> Result<(ExitStatus, String), CommandError> {
    let program = line.program.to_string_lossy().into_owned();
    match error {
        ProcessError::ProgramNotFound { .. } if line.folder.as_ref().is_some_and(|folder| !folder.is_dir()) => {
            let folder = line.folder.as_deref().unwrap_or(Path::new(""));
            Ok((ExitStatus::Exited(126), format!("{program}: no folder {}\n", folder.display())))
        }
        ProcessError::ProgramNotFound { .. } => Ok((ExitStatus::Exited(127), format!("{program}: not found\n"))),
        // The system also returns this error if it can't look into some folder of PATH.
        ProcessError::Spawn { .. } if !program.contains('/') && !is_on_path(&program, line) => {
            Ok((ExitStatus::Exited(127), format!("{program}: not found\n")))
        }
        ProcessError::Spawn { source, .. } if cannot_be_executed(&source) => {
            Ok((ExitStatus::Exited(126), format!("{program}: {source}\n")))
        }
        source => Err(CommandError::Command { command: program, source }),
    }
}

fn is_on_path(program: &str, line: &CommandLine) -> bool {
    let path = line.environment.iter().rev().find(|(name, _)| name == "PATH").map_or("", |(_, value)| value);
    std::env::split_paths(path).any(|folder| folder.join(program).exists())
}

fn cannot_be_executed(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    let known = [Errno::ACCESS, Errno::NOEXEC, Errno::ISDIR, Errno::NOTDIR, Errno::INVAL];
    known.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Returns a process that has already ended, for a program that could not be started.
pub(super) fn ended_process(status: ExitStatus, message: String) -> Process {
    Process {
        id: None,
        stdin: Some(Box::new(tokio::io::sink())),
        stdout: Some(Box::new(tokio::io::empty())),
        stderr: Some(Box::new(std::io::Cursor::new(message.into_bytes()))),
        exit: Box::pin(std::future::ready(Ok(status))),
    }
}
