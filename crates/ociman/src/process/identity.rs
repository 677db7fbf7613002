//! The identity of a process, and whether the process is still alive. A process is identified by its ID AND its start
//! time, because IDs are reused. This is the only module that reads `/proc/<pid>/stat`.

use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

/// The interval at which a process is checked for its end if the system can't notify of it.
const END_PAUSE: Duration = Duration::from_millis(100);

/// A process of this machine, within one boot: its process ID and its start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// The process id.
    pub pid: u32,
    /// The start time in clock ticks since boot; 0 if the system does not report it.
    pub start: u64,
}

impl ProcessIdentity {
    /// Returns the identity of the calling process.
    pub fn current() -> Self {
        static CURRENT: OnceLock<ProcessIdentity> = OnceLock::new();
        let pid = std::process::id();
        let known = *CURRENT.get_or_init(|| Self::of(pid).unwrap_or(Self { pid, start: 0 }));
        // After a fork, the child is another process.
        if known.pid == pid { known } else { Self::of(pid).unwrap_or(Self { pid, start: 0 }) }
    }

    /// Returns the process that has this ID now, or `None` if there is none or it has ended.
    pub fn of(pid: u32) -> Option<Self> {
        let status = Status::read(pid)?;
        status.lives.then_some(Self { pid, start: status.start })
    }

    /// Returns `true` if this very process is still running. A process that has ended but has not been waited for is
    /// not.
    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Returns `true` if a process has this ID but the system reveals nothing more about it, as for processes of other
    /// users on systems that hide them.
    pub fn is_hidden(self) -> bool {
        let Some(pid) = self.raw() else { return false };
        is_hidden(Status::read(self.pid), rustix::process::test_kill_process(pid))
    }

    /// Returns the nearest ancestor of this process whose program name satisfies `is_wanted`, or `None` if the system
    /// does not report ancestors or none matches. The name is the file name of the program, of which the system may
    /// keep only the first 15 bytes.
    pub fn ancestor(self, is_wanted: impl Fn(&str) -> bool) -> Option<Self> {
        let mut status = Status::read(self.pid).filter(|status| status.start == self.start)?;
        loop {
            status = Status::read(status.parent)?;
            let name = std::fs::read_to_string(format!("/proc/{}/comm", status.pid)).ok()?;
            if is_wanted(name.trim_end_matches('\n')) {
                return Some(status.identity());
            }
        }
    }

    /// Blocks until the process has ended.
    pub fn wait_for_end(self) {
        #[cfg(target_os = "linux")]
        if let Some(handle) = self.open() {
            let mut watched = [rustix::event::PollFd::new(&handle, rustix::event::PollFlags::IN)];
            // An interrupted wait is resumed. After any other error, the loop below waits instead.
            while rustix::event::poll(&mut watched, None) == Err(rustix::io::Errno::INTR) {}
        }
        while self.is_alive() {
            std::thread::sleep(END_PAUSE);
        }
    }

    /// Returns a handle that refers to this very process even if its ID is reused, or `None` if the process has ended.
    #[cfg(target_os = "linux")]
    fn open(self) -> Option<std::os::fd::OwnedFd> {
        let handle = rustix::process::pidfd_open(self.raw()?, rustix::process::PidfdFlags::empty()).ok()?;
        self.is_alive().then_some(handle)
    }

    /// Sends a signal to the process. Does nothing if the process has ended.
    pub(crate) fn signal(self, signal: Signal) {
        // An error means that the process has just ended, or that this user may not signal it. The caller notices that
        // while it waits for the end.
        #[cfg(target_os = "linux")]
        if let Some(handle) = self.open() {
            let _ = rustix::process::pidfd_send_signal(handle, signal);
        }
        #[cfg(not(target_os = "linux"))]
        if let (true, Some(pid)) = (self.is_alive(), self.raw()) {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// Returns `true` if the process can't change anything any more, because a signal has stopped it or because it has
    /// ended.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_stopped_or_ended(self) -> bool {
        Status::read(self.pid).is_none_or(|status| !status.lives || status.stopped || status.start != self.start)
    }

    fn raw(self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.pid).ok()?)
    }
}

/// Returns the ID of this machine's current boot, or an empty text if the system does not report it. A
/// [`ProcessIdentity`] is not valid in another boot.
pub fn boot_id() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
    })
}

/// Returns `true` if the system reports no status of a process, but forbids to signal it.
fn is_hidden(told: Option<Status>, answer: rustix::io::Result<()>) -> bool {
    told.is_none() && answer == Err(rustix::io::Errno::PERM)
}

/// The status of a process, as the system reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) pid: u32,
    pub(crate) lives: bool,
    /// Whether a signal or a debugger has stopped it.
    pub(crate) stopped: bool,
    pub(crate) parent: u32,
    pub(crate) session: u32,
    pub(crate) start: u64,
}

impl Status {
    #[cfg(target_os = "linux")]
    fn read(pid: u32) -> Option<Self> {
        Self::parse(&std::fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    #[cfg(not(target_os = "linux"))]
    fn read(pid: u32) -> Option<Self> {
        let asked = rustix::process::test_kill_process(Pid::from_raw(i32::try_from(pid).ok()?)?);
        if !matches!(asked, Ok(()) | Err(rustix::io::Errno::PERM)) {
            return None;
        }
        Some(Self { pid, lives: true, stopped: false, parent: 0, session: 0, start: 0 })
    }

    /// Parses a line of `/proc/<pid>/stat`. The program's name in it may contain any character, including a closing
    /// parenthesis.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let line = String::from_utf8_lossy(line);
        let (pid, rest) = line.split_once(" (")?;
        let (_, rest) = rest.rsplit_once(") ")?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        let _group = fields.next()?;
        let session = fields.next()?.parse().ok()?;
        // Field 22 of the line is the start time; session was field 6.
        let start = fields.nth(15)?.parse().ok()?;
        Some(Self {
            pid: pid.parse().ok()?,
            lives: !matches!(state, "Z" | "X" | "x"),
            stopped: matches!(state, "T" | "t"),
            parent,
            session,
            start,
        })
    }

    /// Returns all processes, or none if the system has no `/proc`.
    pub(crate) fn all() -> Vec<Self> {
        let numbers = std::fs::read_dir("/proc").into_iter().flatten();
        let numbers = numbers.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        numbers.filter_map(Self::read).collect()
    }

    pub(crate) fn identity(self) -> ProcessIdentity {
        ProcessIdentity { pid: self.pid, start: self.start }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_brackets_and_spaces_is_read() {
        let line = b"42 (a) b (c)) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2 3";
        let status = Status::parse(line).unwrap();
        assert_eq!(status, Status { pid: 42, lives: true, stopped: false, parent: 7, session: 42, start: 98765 });
    }

    #[test]
    fn the_current_process_is_alive_and_one_with_another_start_time_is_not() {
        let current = ProcessIdentity::current();
        assert!(current.is_alive());
        assert!(!ProcessIdentity { start: current.start + 1, ..current }.is_alive());
    }

    #[test]
    fn a_process_that_exists_but_has_no_readable_status_is_hidden() {
        use rustix::io::Errno;
        assert!(is_hidden(None, Err(Errno::PERM)));
        assert!(!is_hidden(None, Err(Errno::SRCH)));
        assert!(!is_hidden(Status::read(std::process::id()), Err(Errno::PERM)));
        assert!(!ProcessIdentity::current().is_hidden());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_nearest_ancestor_with_a_name_is_found_and_its_end_is_waited_for() {
        let mut shell = std::process::Command::new("/bin/sh");
        shell.args(["-c", "sleep 1000 & echo $!; wait"]).stdout(std::process::Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(shell.stdout.as_mut().unwrap()), &mut line).unwrap();
        let sleeper = ProcessIdentity::of(line.trim().parse().unwrap()).unwrap();
        let parent = sleeper.ancestor(|name| name == "sh" || name == "dash").unwrap();
        assert_eq!(parent.pid, shell.id());
        assert_eq!(sleeper.ancestor(|_| false), None);
        let waiter = std::thread::spawn(move || parent.wait_for_end());
        shell.kill().unwrap();
        waiter.join().unwrap();
        assert!(!parent.is_alive());
        shell.wait().unwrap();
        sleeper.signal(Signal::KILL);
    }

    #[test]
    fn a_process_that_ended_and_was_not_waited_for_is_not_alive() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let identity = Status::read(child.id()).unwrap().identity();
        while identity.is_alive() {
            std::thread::yield_now();
        }
        assert!(!identity.is_alive());
        child.wait().unwrap();
    }
}
