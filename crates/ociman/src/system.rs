//! The [`Executor`] that starts real processes: `cmd_lib` for fixed-shape queries, on the blocking pool, and
//! `tokio::process` for everything that carries a user's arguments, secrets, input, a terminal or an exit status.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cmd_lib::{FunChildren, spawn_with_output};
use rustix::process::Signal;

use crate::command::{CommandError, CommandLine, Executor, Orphaning, Process, ProcessGroup, QueryOutput, Stream};
use crate::host::ProcessIdentity;

/// How long a query that nobody waits for may take to end, by itself and then when it was asked to.
const END_LIMIT: Duration = Duration::from_secs(2);
const END_PAUSE: Duration = Duration::from_millis(10);

/// Executes command lines as processes of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

#[async_trait::async_trait]
impl Executor for System {
    async fn spawn(&self, line: CommandLine) -> Result<Process, CommandError> {
        tracing::debug!(command = %line, "start");
        let program = line.program.clone();
        let mut child = tokio::process::Command::from(prepare(line))
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| CommandError::from_spawn(&program, source))?;
        Ok(Process {
            id: child.id(),
            stdin: child.stdin.take().map(|stream| Box::new(stream) as _),
            stdout: child.stdout.take().map(|stream| Box::new(stream) as _),
            stderr: child.stderr.take().map(|stream| Box::new(stream) as _),
            exit: Box::pin(async move { child.wait().await.map(Into::into) }),
        })
    }

    async fn query(&self, line: CommandLine, limit: Duration) -> Result<QueryOutput, CommandError> {
        tracing::debug!(command = %line, "query");
        let command = line.to_string();
        let program = line.program.clone();
        let waited = WaitedFor::default();
        let started = waited.clone();
        let running = tokio::task::spawn_blocking(move || query_blocking(&line, &started));
        let mut end_on_drop = EndOnDrop { waited, patience: END_LIMIT };
        let Ok(ended) = tokio::time::timeout(limit, running).await else {
            end_on_drop.patience = Duration::ZERO;
            return Err(CommandError::TimedOut { command, limit });
        };
        end_on_drop.waited.lock().pids.clear();
        ended.map_err(|panic| CommandError::Communicate { program, source: std::io::Error::other(panic) })?
    }
}

fn query_blocking(line: &CommandLine, waited: &WaitedFor) -> Result<QueryOutput, CommandError> {
    let (program, arguments) = in_environment(line);
    let mut children: FunChildren =
        spawn_with_output!($program $[arguments]).map_err(|source| CommandError::from_spawn(&program, source))?;
    {
        let mut shared = waited.lock();
        match shared.given_up {
            true => end(identities(&children.pids()), END_LIMIT),
            false => shared.pids = children.pids(),
        }
    }
    let (result, stdout, stderr) = children.wait_with_all();
    Ok(QueryOutput { success: result.is_ok(), stdout, stderr })
}

/// The program and its arguments, by way of `env` when the environment is to be another one.
fn in_environment(line: &CommandLine) -> (OsString, Vec<OsString>) {
    if line.environment.is_empty() && line.removed_environment.is_empty() {
        return (line.program.clone(), line.arguments.clone());
    }
    let removed = line.removed_environment.iter().flat_map(|name| ["-u".into(), name.into()]);
    let set = line.environment.iter().map(|(name, value)| OsString::from(format!("{name}={value}")));
    let command = std::iter::once(&line.program).chain(&line.arguments).cloned();
    ("env".into(), removed.chain(set).chain(command).collect())
}

/// The processes of a query, and whether anybody still waits for its answer.
#[derive(Debug, Clone, Default)]
struct WaitedFor(Arc<Mutex<Shared>>);

#[derive(Debug, Default)]
struct Shared {
    pids: Vec<u32>,
    given_up: bool,
}

impl WaitedFor {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the processes of a query whose answer nobody waits for, so that its blocking thread ends too. They get the time
/// that a query takes, and are waited for that long: one that is cut off leaves its temporary files.
struct EndOnDrop {
    waited: WaitedFor,
    patience: Duration,
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        let pids = {
            let mut shared = self.waited.lock();
            // Its thread may be about to start them.
            shared.given_up = true;
            std::mem::take(&mut shared.pids)
        };
        let processes = identities(&pids);
        wait_for_end(&processes, self.patience);
        end(processes, Duration::ZERO);
    }
}

/// What stays on processes, whatever becomes of their numbers.
fn identities(pids: &[u32]) -> Vec<ProcessIdentity> {
    pids.iter().filter_map(|pid| ProcessIdentity::of(*pid)).collect()
}

/// Whether all have ended, after this time at the latest.
fn wait_for_end(processes: &[ProcessIdentity], limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    while processes.iter().any(|process| process.is_alive()) {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(END_PAUSE);
    }
    true
}

/// In a while asks processes to end, and kills a little later who has not.
fn end(processes: Vec<ProcessIdentity>, patience: Duration) {
    let end = move || {
        for signal in [Signal::TERM, Signal::KILL] {
            let limit = if signal == Signal::TERM { patience } else { END_LIMIT };
            if wait_for_end(&processes, limit) {
                return;
            }
            processes.iter().for_each(|process| process.signal(signal));
        }
    };
    // Without a thread they are left to end by themselves, as queries do.
    let _ = std::thread::Builder::new().name("end-query".to_owned()).spawn(end);
}

/// The standard library's command for a command line.
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
        Orphaning::Allowed => {}
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
        // It may have died just before.
        if rustix::process::getppid() == Some(parent) { Ok(()) } else { Err(rustix::io::Errno::SRCH.into()) }
    };
    // SAFETY: after a fork only async-signal-safe things may be done: the closure makes two system calls, takes no lock
    // and allocates nothing.
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
