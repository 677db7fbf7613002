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

/// How long streams may stay open after the command has ended: somebody who got them from it may still write.
const STREAMS_LIMIT: Duration = Duration::from_secs(5);

/// A command that runs. It is killed when this is dropped.
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
    /// Runs the command to its end.
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
            // A command that reads less than there is has its reasons.
            std::thread::spawn(move || drop(stdin.write_all(&input)));
        }
        let stdout = Reader::new(child.stdout.take());
        let stderr = Reader::new(child.stderr.take());
        Self { command, child, begin: Instant::now(), stdout, stderr, ended: false }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it runs still.
    #[track_caller]
    pub fn is_running(&mut self) -> bool {
        must(self.child.try_wait(), "look at a command").is_none()
    }

    /// Sends a signal to its process alone.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        must(kill_process(self.pid(), signal), "send a signal");
    }

    /// Sends a signal to its process group, as a terminal does.
    #[track_caller]
    pub fn signal_group(&self, signal: Signal) {
        must(kill_process_group(self.pid(), signal), "send a signal to the group");
    }

    /// What it has printed on standard output so far.
    pub fn stdout_so_far(&self) -> String {
        self.stdout.text()
    }

    /// What it has printed on standard error so far.
    pub fn stderr_so_far(&self) -> String {
        self.stderr.text()
    }

    /// Waits until this stands in what it has printed on standard output.
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

    /// Waits for its end.
    #[track_caller]
    pub fn wait(mut self) -> Ran<'a> {
        loop {
            if let Some(status) = must(self.child.try_wait(), "wait for the command") {
                self.ended = true;
                return self.ran(Some(status));
            }
            if self.begin.elapsed() > self.command.limit {
                let limit = self.command.limit.as_secs_f32();
                // The explanation comes first; dropping kills it.
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
            // Both fail only when it has ended in this moment.
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

    /// Waits until nobody holds the writing end any more.
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
