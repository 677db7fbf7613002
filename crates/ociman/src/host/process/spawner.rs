//! Starts the processes of containers, all from one thread that lives as long as the calling process: on Linux, a child
//! that is to die with its parent actually dies with the *thread* that created it. This module does not know where
//! containers are stored; it receives open files.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, mpsc};

use rustix::fs::{Mode, OFlags};
use rustix::io::FdFlags;
use rustix::process::Signal;
use tokio::sync::watch;

use super::start_record::exit_line;
use crate::host::lockable::Lockable;

/// A process to start.
pub(crate) struct Launch {
    /// The program, its arguments, environment, working directory, user and streams.
    pub(crate) command: Command,
    /// The locked root. The process and its children inherit the open folder, and with it the lock.
    pub(crate) root: Lockable,
    /// The file to which the process writes its status before it executes the program, and to which its exit status is
    /// appended.
    pub(crate) process_file: File,
    /// The signal that the process receives when the calling process dies.
    pub(crate) death_signal: Option<Signal>,
}

/// Starts a process, and returns when it has executed its program. From then on, a background thread waits for its end.
pub(crate) fn launch(launch: Launch) -> io::Result<()> {
    let (answer, answered) = mpsc::sync_channel(1);
    submit(Box::new(move || {
        // The caller is waiting, so this can't fail.
        let _ = answer.send(start(launch));
    }))?;
    answered.recv().map_err(|_| io::Error::other("the thread that starts processes has gone"))?
}

type Job = Box<dyn FnOnce() + Send>;

/// Passes a job to the thread, which is created for the first job.
fn submit(job: Job) -> io::Result<()> {
    static SPAWNER: Mutex<Option<(u32, mpsc::Sender<Job>)>> = Mutex::new(None);
    let mut spawner = SPAWNER.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    let sender = match &*spawner {
        // A forked child does not have the thread.
        Some((owner, sender)) if *owner == process => sender,
        _ => {
            let (sender, jobs) = mpsc::channel::<Job>();
            std::thread::Builder::new()
                .name("ociman-spawn".to_owned())
                .spawn(move || jobs.iter().for_each(|job| job()))?;
            &spawner.insert((process, sender)).1
        }
    };
    sender.send(job).map_err(|_| io::Error::other("the thread that starts processes has gone"))
}

fn start(launch: Launch) -> io::Result<()> {
    let Launch { mut command, root, process_file, death_signal } = launch;
    before_exec(&mut command, &root, &process_file, death_signal);
    let child = command.spawn()?;
    // The process has its own copy of the root now. Only the process and its descendants may keep the lock.
    root.leave_locked();
    wait_in_background(child, process_file)
}

/// Sets what the child does between fork and exec. By then it has already changed its user: a death signal that was set
/// before that change would be lost.
#[allow(unsafe_code)]
fn before_exec(command: &mut Command, root: &OwnedFd, process_file: &File, death_signal: Option<Signal>) {
    let root = root.as_raw_fd();
    let process_file = process_file.as_raw_fd();
    let parent = rustix::process::getpid();
    let prepare = move || -> io::Result<()> {
        // SAFETY: `start` keeps both files open until the child has executed its program or failed to.
        let (root, process_file) = unsafe { (BorrowedFd::borrow_raw(root), BorrowedFd::borrow_raw(process_file)) };
        rustix::process::setsid()?;
        default_signals()?;
        #[cfg(target_os = "linux")]
        if let Some(signal) = death_signal {
            rustix::process::set_parent_process_death_signal(Some(signal))?;
            // The parent may have died just before.
            if rustix::process::getppid() != Some(parent) {
                return Err(rustix::io::Errno::SRCH.into());
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (parent, death_signal);
        rustix::io::fcntl_setfd(root, FdFlags::empty())?;
        write_down(process_file)
    };
    // SAFETY: after a fork of a process with threads, only async-signal-safe operations are allowed. The closure makes
    // system calls on its own stack, takes no lock and allocates nothing.
    unsafe {
        command.pre_exec(prepare);
    }
}

/// Restores the default action of signals that the caller ignores. A shell starts background commands with SIGINT and
/// SIGQUIT ignored, and ignored signals stay ignored after exec. A removal signal that arrives before the program has
/// installed its handlers would then be lost.
#[allow(unsafe_code)]
fn default_signals() -> io::Result<()> {
    for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGUSR1, libc::SIGUSR2] {
        // SAFETY: the default action runs no code of this process, and `signal` is async-signal-safe.
        if unsafe { libc::signal(signal, libc::SIG_DFL) } == libc::SIG_ERR {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Copies the status that the system reports of the calling process into a file.
#[cfg(target_os = "linux")]
fn write_down(file: BorrowedFd<'_>) -> io::Result<()> {
    let status = rustix::fs::open(c"/proc/self/stat", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut line = [0_u8; 1024];
    let length = rustix::io::read(&status, &mut line)?;
    rustix::io::write(file, &line[..length])?;
    Ok(())
}

/// Writes those parts of Linux's status line that are read back.
#[cfg(not(target_os = "linux"))]
fn write_down(file: BorrowedFd<'_>) -> io::Result<()> {
    let mut line = [0_u8; 128];
    let pid = rustix::process::getpid().as_raw_nonzero();
    let mut rest = line.as_mut_slice();
    write!(rest, "{pid} (-) S 0 0 {pid} 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n")?;
    let length = 128 - rest.len();
    rustix::io::write(file, &line[..length])?;
    Ok(())
}

/// The processes that were started here and have not ended, each with a channel that becomes true at its end.
static RUNNING: LazyLock<Mutex<HashMap<u32, End>>> = LazyLock::new(Mutex::default);

type End = Arc<watch::Sender<bool>>;

fn running() -> MutexGuard<'static, HashMap<u32, End>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns a channel that becomes true when a process that was started here has ended and its exit status has been
/// written, or `None` for any other process.
pub(crate) fn end_of(pid: u32) -> Option<watch::Receiver<bool>> {
    running().get(&pid).map(|end| end.subscribe())
}

fn wait_in_background(child: Child, mut process_file: File) -> io::Result<()> {
    let pid = child.id();
    let end = End::new(watch::Sender::new(false));
    running().insert(pid, Arc::clone(&end));
    let child = Arc::new(Mutex::new(child));
    let waited = Arc::clone(&child);
    let wait = move || {
        let status = waited.lock().unwrap_or_else(PoisonError::into_inner).wait();
        if let Ok(status) = status {
            // An error does not matter: the container may have been removed, and then nobody asks for the status.
            let _ = process_file.write_all(exit_line(status.into()).as_bytes());
        }
        end.send_replace(true);
        // A newer child may already have this ID.
        let mut running = running();
        if running.get(&pid).is_some_and(|known| Arc::ptr_eq(known, &end)) {
            running.remove(&pid);
        }
    };
    let spawned = std::thread::Builder::new().name("ociman-wait".to_owned()).stack_size(128 * 1024).spawn(wait);
    if let Err(error) = spawned {
        let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
        // The process has just been started. Both calls succeed unless it has already ended.
        let _ = child.kill();
        let _ = child.wait();
        running().remove(&pid);
        return Err(error);
    }
    Ok(())
}
