//! Executes the answers of a [`Machine`](super::machine::Machine), either as an in-memory [`Executor`] or as a program.

use std::io;
use std::io::Write;
use std::time::Duration;

use ociman::System;
use ociman::command::{CommandLine, Executor, ExitStatus, Output, Process, ProcessError, QueryOutput, Stream};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::answer::{Answer, Exec};
use super::machine::Call;
use super::reply::Reply;
use super::speech::Speech;
use super::{FakeBackend, Machine};

/// The number of SIGKILL, which ends a command that is killed midway.
const KILL: i32 = 9;

#[async_trait::async_trait]
impl Executor for FakeBackend {
    /// Hides the variables of the test's own environment, so that they can't select another engine.
    fn variable(&self, name: &str) -> Option<String> {
        let leading = match self.inner.machine.speech {
            Speech::Docker => "DOCKER_HOST",
            Speech::Podman => "CONTAINER_HOST",
        };
        self.inner.remote.get().filter(|_| name == leading).cloned()
    }

    async fn spawn(&self, line: CommandLine) -> Result<Process, ProcessError> {
        let program = line.program.clone();
        let spawn_error = |source| ProcessError::Spawn { program: program.clone(), source };
        match self.answer(&line).await? {
            Answer::Reply(reply) => replied(reply, &line).map_err(spawn_error),
            Answer::Hang => Ok(hanging(&line)),
            Answer::Killed => {
                let mut process = replied(Reply::default(), &line).map_err(spawn_error)?;
                process.exit = Box::pin(std::future::ready(Ok(ExitStatus::Signaled(KILL))));
                Ok(process)
            }
            Answer::Exec(exec) => {
                let streams = (line.stdin, line.stdout, line.stderr);
                executed(*exec, streams).await
            }
        }
    }

    async fn query(&self, line: CommandLine, limit: Duration) -> Result<QueryOutput, ProcessError> {
        let command = line.to_string();
        let answer = tokio::time::timeout(limit, self.answer(&line)).await;
        let (success, reply) = match answer {
            Ok(answer) => match answer? {
                Answer::Reply(reply) => (reply.status == 0, reply),
                Answer::Killed | Answer::Exec(_) => (false, Reply::default()),
                Answer::Hang => {
                    tokio::time::sleep(limit).await;
                    return Err(ProcessError::TimedOut { command, limit });
                }
            },
            Err(_) => return Err(ProcessError::TimedOut { command, limit }),
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(QueryOutput { success, stdout: text(&reply.stdout), stderr: text(&reply.stderr) })
    }

    async fn capture(&self, mut line: CommandLine, input: &[u8]) -> Result<Output, ProcessError> {
        let program = line.program.clone();
        line.stdin = if input.is_empty() { Stream::Null } else { Stream::Piped };
        line.stdout = Stream::Piped;
        line.stderr = Stream::Piped;
        let process = self.spawn(line).await?;
        let output = ociman::command::communicate(process, input).await;
        output.map_err(|source| ProcessError::Communicate { program, source })
    }
}

/// Returns a process that has printed its reply and ended.
fn replied(reply: Reply, line: &CommandLine) -> io::Result<Process> {
    Ok(Process {
        id: None,
        stdin: (line.stdin == Stream::Piped).then(|| Box::new(tokio::io::sink()) as _),
        stdout: said(reply.stdout, line.stdout, &mut io::stdout())?,
        stderr: said(reply.stderr, line.stderr, &mut io::stderr())?,
        exit: Box::pin(std::future::ready(Ok(ExitStatus::Exited(reply.status)))),
    })
}

type Reader = Option<Box<dyn AsyncRead + Send + Unpin>>;

/// Returns the reader of one output stream of an ended process, or writes the bytes to our own stream if it is
/// inherited.
fn said(bytes: Vec<u8>, stream: Stream, own: &mut dyn Write) -> io::Result<Reader> {
    match stream {
        Stream::Null => Ok(None),
        Stream::Piped => Ok(Some(Box::new(io::Cursor::new(bytes)))),
        Stream::Inherit => own.write_all(&bytes).map(|()| None),
    }
}

/// Returns a process that prints nothing and never ends.
fn hanging(line: &CommandLine) -> Process {
    let (stdout, held_stdout) = tokio::io::duplex(1);
    let (stderr, held_stderr) = tokio::io::duplex(1);
    Process {
        id: None,
        stdin: (line.stdin == Stream::Piped).then(|| Box::new(tokio::io::sink()) as _),
        stdout: (line.stdout == Stream::Piped).then(|| Box::new(stdout) as _),
        stderr: (line.stderr == Stream::Piped).then(|| Box::new(stderr) as _),
        exit: Box::pin(async move {
            let _held = (held_stdout, held_stderr);
            std::future::pending().await
        }),
    }
}

/// Copies the output of a process until its end.
async fn pump(from: Reader, mut to: impl Write) -> io::Result<()> {
    let Some(mut from) = from else { return Ok(()) };
    let mut piece = vec![0; 1 << 16];
    loop {
        match from.read(&mut piece).await? {
            0 => return Ok(()),
            length => {
                to.write_all(&piece[..length])?;
                to.flush()?;
            }
        }
    }
}

/// Starts a process of a container on the streams of the engine command.
async fn executed(mut exec: Exec, streams: (Stream, Stream, Stream)) -> Result<Process, ProcessError> {
    let stdin = if exec.interactive { streams.0 } else { Stream::Null };
    // Like an engine's program, the fake relays the output between the first process of a container and the caller.
    let is_between = |stream| if exec.first_of.is_some() && stream == Stream::Inherit { Stream::Piped } else { stream };
    exec.line = exec.line.streams(stdin, is_between(streams.1), is_between(streams.2));
    let program = exec.line.program.clone();
    let mut process = System.spawn(exec.line).await?;
    let registered = match &exec.first_of {
        Some(_) => exec.processes.lead(process.id).map(|()| None),
        None => exec.processes.register(process.id).map(Some),
    };
    let registered = registered.map_err(|source| ProcessError::Spawn { program, source })?;
    let between = |stream, reader: &mut Reader| if stream == Stream::Inherit { reader.take() } else { None };
    let (stdout, stderr) = (between(streams.1, &mut process.stdout), between(streams.2, &mut process.stderr));
    let exit = std::mem::replace(&mut process.exit, Box::pin(std::future::pending()));
    process.exit = Box::pin(async move {
        let _registered = registered;
        let end = async {
            // The engine's program exits with a status even if a signal ended the process.
            let status = exit.await?.code();
            if let Some(attached) = exec.first_of {
                attached.ended(status)?;
            }
            Ok(status)
        };
        // The output of the container's other processes until the first one ends is relayed too.
        let (status, (), ()) = tokio::try_join!(end, pump(stdout, io::stdout()), pump(stderr, io::stderr()))?;
        Ok(ExitStatus::Exited(status))
    });
    if streams.0 == Stream::Piped && process.stdin.is_none() {
        process.stdin = Some(Box::new(tokio::io::sink()));
    }
    Ok(process)
}

impl Machine {
    /// Answers one command on this process's own streams, and returns the exit status for the program.
    pub(crate) async fn act(&self, call: Call) -> io::Result<ExitStatus> {
        match self.answer(call).await? {
            Answer::Reply(reply) => {
                io::stdout().write_all(&reply.stdout)?;
                io::stdout().flush()?;
                io::stderr().write_all(&reply.stderr)?;
                Ok(ExitStatus::Exited(reply.status))
            }
            Answer::Hang => std::future::pending().await,
            Answer::Killed => Ok(ExitStatus::Signaled(KILL)),
            Answer::Exec(exec) => {
                let streams = (Stream::Inherit, Stream::Inherit, Stream::Inherit);
                executed(*exec, streams).await.map_err(io::Error::other)?.exit.await
            }
        }
    }
}
