//! The background thread: one thread with one Tokio runtime, which lives as long as the process.
//!
//! Its contract:
//! - Work on it is completed, even if the caller drops its future or panics, or the caller's runtime shuts down. Only
//!   the
//!   end of the process interrupts it.
//! - Work on it must not block, because all background work of the process shares the thread. So [`block_on`] does not
//!   wait if it is called on this thread.
//! - Work that must be completed and that may itself wait for the background thread runs on its own thread:
//!   [`on_own_thread`].

use std::future::Future;
use std::io;
use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The name of the thread.
const NAME: &str = "pg-ephemeral-background";

/// Runs a future to completion on the background thread.
///
/// # Errors
/// Returns an error if the thread or its runtime can't be created, for example if the system has reached a limit.
pub(crate) fn spawn<F>(future: F) -> io::Result<JoinHandle<F::Output>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Ok(handle()?.spawn(future))
}

/// As [`spawn`], but blocks the calling thread until the future is done or the limit has passed. On the background
/// thread, which may run a `Drop` that calls this, blocking would be a deadlock. There the function only spawns the
/// future.
pub(crate) fn block_on<F>(future: F, limit: Duration)
where
    F: Future<Output = ()> + Send + 'static,
{
    if thread::current().name() == Some(NAME) {
        // `spawn` can't fail here, because the background thread exists.
        return drop(spawn(future));
    }
    // Dropping the task waits for it.
    drop(finish(future, limit));
}

/// As [`spawn`], but dropping the returned task blocks until the future is done or the limit has passed.
pub(crate) fn finish<F>(future: F, limit: Duration) -> io::Result<Task<F::Output>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let (answer, task) = task(limit);
    spawn(async move { answer.give(Ok(future.await)) })?;
    Ok(task)
}

/// Runs a future to completion on its own thread. Dropping the returned future does not cancel the work, but blocks
/// until the work is done or the limit has passed.
///
/// # Errors
/// Returns an error if the thread or its runtime can't be created, or if the work panics.
pub(crate) async fn on_own_thread<F, O>(make: F, limit: Duration) -> io::Result<O>
where
    F: AsyncFnOnce() -> O + Send + 'static,
    O: Send + 'static,
{
    let (answer, task) = task(limit);
    thread::Builder::new().name("pg-ephemeral-session".to_owned()).spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        answer.give(runtime.map(|runtime| runtime.block_on(make())));
    })?;
    task.output().await
}

/// Work that can't be cancelled. Dropping the task blocks until the work is done or the limit has passed.
pub(crate) struct Task<T> {
    output: oneshot::Receiver<io::Result<T>>,
    /// A channel that closes when the work is done.
    finished: Option<mpsc::Receiver<()>>,
    limit: Duration,
}

/// The sender of the work's output. Dropping it signals that the work is done.
struct Answer<T> {
    output: oneshot::Sender<io::Result<T>>,
    _finished: mpsc::Sender<()>,
}

fn task<T>(limit: Duration) -> (Answer<T>, Task<T>) {
    let (answer, output) = oneshot::channel();
    let (finish, finished) = mpsc::channel();
    (Answer { output: answer, _finished: finish }, Task { output, finished: Some(finished), limit })
}

impl<T> Answer<T> {
    fn give(self, output: io::Result<T>) {
        // If the receiver is gone, the output is not needed any more.
        let _ = self.output.send(output);
    }
}

impl<T> Task<T> {
    /// Waits until the work is done and returns its output.
    ///
    /// # Errors
    /// Returns an error if the work panicked or could not be started.
    pub(crate) async fn output(mut self) -> io::Result<T> {
        let output = (&mut self.output).await;
        self.finished = None;
        output.map_err(|_| io::Error::from(io::ErrorKind::Interrupted))?
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if let Some(finished) = self.finished.take() {
            // Nothing is ever sent. The error means that the work is done, or that the limit has passed.
            let _ = finished.recv_timeout(self.limit);
        }
    }
}

fn handle() -> io::Result<Handle> {
    static BACKGROUND: OnceLock<Handle> = OnceLock::new();
    if let Some(handle) = BACKGROUND.get() {
        return Ok(handle.clone());
    }
    let (made, runtime_of_thread) = mpsc::channel();
    // The runtime is built on the new thread. If it were built here and the thread could not be created, the runtime
    // would be dropped here, which panics within another runtime.
    thread::Builder::new().name(NAME.to_owned()).spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        // The receiver below waits for this message, so sending does not fail.
        let _ = made.send(runtime.as_ref().map(|runtime| runtime.handle().clone()).map_err(io::Error::kind));
        if let Ok(runtime) = runtime {
            runtime.block_on(std::future::pending::<()>());
        }
    })?;
    let made = runtime_of_thread.recv().map_err(|_| io::Error::from(io::ErrorKind::Interrupted))?;
    let handle = made.map_err(io::Error::from)?;
    // If two threads get here at the same time, the first background thread is used, and the other one stays idle.
    Ok(BACKGROUND.get_or_init(|| handle).clone())
}
