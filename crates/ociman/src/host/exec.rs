//! Runs commands beside a container's process: with its environment, as its user, on its files. They are plain
//! children of the caller; nothing separates them from the machine.

use std::path::{Path, PathBuf};

use super::environment;
use super::process::user;
use super::store::container_store::StoredContainer;
use crate::command::{CommandLine, ExitStatus, Process, ProcessError, ProcessGroup, Stream, UserIds};
use crate::{CommandError, ExecSpec, Terminal};

/// What a terminal's programs need of the caller's environment.
const TERMINAL_VARIABLES: [&str; 3] = ["TERM", "COLORTERM", "COLUMNS"];

/// The command line for running a command in a container.
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
    // One that is set must not be removed, whatever an executor does first.
    line.removed_environment.retain(|removed| {
        !line.environment.iter().any(|(name, _)| name == removed)
            && !line.secrets.iter().any(|(name, _)| name == removed)
    });
    Ok(line)
}

/// As [`command_line`], on the caller's own streams.
pub(super) fn attached(container: &StoredContainer, spec: &ExecSpec) -> Result<CommandLine, CommandError> {
    let mut line = command_line(container, spec)?.streams(Stream::Inherit, Stream::Inherit, Stream::Inherit);
    // With a group of its own it could not read from the terminal.
    line.group = ProcessGroup::Caller;
    Ok(line)
}

/// The root, as a process beside the container's own sees it: another user reaches it by the descriptor of that one.
fn seen_root(container: &StoredContainer, user: Option<UserIds>) -> PathBuf {
    match (user, container.leader(), &container.start) {
        (Some(_), Some(leader), Some(start)) if cfg!(target_os = "linux") => {
            Path::new("/proc").join(leader.pid.to_string()).join("fd").join(start.descriptor.to_string())
        }
        _ => container.root_path(),
    }
}

/// What a shell makes of a program that can't be started: a status and a message instead of a process.
pub(super) fn not_started(error: ProcessError, line: &CommandLine) -> Result<(ExitStatus, String), CommandError> {
    let program = line.program.to_string_lossy().into_owned();
    match error {
        ProcessError::ProgramNotFound { .. } if line.folder.as_ref().is_some_and(|folder| !folder.is_dir()) => {
            let folder = line.folder.as_deref().unwrap_or(Path::new(""));
            Ok((ExitStatus::Exited(126), format!("{program}: no folder {}\n", folder.display())))
        }
        ProcessError::ProgramNotFound { .. } => Ok((ExitStatus::Exited(127), format!("{program}: not found\n"))),
        // The system says so also when it could not look into some folder of PATH.
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

/// A process that has ended already, for a program that could not be started.
pub(super) fn ended_process(status: ExitStatus, message: String) -> Process {
    Process {
        id: None,
        stdin: Some(Box::new(tokio::io::sink())),
        stdout: Some(Box::new(tokio::io::empty())),
        stderr: Some(Box::new(std::io::Cursor::new(message.into_bytes()))),
        exit: Box::pin(std::future::ready(Ok(status))),
    }
}
