//! The one place where signals arrive. SIGINT, SIGTERM, SIGHUP and SIGQUIT become events; what they mean is decided by
//! whoever waits for them.

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

/// A signal that asks for the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its number.
    pub(crate) number: i32,
    /// Who sent it.
    pub(crate) sender: Sender,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// The terminal, which sends it to every process in the foreground.
    Terminal,
    /// A process, which sent it to us alone, for all we know.
    Process,
}

/// Receives signals.
#[derive(Debug)]
pub(crate) struct Signals {
    events: mpsc::UnboundedReceiver<Event>,
    was_interrupted: Arc<AtomicBool>,
}

impl Signals {
    /// From now on these signals no longer end this process. A signal that is caught here is not ignored by children
    /// either, even if a shell started us in the background with it ignored.
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

    /// The next signal. Never resolves when there can be none any more.
    pub(crate) async fn next(&mut self) -> Event {
        match self.events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }

    /// Whether SIGINT has come, also before its event has been received.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.was_interrupted.load(Ordering::Relaxed)
    }
}

/// A future that a signal cuts off; what it had begun cleans up after itself.
pub(crate) async fn until_signal<T>(signals: &mut Signals, future: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::select! {
        biased;
        event = signals.next() => Err(Failure::Interrupted { signal: event.number }),
        value = future => Ok(value),
    }
}

/// Ends this process as a signal has ended what it ran. A shell stops a script or a loop when a command dies of SIGINT,
/// and goes on after one that exits, so SIGINT is passed on to whoever waits for this process by dying of it. Process 1
/// can't die of a signal. Returns the exit status where the process does not die.
pub(crate) fn end_by(signal: i32) -> ExitCode {
    if signal == SIGINT && !rustix::process::getpid().is_init() {
        // Dying skips what the standard library does at an exit.
        let _ = std::io::stdout().flush();
        let _ = signal_hook::low_level::emulate_default_handler(SIGINT);
    }
    ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX))
}

/// Whether `nohup`, or whoever else started us, wants us to outlive the terminal.
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (SIGHUP - 1)) != 0
}
