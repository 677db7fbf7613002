//! Runs blocking work on threads of its own. Tokio's pool for such work panics if the system refuses to create a
//! thread, as it does under a process limit. This module returns an error instead.

use std::io;
use std::pin::Pin;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;

/// The number of threads at work.
static RUNNING: Mutex<usize> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

/// Starts work on a new thread. The work runs to its end, even if nobody waits for it.
///
/// # Errors
/// Returns an error if the system refuses to create a thread.
pub fn start(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let running = Running::new();
    let work = move || {
        let _running = running;
        work();
    };
    std::thread::Builder::new().name("ociman-blocking".to_owned()).spawn(work).map(drop)
}

/// Starts work as [`start`] does, and returns a future of its result.
///
/// # Errors
/// The future returns an error if the system refuses to create a thread, or if the work panics.
pub fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Blocking<T> {
    let (sender, receiver) = oneshot::channel();
    // If the future has been dropped, the result is dropped on the thread.
    let started = start(move || drop(sender.send(work())));
    Blocking { refused: started.err(), result: receiver }
}

/// A future of the result of blocking work.
#[derive(Debug)]
pub struct Blocking<T> {
    refused: Option<io::Error>,
    result: oneshot::Receiver<T>,
}

impl<T> Future for Blocking<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(error) = self.refused.take() {
            return Poll::Ready(Err(error));
        }
        let result = Pin::new(&mut self.result).poll(context);
        result.map_err(|_| io::Error::other("a thread that did blocking work panicked"))
    }
}

/// Blocks until all started work is done or `limit` has passed. Meant for a process that is about to exit.
pub fn wait_for_all(limit: Duration) {
    // The lock can't be poisoned by a panic, since nothing under it panics.
    drop(ENDED.wait_timeout_while(running(), limit, |running| *running > 0));
}

struct Running;

impl Running {
    fn new() -> Self {
        *running() += 1;
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        *running() -= 1;
        ENDED.notify_all();
    }
}

fn running() -> MutexGuard<'static, usize> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;

    #[tokio::test]
    async fn work_gives_its_result_and_a_panic_is_an_error() {
        assert_eq!(run(|| 40 + 2).await.unwrap(), 42);
        run(|| panic!("on purpose")).await.unwrap_err();
    }

    #[test]
    fn waiting_for_all_work_includes_work_whose_future_was_dropped() {
        static DONE: AtomicBool = AtomicBool::new(false);
        let (go, wait) = mpsc::channel();
        drop(run(move || {
            wait.recv().unwrap();
            DONE.store(true, Ordering::SeqCst);
        }));
        wait_for_all(Duration::from_millis(10));
        assert!(!DONE.load(Ordering::SeqCst), "the limit counts");
        go.send(()).unwrap();
        wait_for_all(Duration::from_secs(60));
        assert!(DONE.load(Ordering::SeqCst));
    }
}
