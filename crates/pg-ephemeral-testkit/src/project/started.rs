//! [`Started`]: a command of a project while it runs.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::command::ProjectCommand;
use super::ran::Ran;
use crate::support::must;

/// The time limit for the streams to close after the command has ended. Its child processes may still write to them.
const STREAMS_LIMIT: Duration = Duration::from_secs(5);

/// A running command. Dropping the value kills the command.
#[derive(Debug)]
pub struct Started<'a> {
    command: ProjectCommand<'a>,
    child: Child,
    begin: Instant,
    stdout: Reader,
    stderr: Reader,
    ended: bool,
}

#[derive(Debug)]
struct Reader {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl<'a> ProjectCommand<'a> {
    /// Starts the command and waits for its end.
    #[track_caller]
    pub fn run(self) -> Ran<'a> {
        self.start().wait()
    }

    /// Starts the command.
    #[track_caller]
    pub fn start(mut self) -> Started<'a> {
        let input = self.input.take();
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(&self.folder).env_clear();
        command.envs(self.project.environment()).envs(self.variables.iter().map(|(name, value)| (name, value)));
        for name in &self.without {
            command.env_remove(name);
        }
        let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let child = must(command.spawn(), "start the command");
        Started::new(self, child, input)
    }
}

impl<'a> Started<'a> {
    pub(super) fn new(command: ProjectCommand<'a>, mut child: Child, input: Option<Vec<u8>>) -> Self {
        if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
            // A command may end before it has read all of its input, so an error of the write is ignored.
            std::thread::spawn(move || drop(stdin.write_all(&input)));
        }
        let stdout = Reader::new(child.stdout.take());
        let stderr = Reader::new(child.stderr.take());
        Self { command, child, begin: Instant::now(), stdout, stderr, ended: false }
    }

    /// Returns the process ID of the command.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns `true` if the command still runs.
    #[track_caller]
    pub fn is_running(&mut self) -> bool {
        must(self.child.try_wait(), "look at a command").is_none()
    }

    /// Sends a signal to the process of the command only.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        must(kill_process(self.pid(), signal), "send a signal");
    }

    /// Sends a signal to the process group of the command, as a terminal does.
    #[track_caller]
    pub fn signal_group(&self, signal: Signal) {
        must(kill_process_group(self.pid(), signal), "send a signal to the group");
    }

    /// Returns the standard output so far.
    pub fn stdout_so_far(&self) -> String {
        self.stdout.text()
    }

    /// Returns the standard error so far.
    pub fn stderr_so_far(&self) -> String {
        self.stderr.text()
    }

    /// Waits until the standard output contains this text. Panics if the command ends or its time limit passes before.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> &mut Self {
        while !self.stdout.text().contains(text) {
            let ended = must(self.child.try_wait(), "wait for the command");
            let late = self.begin.elapsed() > self.command.limit;
            if (ended.is_some() && !self.stdout.text().contains(text)) || late {
                let ran = self.ran(ended);
                ran.fail(&format!("{text:?} never stood on standard output"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self
    }

    /// Waits for the end of the command. Panics if its time limit passes before.
    #[track_caller]
    pub fn wait(mut self) -> Ran<'a> {
        loop {
            if let Some(status) = must(self.child.try_wait(), "wait for the command") {
                self.ended = true;
                return self.ran(Some(status));
            }
            if self.begin.elapsed() > self.command.limit {
                let limit = self.command.limit.as_secs_f32();
                // This panics with the output so far, and the drop during the panic kills the command.
                self.ran(None).fail(&format!("no end within {limit} s"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn ran(&mut self, status: Option<ExitStatus>) -> Ran<'a> {
        let took = self.begin.elapsed();
        if status.is_some() {
            self.stdout.finish();
            self.stderr.finish();
        }
        let line = std::iter::once(self.command.program.as_os_str())
            .chain(self.command.arguments.iter().map(|argument| argument.as_os_str()))
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        Ran {
            project: self.command.project,
            line,
            folder: self.command.folder.clone(),
            status,
            stdout: self.stdout.bytes().clone(),
            stderr: self.stderr.bytes().clone(),
            took,
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        if !self.ended {
            // Both calls fail only if the command has just ended.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Reader {
    fn new(stream: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = bytes.clone();
        let thread = stream.map(|mut stream| {
            std::thread::spawn(move || {
                let mut buffer = [0; 8192];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    sink.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..count]);
                }
            })
        });
        Self { bytes, thread }
    }

    /// Waits until all writers have closed the stream, up to [`STREAMS_LIMIT`].
    fn finish(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        let begin = Instant::now();
        while !thread.is_finished() && begin.elapsed() < STREAMS_LIMIT {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}
