//! Work that blocks, on threads of its own. Tokio's pool for such work panics when the system refuses a thread, as it
//! does under a limit of processes. Here that is an error.

use std::io;
use std::pin::Pin;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;

/// How many threads are at work.
static RUNNING: Mutex<usize> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

/// Begins work on a thread of its own. It is done to its end, also when nobody waits for it.
///
/// # Errors
/// When the system refuses a thread.
pub fn start(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let running = Running::new();
    let work = move || {
        let _running = running;
        work();
    };
    std::thread::Builder::new().name("ociman-blocking".to_owned()).spawn(work).map(drop)
}

/// Begins work as [`start`] does, and returns a future of its result.
///
/// # Errors
/// The future fails when the system refuses a thread, or the work panics.
pub fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Blocking<T> {
    let (sender, receiver) = oneshot::channel();
    // When nobody waits any more the result is dropped on the thread.
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

/// Blocks until all work that has begun is done, or the limit has passed: for a process that is about to exit.
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
    fn a_process_about_to_exit_waits_for_work_whose_result_nobody_wants() {
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
