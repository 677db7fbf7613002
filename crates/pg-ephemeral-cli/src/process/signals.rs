//! Receives all signals of this process. SIGINT, SIGTERM, SIGHUP and SIGQUIT become events; the code that waits for an
//! event decides what it means.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::output::Failure;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::Cause;
use tokio::sync::mpsc;

/// A signal that asks this process to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    /// The signal's number.
    pub(crate) number: i32,
    /// The sender of the signal.
    pub(crate) sender: Sender,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// The terminal, which sends a signal to every process in the foreground.
    Terminal,
    /// A process, which may have sent the signal to this process alone.
    Process,
}

/// The receiver of signals.
#[derive(Debug)]
pub(crate) struct Signals {
    events: mpsc::UnboundedReceiver<Event>,
    was_interrupted: Arc<AtomicBool>,
}

impl Signals {
    /// Starts to receive signals, which from now on no longer end this process. Children do not ignore a signal that is
    /// caught here, even if a shell started this process in the background with the signal ignored.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let ending = [SIGINT, SIGTERM, SIGQUIT].into_iter().chain((!hangup_is_ignored()).then_some(SIGHUP));
        let was_interrupted = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGINT, was_interrupted.clone())?;
        let mut incoming = SignalsInfo::<WithOrigin>::new(ending)?;
        let (sender, receiver) = mpsc::unbounded_channel();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for origin in incoming.forever() {
                let by = if matches!(origin.cause, Cause::Kernel) { Sender::Terminal } else { Sender::Process };
                if sender.send(Event { number: origin.signal, sender: by }).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { events: receiver, was_interrupted })
    }

    /// Waits for the next signal. Never resolves if no more signals can arrive.
    pub(crate) async fn next(&mut self) -> Event {
        match self.events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }

    /// Returns `true` if SIGINT has arrived, even if [`Self::next`] has not returned its event yet.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.was_interrupted.load(Ordering::Relaxed)
    }
}

/// Runs a future until it completes or a signal arrives. A signal drops the future, whose parts clean up when they are
/// dropped.
pub(crate) async fn until_signal<T>(signals: &mut Signals, future: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::select! {
        biased;
        event = signals.next() => Err(Failure::Interrupted { signal: event.number }),
        value = future => Ok(value),
    }
}

/// Ends this process by SIGINT, or returns the exit status for another signal. A shell stops a script or a loop when
/// SIGINT kills a command, but goes on after a command that exits, so this process must die of SIGINT to pass it on.
/// Process 1 can't die of a signal, so it gets an exit status as well.
pub(crate) fn end_by(signal: i32) -> ExitCode {
    if signal == SIGINT && !rustix::process::getpid().is_init() {
        // The standard library flushes standard output at an exit, but not when a signal kills the process.
        let _ = std::io::stdout().flush();
        let _ = signal_hook::low_level::emulate_default_handler(SIGINT);
    }
    ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX))
}

/// Returns `true` if this process was started with SIGHUP ignored, as `nohup` does, so that it outlives the terminal.
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (SIGHUP - 1)) != 0
}
