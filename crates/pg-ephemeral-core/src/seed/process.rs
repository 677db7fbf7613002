//! Programs of the user on the host: scripts and commands. Each runs in a process group of its own that ends with it,
//! also when nobody waits for it any more. What they are run for is not this module's business.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until};

use super::events::OutputStream;

/// How long output may still come after a program's end, from a process that left its group.
const LATE_OUTPUT: Duration = Duration::from_millis(200);

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

impl Program {
    fn command(&self) -> Command {
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

/// Runs a program to its end, with nothing on its standard input. `prepare` sets up its environment, `take` gets what
/// it writes, piece by piece.
pub(super) async fn run(
    program: &Program,
    prepare: impl FnOnce(&mut Command),
    mut take: impl FnMut(OutputStream, &[u8]),
) -> io::Result<ExitStatus> {
    let mut command = program.command();
    prepare(&mut command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.process_group(0).kill_on_drop(true).spawn()?;
    let mut group = Group::of(&child);
    let (mut stdout, mut stderr) = (Pipe::new(child.stdout.take()), Pipe::new(child.stderr.take()));
    let mut ended = None;
    let mut limit = Instant::now();
    while ended.is_none() || stdout.is_open() || stderr.is_open() {
        tokio::select! {
            piece = stdout.read(), if stdout.is_open() => take(OutputStream::Stdout, piece?),
            piece = stderr.read(), if stderr.is_open() => take(OutputStream::Stderr, piece?),
            status = child.wait(), if ended.is_none() => {
                group.end();
                ended = Some(status?);
                limit = Instant::now() + LATE_OUTPUT;
            }
            () = sleep_until(limit), if ended.is_some() => break,
        }
    }
    match ended {
        Some(status) => Ok(status),
        None => child.wait().await,
    }
}

/// One end of a pipe, read until its end.
struct Pipe<R> {
    reader: Option<R>,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Pipe<R> {
    fn new(reader: Option<R>) -> Self {
        Self { reader, buffer: vec![0; 16 * 1024] }
    }

    fn is_open(&self) -> bool {
        self.reader.is_some()
    }

    /// The next piece; an empty one at the end.
    async fn read(&mut self) -> io::Result<&[u8]> {
        let Some(reader) = &mut self.reader else { return Ok(&[]) };
        let length = reader.read(&mut self.buffer).await?;
        if length == 0 {
            self.reader = None;
        }
        Ok(&self.buffer[..length])
    }
}

/// A process group that is killed when it is dropped or its leader has ended.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw))
    }

    fn end(&mut self) {
        if let Some(pid) = self.0.take() {
            // There is nobody left in it when the leader was the last.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str, folder: &Path) -> Program {
        Program { text: ProgramText::Script(text.to_owned()), folder: folder.to_owned() }
    }

    async fn output(program: &Program) -> (ExitStatus, String, String) {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let status = run(
            program,
            |_| {},
            |stream, piece| match stream {
                OutputStream::Stdout => stdout.extend_from_slice(piece),
                OutputStream::Stderr => stderr.extend_from_slice(piece),
            },
        );
        let status = status.await.unwrap();
        (status, String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }

    #[tokio::test]
    async fn a_script_stops_at_its_first_error_and_both_streams_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let (status, stdout, stderr) = output(&script("pwd; echo oops >&2; false; echo late", folder.path())).await;
        assert_eq!(status.code(), Some(1));
        assert_eq!(Path::new(stdout.trim()), folder.path().canonicalize().unwrap());
        assert_eq!(stderr, "oops\n");
    }

    #[tokio::test]
    async fn a_command_gets_its_arguments_as_they_are_and_has_no_input() {
        let text = ProgramText::Command {
            command: "sh".to_owned(),
            arguments: ["-c", "cat; printf '[%s]' \"$@\"", "-", "", "A=b", "c d"].map(str::to_owned).to_vec(),
        };
        let (_, stdout, _) = output(&Program { text, folder: std::env::temp_dir() }).await;
        assert_eq!(stdout, "[][A=b][c d]");
    }

    #[tokio::test]
    async fn a_relative_command_starts_from_the_folder() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let tool = folder.path().join("tool");
        std::fs::write(&tool, "#!/bin/sh\necho here\n").unwrap();
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        let text = ProgramText::Command { command: "./tool".to_owned(), arguments: Vec::new() };
        let (_, stdout, _) = output(&Program { text, folder: folder.path().to_owned() }).await;
        assert_eq!(stdout, "here\n");
    }

    async fn pid_in(file: &Path) -> i32 {
        loop {
            if let Some(pid) = std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()) {
                return pid;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn ends(pid: i32) -> bool {
        for _ in 0..3000 {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            if stat.is_empty() || stat.contains(") Z ") {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    }

    #[tokio::test]
    async fn a_program_nobody_waits_for_is_killed_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let program = script("sh -c 'echo $$ > pid; sleep 60' & wait", folder.path());
        let pid_file = folder.path().join("pid");
        let pid = tokio::select! {
            _ = run(&program, |_| {}, |_, _| {}) => panic!("the script ended"),
            pid = pid_in(&pid_file) => pid,
        };
        assert!(ends(pid).await);
    }

    #[tokio::test]
    async fn what_a_program_leaves_in_the_background_ends_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let (status, ..) = output(&script("sleep 60 & echo $! > pid", folder.path())).await;
        assert!(status.success());
        assert!(ends(pid_in(&folder.path().join("pid")).await).await);
    }

    #[tokio::test]
    async fn a_program_that_left_the_group_with_the_pipe_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let before = Instant::now();
        let (_, stdout, _) = output(&script("setsid sleep 60 & echo $! > pid; echo done", folder.path())).await;
        assert_eq!(stdout, "done\n");
        assert!(before.elapsed() < Duration::from_secs(30));
        let left = pid_in(&folder.path().join("pid")).await;
        // It may have been ended before it left the group.
        let _ =
            rustix::process::kill_process(rustix::process::Pid::from_raw(left).unwrap(), rustix::process::Signal::KILL);
    }
}
