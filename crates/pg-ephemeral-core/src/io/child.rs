//! Runs child processes and passes their output on as it arrives. Each child runs in its own process group. The group
//! is killed when the child ends, when the future that waits for it is dropped, and when the calling process is killed.
//! This module must not know what the programs are run for.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use ociman::TreeWatcher;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until};

use crate::io::content::Pieces;

/// How long to wait for further output after a program has ended, in case a process that left its group still has the
/// pipe.
const LATE_OUTPUT: Duration = Duration::from_millis(200);

/// Returns an error if the system refuses to start a process and a thread. `cmd_lib` reads standard error on a thread
/// and panics if that thread can't be started, so this is checked first.
pub(crate) fn check_that_threads_start() -> io::Result<()> {
    let (release, released) = std::sync::mpsc::channel::<()>();
    // Start two threads at the same time, because a process counts towards the limit as a thread does.
    let first = std::thread::Builder::new().spawn(move || {
        let _ = released.recv();
    })?;
    let second = std::thread::Builder::new().spawn(|| ());
    drop(release);
    for thread in [first, second?] {
        thread.join().map_err(|_| io::Error::other("a thread panicked"))?;
    }
    Ok(())
}

/// A stream that a program writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The standard input of a program.
#[derive(Debug)]
pub(crate) enum Input {
    /// No input.
    Empty,
    /// An open file, in which the program can seek.
    File(File),
    /// The pieces of a content, written as they arrive.
    Pieces(Pieces),
    /// No input. The program opens this file itself. On Linux, its position in the file is looked up from time to time.
    Opened(PathBuf),
}

/// How often a program's position in a file is looked up.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Why running a child failed.
#[derive(Debug)]
pub(crate) enum ChildError {
    /// The child could not be started, or its output or exit status could not be read.
    System(io::Error),
    /// The child's input could not be read.
    Input(io::Error),
}

impl ChildError {
    /// Returns the system's error.
    pub(crate) fn into_source(self) -> io::Error {
        match self {
            Self::System(source) | Self::Input(source) => source,
        }
    }
}

/// Runs a program to its end. `read` receives how many bytes of the input's source were read so far, and `take`
/// receives what the program writes.
pub(crate) async fn run(
    mut command: Command,
    input: Input,
    mut read: impl FnMut(u64),
    mut take: impl FnMut(OutputStream, &[u8]),
) -> Result<ExitStatus, ChildError> {
    let (stdin, input, opened) = match input {
        Input::Empty => (Stdio::null(), None, None),
        Input::File(file) => (file.into(), None, None),
        Input::Pieces(pieces) => (Stdio::piped(), Some(pieces), None),
        Input::Opened(path) => (Stdio::null(), None, std::fs::canonicalize(path).ok()),
    };
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut watcher = Some(TreeWatcher::over(command.as_std_mut()).map_err(ChildError::System)?);
    let mut child = command.process_group(0).kill_on_drop(true).spawn().map_err(ChildError::System)?;
    let mut group = Group::of(&child);
    let (mut stdout, mut stderr) = (Pipe::new(child.stdout.take()), Pipe::new(child.stderr.take()));
    let stdin = child.stdin.take();
    let pid = child.id();
    let mut feeding = std::pin::pin!(async {
        match (stdin, input, pid.zip(opened)) {
            (Some(stdin), Some(input), _) => feed(stdin, input, &mut read).await,
            (_, _, Some((pid, opened))) => loop {
                tokio::time::sleep(LOOK_EVERY).await;
                position(pid, &opened).into_iter().for_each(&mut read);
            },
            _ => Ok(()),
        }
    });
    let mut fed = false;
    let mut ended = None;
    let mut limit = Instant::now();
    while ended.is_none() || stdout.is_open() || stderr.is_open() {
        tokio::select! {
            result = &mut feeding, if !fed && ended.is_none() => {
                result.map_err(ChildError::Input)?;
                fed = true;
            }
            piece = stdout.read(), if stdout.is_open() => take(OutputStream::Stdout, piece.map_err(ChildError::System)?),
            piece = stderr.read(), if stderr.is_open() => take(OutputStream::Stderr, piece.map_err(ChildError::System)?),
            status = child.wait(), if ended.is_none() => {
                group.end();
                drop(watcher.take());
                ended = Some(status.map_err(ChildError::System)?);
                limit = Instant::now() + LATE_OUTPUT;
            }
            () = sleep_until(limit), if ended.is_some() => break,
        }
    }
    match ended {
        Some(status) => Ok(status),
        None => child.wait().await.map_err(ChildError::System),
    }
}

/// Writes the input to a program. It is not an error here if the program stops reading: its exit status tells whether
/// it failed.
async fn feed(
    mut stdin: impl AsyncWrite + Unpin,
    mut input: Pieces,
    mut read: impl FnMut(u64),
) -> Result<(), io::Error> {
    while let Some(piece) = input.recv().await {
        let piece = piece?;
        if stdin.write_all(&piece.bytes).await.is_err() {
            return Ok(());
        }
        read(piece.read);
    }
    // The program may have ended already.
    let _ = stdin.shutdown().await;
    Ok(())
}

/// Removes all variables from a program's environment that could make it connect to another server of the caller.
pub(crate) fn remove_server_variables(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(leads_to_a_server) {
            command.env_remove(name);
        }
    }
}

/// Returns `true` for `DATABASE_URL` and the variables of libpq: `PG` followed by a capital letter. Names that begin
/// with `PG_` belong to other programs.
fn leads_to_a_server(name: &str) -> bool {
    let of_libpq =
        name.strip_prefix("PG").is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_uppercase()));
    of_libpq || name == "DATABASE_URL"
}

/// The longest line that is kept whole, in bytes.
const LONGEST_LINE: usize = 8 * 1024;

/// Splits the output of a program into lines. Bytes that are not valid UTF-8 are replaced.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    pending: Vec<u8>,
}

impl Lines {
    pub(crate) fn take(&mut self, piece: &[u8], mut emit: impl FnMut(&str)) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.pending.extend_from_slice(part);
            if part.ends_with(b"\n") || self.pending.len() > LONGEST_LINE {
                emit(&text(&self.pending));
                self.pending.clear();
            }
        }
    }

    /// Emits the last line if it does not end with a newline.
    pub(crate) fn finish(self, mut emit: impl FnMut(&str)) {
        if !self.pending.is_empty() {
            emit(&text(&self.pending));
        }
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']).to_owned()
}

/// Returns the position, in bytes, of a process in a file that it has open.
fn position(pid: u32, file: &Path) -> Option<u64> {
    let process = Path::new("/proc").join(pid.to_string());
    let descriptors = std::fs::read_dir(process.join("fd")).ok()?.flatten();
    let mut open = descriptors.filter(|entry| std::fs::read_link(entry.path()).is_ok_and(|target| target == file));
    let information = process.join("fdinfo").join(open.next()?.file_name());
    let information = std::fs::read_to_string(information).ok()?;
    information.lines().find_map(|line| line.strip_prefix("pos:"))?.trim().parse().ok()
}

/// The reading end of a pipe.
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

    /// Returns the next bytes; an empty slice at the end.
    async fn read(&mut self) -> io::Result<&[u8]> {
        let Some(reader) = &mut self.reader else { return Ok(&[]) };
        let length = reader.read(&mut self.buffer).await?;
        if length == 0 {
            self.reader = None;
        }
        Ok(&self.buffer[..length])
    }
}

/// A process group that is killed when this value is dropped or when the group's leader has ended.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw))
    }

    fn end(&mut self) {
        if let Some(pid) = self.0.take() {
            // This fails if the leader was the last process of the group.
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
    use crate::io::content::Content;

    fn shell(text: &str, folder: &Path) -> Command {
        let mut command = Command::new("sh");
        command.args(["-e", "-c", text]).current_dir(folder);
        command
    }

    #[test]
    fn variables_of_libpq_lead_to_a_server_and_our_own_do_not() {
        for name in ["PGHOST", "PGPASSWORD", "PGSERVICEFILE", "DATABASE_URL"] {
            assert!(leads_to_a_server(name), "{name}");
        }
        for name in ["PG_EPHEMERAL_BIN_DIR", "PG", "PATH", "OPGHOST"] {
            assert!(!leads_to_a_server(name), "{name}");
        }
    }

    #[test]
    fn a_line_longer_than_the_limit_is_split() {
        let mut lines = Lines::default();
        let mut taken = Vec::new();
        for _ in 0..10 {
            lines.take(&[b'x'; 4096], |line| taken.push(line.len()));
        }
        assert!(taken.iter().all(|length| *length <= LONGEST_LINE + 4096));
        assert_eq!(taken.len(), 3);
    }

    async fn output(command: Command, input: Option<Content>) -> (ExitStatus, String, String) {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let take = |stream, piece: &[u8]| match stream {
            OutputStream::Stdout => stdout.extend_from_slice(piece),
            OutputStream::Stderr => stderr.extend_from_slice(piece),
        };
        let status = run(command, input.map_or(Input::Empty, |input| Input::Pieces(input.pieces())), |_| {}, take)
            .await
            .unwrap();
        (status, String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }

    #[tokio::test]
    async fn output_of_both_streams_is_received() {
        let folder = tempfile::tempdir().unwrap();
        let (status, stdout, stderr) = output(shell("pwd; echo oops >&2; false; echo late", folder.path()), None).await;
        assert_eq!(status.code(), Some(1));
        assert_eq!(Path::new(stdout.trim()), folder.path().canonicalize().unwrap());
        assert_eq!(stderr, "oops\n");
    }

    #[tokio::test]
    async fn a_child_receives_its_input_and_may_leave_it_unread() {
        let folder = tempfile::tempdir().unwrap();
        let input = Content::text(&"x".repeat(1 << 20));
        let (_, stdout, _) = output(shell("wc -c", folder.path()), Some(input.clone())).await;
        assert_eq!(stdout.trim(), (1 << 20).to_string());
        let (status, stdout, _) = output(shell("echo bored; exit 3", folder.path()), Some(input)).await;
        assert_eq!((status.code(), stdout.as_str()), (Some(3), "bored\n"));
        let (_, stdout, _) = output(shell("wc -c", folder.path()), None).await;
        assert_eq!(stdout.trim(), "0");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_position_of_a_child_in_a_file_is_looked_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "x".repeat(1000)).unwrap();
        let mut seen = Vec::new();
        let command = shell("exec <file; head -c 10 >/dev/null; sleep 0.7", folder.path());
        run(command, Input::Opened(path), |read| seen.push(read), |_, _| {}).await.unwrap();
        assert!(!seen.is_empty() && seen.iter().all(|read| (10..=1000).contains(read)), "{seen:?}");
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
    async fn dropping_the_future_kills_the_program_and_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let command = shell("sh -c 'echo $$ > pid; sleep 60' & wait", folder.path());
        let pid_file = folder.path().join("pid");
        let pid = tokio::select! {
            _ = run(command, Input::Empty, |_| {}, |_, _| {}) => panic!("the script ended"),
            pid = pid_in(&pid_file) => pid,
        };
        assert!(ends(pid).await);
    }

    #[tokio::test]
    async fn background_processes_of_a_program_end_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let (status, ..) = output(shell("sleep 60 & echo $! > pid", folder.path()), None).await;
        assert!(status.success());
        assert!(ends(pid_in(&folder.path().join("pid")).await).await);
    }

    #[tokio::test]
    async fn a_process_that_left_the_group_and_keeps_the_pipe_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let before = Instant::now();
        let (_, stdout, _) = output(shell("setsid sleep 60 & echo $! > pid; echo done", folder.path()), None).await;
        assert_eq!(stdout, "done\n");
        assert!(before.elapsed() < Duration::from_secs(30));
        let left = pid_in(&folder.path().join("pid")).await;
        // It may have been killed before it left the group.
        let _ =
            rustix::process::kill_process(rustix::process::Pid::from_raw(left).unwrap(), rustix::process::Signal::KILL);
    }
}
