//! The [`Executor`] that starts real processes.

#[cfg(target_os = "linux")]
use std::fs::File;
#[cfg(target_os = "linux")]
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::blocking;
use crate::command::{CommandLine, Executor, Orphaning, Process, ProcessError, ProcessGroup, QueryOutput, Stream};
#[cfg(target_os = "linux")]
use crate::command::{Output, communicate};
use crate::process::{ProcessIdentity, TreeWatcher};

/// How long an abandoned query may take to end by itself, and then again after SIGTERM.
const END_LIMIT: Duration = Duration::from_secs(2);
const END_PAUSE: Duration = Duration::from_millis(10);

/// Executes command lines as processes of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

#[async_trait::async_trait]
impl Executor for System {
    async fn spawn(&self, line: CommandLine) -> Result<Process, ProcessError> {
        tracing::debug!(command = %line, "start");
        let (program, orphaning) = (line.program.clone(), line.orphaning);
        start(prepare(line), orphaning).map_err(|source| ProcessError::from_spawn(&program, source))
    }

    /// The output goes to files, not to pipes: a pipe breaks if this process is killed, and the command would be ended by
    /// that in the middle of its work. Podman, for example, would leave the container of a commit paused.
    #[cfg(target_os = "linux")]
    async fn capture(&self, mut line: CommandLine, input: &[u8]) -> Result<Output, ProcessError> {
        tracing::debug!(command = %line, "start");
        let (program, orphaning) = (line.program.clone(), line.orphaning);
        line.stdin = if input.is_empty() { Stream::Null } else { Stream::Piped };
        let started = || -> std::io::Result<_> {
            let files = [memory_file()?, memory_file()?];
            let mut command = prepare(line);
            command.stdout(files[0].try_clone()?).stderr(files[1].try_clone()?);
            Ok((start(command, orphaning)?, files))
        };
        let (process, files) = started().map_err(|source| ProcessError::from_spawn(&program, source))?;
        let communicated = async {
            let mut output = communicate(process, input).await?;
            let [stdout, stderr] = files.map(content);
            (output.stdout, output.stderr) = (stdout?, stderr?);
            Ok(output)
        };
        communicated.await.map_err(|source| ProcessError::Communicate { program, source })
    }

    async fn query(&self, line: CommandLine, limit: Duration) -> Result<QueryOutput, ProcessError> {
        tracing::debug!(command = %line, "query");
        let command = line.to_string();
        let program = line.program.clone();
        let line = line.streams(Stream::Null, Stream::Piped, Stream::Piped);
        let spawned = tokio::process::Command::from(prepare(line)).spawn();
        let mut child = spawned.map_err(|source| ProcessError::from_spawn(&program, source))?;
        let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
        let process = child.id().and_then(ProcessIdentity::of);
        // Dropped before the streams are, so that an abandoned query is not cut off by a broken pipe.
        let mut end_on_drop = EndOnDrop { process, patience: END_LIMIT };
        let ended = tokio::time::timeout(limit, async {
            tokio::try_join!(child.wait(), text_of(&mut stdout), text_of(&mut stderr))
        });
        let Ok(ended) = ended.await else {
            end_on_drop.patience = Duration::ZERO;
            return Err(ProcessError::TimedOut { command, limit });
        };
        end_on_drop.process = None;
        let (status, stdout, stderr) = ended.map_err(|source| ProcessError::Communicate { program, source })?;
        Ok(QueryOutput { success: status.success(), stdout, stderr })
    }
}

/// Starts a command. The process is killed when the returned value is dropped.
fn start(mut command: std::process::Command, orphaning: Orphaning) -> std::io::Result<Process> {
    let watcher = match orphaning {
        Orphaning::KilledWithDescendants => Some(TreeWatcher::over(&mut command)?),
        Orphaning::Allowed | Orphaning::Terminated | Orphaning::Killed => None,
    };
    let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
    Ok(Process {
        id: child.id(),
        stdin: child.stdin.take().map(|stream| Box::new(stream) as _),
        stdout: child.stdout.take().map(|stream| Box::new(stream) as _),
        stderr: child.stderr.take().map(|stream| Box::new(stream) as _),
        exit: Box::pin(async move {
            let status = child.wait().await.map(Into::into);
            drop(watcher);
            status
        }),
    })
}

/// Creates a file in memory that has no name.
#[cfg(target_os = "linux")]
fn memory_file() -> std::io::Result<File> {
    Ok(rustix::fs::memfd_create(c"output", rustix::fs::MemfdFlags::CLOEXEC)?.into())
}

#[cfg(target_os = "linux")]
fn content(mut file: File) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a stream to its end and returns it as text, without the last line break.
async fn text_of(stream: &mut Option<impl AsyncRead + Unpin>) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        stream.read_to_end(&mut bytes).await?;
    }
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

/// Ends the process of an abandoned query when it is dropped. The drop first waits for as long as a query normally
/// takes, because a query that is cut off leaves its temporary files behind.
struct EndOnDrop {
    process: Option<ProcessIdentity>,
    patience: Duration,
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        let Some(process) = self.process.take() else { return };
        if wait_for_end(&process, self.patience) {
            return;
        }
        process.signal(Signal::TERM);
        // If no thread can be created, the query is left to end by itself, as queries do.
        let _ = blocking::start(move || {
            if !wait_for_end(&process, END_LIMIT) {
                process.signal(Signal::KILL);
            }
        });
    }
}

/// Waits for a process to end, for at most `limit`. Returns `true` if it has ended.
fn wait_for_end(process: &ProcessIdentity, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    while process.is_alive() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(END_PAUSE);
    }
    true
}

/// Converts a command line to the standard library's command.
pub(crate) fn prepare(line: CommandLine) -> std::process::Command {
    let mut command = std::process::Command::new(&line.program);
    command.args(&line.arguments);
    for name in &line.removed_environment {
        command.env_remove(name);
    }
    command.envs(line.environment.iter().map(|(name, value)| (name, value)));
    command.envs(line.secrets.iter().map(|(name, value)| (name, value.expose())));
    if let Some(folder) = &line.folder {
        command.current_dir(folder);
    }
    if let Some(user) = line.user {
        command.uid(user.uid).gid(user.gid);
    }
    if line.group == ProcessGroup::Own {
        command.process_group(0);
    }
    #[cfg(target_os = "linux")]
    match line.orphaning {
        // Its descendants must be found first, which is what the [`TreeWatcher`] does.
        Orphaning::Allowed | Orphaning::KilledWithDescendants => {}
        Orphaning::Terminated => end_with_parent(&mut command, Signal::TERM),
        Orphaning::Killed => end_with_parent(&mut command, Signal::KILL),
    }
    command.stdin(stdio(line.stdin)).stdout(stdio(line.stdout)).stderr(stdio(line.stderr));
    command
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn end_with_parent(command: &mut std::process::Command, signal: Signal) {
    let parent = rustix::process::getpid();
    let prepare = move || {
        rustix::process::set_parent_process_death_signal(Some(signal))?;
        // The parent may have died just before.
        if rustix::process::getppid() == Some(parent) { Ok(()) } else { Err(rustix::io::Errno::SRCH.into()) }
    };
    // SAFETY: after a fork, only async-signal-safe operations are allowed. The closure makes two system calls, takes no
    // lock and allocates nothing.
    unsafe {
        command.pre_exec(prepare);
    }
}

fn stdio(stream: Stream) -> Stdio {
    match stream {
        Stream::Null => Stdio::null(),
        Stream::Inherit => Stdio::inherit(),
        Stream::Piped => Stdio::piped(),
    }
}
