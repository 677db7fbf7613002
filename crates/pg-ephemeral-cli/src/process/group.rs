//! Tells a signal for the whole process group from one for this process alone. The system does not say, and a command
//! in the group has got the first kind already: passed on, it would be a second signal, which many programs take as
//! the wish to end at once.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use rustix::process::Pid;
#[cfg(target_os = "linux")]
use rustix::process::{Resource, Rlimit, prlimit};

/// A process of this process's group that does nothing but die of the first signal.
pub(crate) struct GroupWitness(Option<Child>);

impl GroupWitness {
    /// Without such a process every signal counts as one for this process alone.
    pub(crate) fn start() -> Self {
        // It reads from a pipe whose other end is here, so it ends with this process, whatever ends that.
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

    /// Whether a signal that this process got went to the whole group. The system signals the youngest processes of a group
    /// first, so the witness has got it by now, though it may not be dead yet.
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

/// Whether a process has ended or has a signal to die of; never where the system has no `/proc`.
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

    /// A test must not signal its own group, in which other tests run.
    #[test]
    fn a_signal_that_the_witness_has_got_went_to_the_group() {
        for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
            let mut witness = GroupWitness::start();
            assert!(!witness.has_got(signal.as_raw()));
            kill_process(Pid::from_child(witness.0.as_ref().unwrap()), signal).unwrap();
            // A core file takes a moment, though it is not written.
            while !witness.has_got(signal.as_raw()) {
                assert_eq!(signal, Signal::QUIT);
            }
            witness.0.as_mut().unwrap().wait().unwrap();
            assert!(witness.has_got(signal.as_raw()));
            assert!(!witness.has_got(Signal::USR1.as_raw()));
        }
    }
}
