//! Processes of fake containers, which are processes of this machine. A *supervisor*, which is a thread or a process,
//! starts the first process of each container, and records its output and its exit status beside the container's files.
//!
//! ```text
//! containers/<id>/root/     the files of the container
//! containers/<id>/start     the process that the supervisor starts
//! containers/<id>/quit      the signal that is sent before SIGKILL, if there is one
//! containers/<id>/pid       the ID of the first process, once it runs
//! containers/<id>/exit      the exit status of the first process, once it has ended
//! containers/<id>/log       the output of the first process, in lines
//! containers/<id>/execs/    a file for each other process
//! containers/<id>/attached  exists if there is no supervisor, because the engine command runs the first process itself
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ociman::host::ProcessIdentity;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::{Deserialize, Serialize};

use crate::support::memory::shared_memory;

/// The time limit for the start and for the end of a supervisor.
const SUPERVISOR_LIMIT: Duration = Duration::from_secs(10);
/// The time limit for a first process to end by itself.
const REMOVAL_LIMIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(1);
/// The exit status of a process that was killed by SIGKILL.
const KILLED: i32 = 137;

/// The process that a supervisor starts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) folder: PathBuf,
    /// The user ID and the group ID, if not those of this process.
    pub(super) user: Option<(u32, u32)>,
    /// The signal that ends the process at once and lets it clean up, if the process would leave something behind after
    /// a SIGKILL.
    pub(super) on_removal: Option<i32>,
}

/// The kind of supervisor of a container's first process.
#[derive(Debug, Clone)]
pub(crate) enum Supervisor {
    /// A thread of this process.
    Thread,
    /// A process that runs this program. [`SUPERVISOR_VARIABLE`] tells it the container.
    Program(PathBuf),
}

/// The environment variable with the folder of a supervisor's container.
pub(crate) const SUPERVISOR_VARIABLE: &str = "FAKE_ENGINE_SUPERVISOR";

/// The processes of one container, identified by the container's folder.
#[derive(Debug, Clone)]
pub(crate) struct Processes {
    folder: PathBuf,
}

impl Processes {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(super) fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    /// Makes a supervisor start the first process, and waits until the process runs.
    pub(super) fn start(&self, supervisor: &Supervisor, start: &Start) -> io::Result<()> {
        for name in ["pid", "exit"] {
            remove_file(&self.folder.join(name))?;
        }
        fs::create_dir_all(self.folder.join("execs"))?;
        if let Some(signal) = start.on_removal {
            write_file(&self.folder, "quit", &signal.to_string())?;
        }
        let start = serde_json::to_vec(start).map_err(io::Error::other)?;
        fs::write(self.folder.join("start"), start)?;
        match supervisor {
            Supervisor::Thread => {
                let folder = self.folder.clone();
                // If the supervisor fails, no process appears.
                std::thread::Builder::new().name("supervisor".to_owned()).spawn(move || drop(supervise(&folder)))?;
            }
            Supervisor::Program(program) => {
                let mut command = Command::new(program);
                command.env(SUPERVISOR_VARIABLE, &self.folder).process_group(0);
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
            }
        }
        let limit = Instant::now() + SUPERVISOR_LIMIT;
        while self.leader().is_none() && self.exit_code().is_none() {
            if Instant::now() > limit {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the supervisor of a fake container does not start",
                ));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Returns the exit status of the first process, or `None` if it has not ended.
    pub(super) fn exit_code(&self) -> Option<i32> {
        match fs::read_to_string(self.folder.join("exit")) {
            Ok(text) => text.trim().parse().ok(),
            Err(_) => self.is_orphan_gone().then_some(KILLED),
        }
    }

    /// Records a process as the first one of an attached container, which has no supervisor.
    pub(super) fn lead(&self, id: Option<u32>) -> io::Result<()> {
        write_file(&self.folder, "attached", "")?;
        write_file(&self.folder, "pid", &id.unwrap_or_default().to_string())
    }

    /// Records the exit status of an attached container's first process, and kills all other processes.
    pub(super) fn ended(&self, status: i32) -> io::Result<()> {
        if !self.folder.is_dir() {
            // The container was removed, which killed the process.
            return Ok(());
        }
        self.kill();
        write_file(&self.folder, "exit", &status.to_string())
    }

    /// Returns `true` if the first process of an attached container has ended without a record, because the engine
    /// command had ended before.
    fn is_orphan_gone(&self) -> bool {
        self.folder.join("attached").exists() && self.leader().is_some_and(has_ended)
    }

    fn leader(&self) -> Option<Pid> {
        read_pid(&self.folder.join("pid"))
    }

    /// Sends a signal to the first process, if the process has a handler for it. The system ignores other signals to
    /// the first process of a real container.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.leader().filter(|pid| handles(*pid, signal)) {
            // The process may have just ended.
            let _ = kill_process(pid, signal);
        }
    }

    /// Kills every process and its process group. Processes of a server are in groups of their own.
    pub(super) fn kill(&self) {
        // A stopped process can't start other processes.
        let frozen = self.freeze();
        for pid in frozen.processes.iter().rev() {
            // The process may have just ended, and may not be the leader of a group.
            let _ = kill_process(*pid, Signal::KILL);
            let _ = kill_process_group(*pid, Signal::KILL);
        }
        // A process frees its memory when it has ended, which may be later than the signal.
        let limit = Instant::now() + SUPERVISOR_LIMIT;
        while !frozen.processes.iter().all(|pid| has_ended(*pid)) && Instant::now() < limit {
            std::thread::sleep(PAUSE);
        }
    }

    /// Kills every process and waits until the supervisor has recorded the exit status. If `first` is a signal, sends
    /// it to the first process and lets the process end by itself before.
    pub(super) fn end(&self, first: Option<Signal>) {
        if let (Some(signal), Some(pid)) = (first, self.leader().filter(|_| self.exit_code().is_none())) {
            self.kill_first_start(pid);
            // The process may have just ended.
            let _ = kill_process(pid, signal);
            let limit = Instant::now() + REMOVAL_LIMIT;
            while self.exit_code().is_none() && Instant::now() < limit {
                std::thread::sleep(PAUSE);
            }
        }
        let limit = Instant::now() + SUPERVISOR_LIMIT;
        while self.exit_code().is_none() && Instant::now() < limit {
            self.kill();
            std::thread::sleep(PAUSE);
        }
        self.kill();
        self.remove_shared_memory();
    }

    /// Removes the System V shared memory segments of the data folder, which a killed server leaves behind.
    fn remove_shared_memory(&self) {
        let start = fs::read(self.folder.join("start")).ok();
        let start: Option<Start> = start.and_then(|json| serde_json::from_slice(&json).ok());
        if let Some(data) = start.and_then(|start| start.environment.get("PGDATA").cloned()) {
            // If the data folder is gone, its segments can't be found.
            let _ = ociman::host::remove_shared_memory(Path::new(&data));
        }
    }

    /// Kills all processes of a container whose first process is not the server yet. `initdb` runs several servers
    /// briefly, and a killed server leaves its shared memory behind. So this function stops all processes, looks up
    /// their shared memory, and removes it after the kill.
    fn kill_first_start(&self, leader: Pid) {
        if !cfg!(target_os = "linux") || is_server(leader) {
            return;
        }
        let mut memory = Vec::new();
        let mut look_up = |pid: Pid| memory.extend(shared_memory(pid.as_raw_nonzero().get().unsigned_abs()));
        // First look up processes that run: an ending process may have unmapped its memory by the time it is stopped.
        self.each_process(&mut look_up);
        let frozen = self.freeze();
        if is_server(leader) {
            return;
        }
        frozen.processes.iter().copied().for_each(look_up);
        // The first process is killed last. Otherwise the other processes would become orphans, and the system
        // continues stopped orphans.
        for pid in frozen.processes.iter().rev() {
            // The process may have just ended.
            let _ = kill_process(*pid, Signal::KILL);
        }
        for file in memory {
            // Several processes may share a file, which the first removal removes.
            let _ = fs::remove_file(file);
        }
    }

    /// Stops every process until the result is dropped, so that the files don't change.
    pub(super) fn freeze(&self) -> Frozen {
        let mut frozen = Frozen { processes: Vec::new() };
        // A process that is not stopped yet may start another.
        self.each_process(|pid| frozen.add(pid));
        frozen
    }

    /// Calls `visit` with every process. Children are looked up after their parent has been visited.
    fn each_process(&self, mut visit: impl FnMut(Pid)) {
        let others = fs::read_dir(self.folder.join("execs")).into_iter().flatten().flatten();
        let mut found: Vec<Pid> = others.filter_map(|entry| read_pid(&entry.path())).chain(self.leader()).collect();
        let mut visited = Vec::new();
        while let Some(pid) = found.pop() {
            visit(pid);
            visited.push(pid);
            found.extend(children(pid).into_iter().filter(|child| !visited.contains(child)));
        }
    }

    /// Records a further process of the container until the result is dropped.
    pub(crate) fn register(&self, id: Option<u32>) -> io::Result<Registered> {
        let Some(id) = id else { return Ok(Registered { path: None }) };
        let folder = self.folder.join("execs");
        let path = folder.join(id.to_string());
        let made = match fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        };
        match made.and_then(|()| fs::write(&path, id.to_string())) {
            // The process may have ended the container, which is removed by now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Registered { path: None }),
            written => written.map(|()| Registered { path: Some(path) }),
        }
    }

    /// Returns the last `count` lines of output of the first process, separately for standard output and standard
    /// error.
    pub(super) fn log(&self, count: usize) -> io::Result<(Vec<u8>, Vec<u8>)> {
        let log = match fs::read(self.folder.join("log")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            log => log?,
        };
        let lines = Line::parse_all(&log);
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        for line in &lines[lines.len().saturating_sub(count)..] {
            let stream = if line.stream == STDOUT { &mut stdout } else { &mut stderr };
            stream.extend_from_slice(line.text);
        }
        Ok((stdout, stderr))
    }
}

/// Processes that are stopped until this value is dropped.
#[derive(Debug)]
pub(super) struct Frozen {
    processes: Vec<Pid>,
}

impl Frozen {
    fn add(&mut self, pid: Pid) {
        self.processes.push(pid);
        if kill_process(pid, Signal::STOP).is_err() {
            return;
        }
        let limit = Instant::now() + SUPERVISOR_LIMIT;
        while is_moving(pid) && Instant::now() < limit {
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for pid in &self.processes {
            // The process may have been killed.
            let _ = kill_process(*pid, Signal::CONT);
        }
    }
}

/// Returns the fields of `/proc/PID/stat` after the name in parentheses. Returns one empty field if there is no such
/// file.
fn stat(pid: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = text.rsplit_once(") ").map(|(_, fields)| fields).unwrap_or_default();
    fields.split(' ').map(str::to_owned).collect()
}

fn is_server(pid: Pid) -> bool {
    let name = fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero())).unwrap_or_default();
    name.trim_end() == "postgres"
}

fn is_moving(pid: Pid) -> bool {
    let state = stat(&pid.as_raw_nonzero().to_string());
    // A process that no longer exists has no state.
    state.first().is_some_and(|state| !matches!(state.as_str(), "T" | "t" | "Z" | "X" | ""))
}

fn children(parent: Pid) -> Vec<Pid> {
    let parent = parent.as_raw_nonzero().to_string();
    let names = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.file_name());
    let pids = names.filter_map(|name| name.into_string().ok()).filter(|name| name.parse::<u32>().is_ok());
    let children = pids.filter(|pid| stat(pid).get(1) == Some(&parent));
    children.filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

/// The record of a further process of a container. Dropping the value removes the record.
#[derive(Debug)]
pub(crate) struct Registered {
    path: Option<PathBuf>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // If this fails, the record is removed with the container.
            let _ = fs::remove_file(path);
        }
    }
}

const STDOUT: u8 = b'o';
const STDERR: u8 = b'e';

/// A line of a log. The file has the stream, the length and the text of each line, with the line break if there was
/// one.
struct Line<'a> {
    stream: u8,
    text: &'a [u8],
}

impl<'a> Line<'a> {
    fn parse_all(mut log: &'a [u8]) -> Vec<Self> {
        let mut lines = Vec::new();
        while let Some((&stream, rest)) = log.split_first() {
            let Some((length, rest)) = rest.split_first_chunk() else { break };
            let length = u32::from_le_bytes(*length) as usize;
            let Some((text, rest)) = rest.split_at_checked(length) else { break };
            lines.push(Line { stream, text });
            log = rest;
        }
        lines
    }
}

/// Runs as the supervisor of a container: starts its first process and waits until it has ended.
pub(crate) fn supervise(folder: &Path) -> io::Result<()> {
    let start: Start = serde_json::from_slice(&fs::read(folder.join("start"))?).map_err(io::Error::other)?;
    let mut command = Command::new(&start.program);
    command.args(&start.arguments).env_clear().envs(&start.environment).current_dir(&start.folder).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some((uid, gid)) = start.user {
        command.uid(uid).gid(gid);
    }
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            write_file(folder, "exit", "126")?;
            return Err(error);
        }
    };
    write_file(folder, "pid", &child.id().to_string())?;
    let log = Mutex::new(File::options().append(true).create(true).open(folder.join("log"))?);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let code = std::thread::scope(|scope| {
        scope.spawn(|| record(stdout, STDOUT, &log));
        scope.spawn(|| record(stderr, STDERR, &log));
        let status = child.wait();
        // When the first process of a container ends, all others are killed.
        Processes::new(folder.to_owned()).kill();
        status.map(|status| status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
    })?;
    write_file(folder, "exit", &code.to_string())
}

fn record(stream: Option<impl Read>, mark: u8, log: &Mutex<File>) {
    let Some(stream) = stream else { return };
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while let Ok(1..) = reader.read_until(b'\n', &mut line) {
        let length = u32::try_from(line.len()).unwrap_or(u32::MAX);
        let whole = [&[mark][..], &length.to_le_bytes(), &line].concat();
        // The folder may have been removed with the container.
        let _ = log.lock().unwrap_or_else(PoisonError::into_inner).write_all(&whole);
        line.clear();
    }
}

/// Writes a file atomically, because other processes read it as soon as it exists.
fn write_file(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    let new = folder.join(format!("{name}.new"));
    fs::write(&new, text)?;
    fs::rename(new, folder.join(name))
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn read_pid(path: &Path) -> Option<Pid> {
    Pid::from_raw(fs::read_to_string(path).ok()?.trim().parse().ok()?)
}

/// Returns `true` if a process has a handler for a signal, or if the system has no such information.
fn handles(pid: Pid, signal: Signal) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())) else { return true };
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let Some(caught) = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()) else { return true };
    caught & (1 << (signal.as_raw() - 1)) != 0
}

/// Returns `true` if a process has ended, even if its parent has not reaped it.
fn has_ended(pid: Pid) -> bool {
    ProcessIdentity::of(pid.as_raw_pid().unsigned_abs()).is_none()
}
