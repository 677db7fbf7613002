//! Lets benches clean up when a signal interrupts them.

use tokio::signal::unix::{SignalKind, signal};

use super::Failure;

/// Waits for the work, or returns an error if SIGINT or SIGTERM arrives first. The caller then cleans up.
pub(crate) async fn until_signal<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        ended = work => ended,
        _ = interrupt.recv() => Err("interrupted".into()),
        _ = terminate.recv() => Err("terminated".into()),
    }
}
