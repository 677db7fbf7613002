//! Distinguishes a signal to the whole process group from a signal to this process alone. The system does not report
//! the difference. A command in the group has already received a signal to the whole group; if the signal were passed
//! on, the command would receive it twice, and many programs take a second signal as a request to end at once.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use rustix::process::Pid;
#[cfg(target_os = "linux")]
use rustix::process::{Resource, Rlimit, prlimit};

/// A process in this process's group that does nothing until a signal kills it.
pub(crate) struct GroupWitness(Option<Child>);

impl GroupWitness {
    /// Starts the witness. If it can't be started, every signal counts as a signal to this process alone.
    pub(crate) fn start() -> Self {
        // `cat` reads from a pipe whose other end this process holds, so it ends when this process ends for any reason.
        let mut cat = Command::new("cat");
        cat.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let witness = cat.spawn().ok();
        #[cfg(target_os = "linux")]
        if let Some(pid) = witness.as_ref().map(Pid::from_child) {
            // SIGQUIT would leave a core file.
            let none = Rlimit { current: Some(0), maximum: Some(0) };
            let _ = prlimit(Some(pid), Resource::Core, none);
        }
        Self(witness)
    }

    /// Returns `true` if a signal that this process received went to the whole group. The system signals the youngest
    /// processes of a group first, so the witness has received the signal by now, but it may not be dead yet.
    pub(crate) fn has_got(&mut self, signal: i32) -> bool {
        let Some(witness) = &mut self.0 else { return false };
        match witness.try_wait() {
            Ok(Some(status)) => status.signal() == Some(signal),
            Ok(None) => is_dying(witness.id()),
            Err(_) => false,
        }
    }
}

impl Drop for GroupWitness {
    fn drop(&mut self) {
        if let Some(witness) = &mut self.0 {
            // It may be dead already.
            let _ = witness.kill();
            let _ = witness.wait();
        }
    }
}

/// Returns `true` if a process has ended or a signal is pending for it. Always returns `false` on a system without
/// `/proc`.
fn is_dying(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let is_pending = |name| field(name).is_some_and(|mask| mask.bytes().any(|digit| digit != b'0'));
    field("State:").is_some_and(|state| state.starts_with(['Z', 'X'])) || is_pending("SigPnd:") || is_pending("ShdPnd:")
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use rustix::process::{Signal, kill_process};

    /// Signals the witness alone, because other tests may run in the test's own process group.
    #[test]
    fn a_signal_that_the_witness_has_got_went_to_the_group() {
        for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
            let mut witness = GroupWitness::start();
            assert!(!witness.has_got(signal.as_raw()));
            kill_process(Pid::from_child(witness.0.as_ref().unwrap()), signal).unwrap();
            // Only SIGQUIT may need a moment: the system prepares a core file even though it writes none.
            while !witness.has_got(signal.as_raw()) {
                assert_eq!(signal, Signal::QUIT);
            }
            witness.0.as_mut().unwrap().wait().unwrap();
            assert!(witness.has_got(signal.as_raw()));
            assert!(!witness.has_got(Signal::USR1.as_raw()));
        }
    }
}
