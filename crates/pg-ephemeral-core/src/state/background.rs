//! The background: one thread with one runtime, which lives as long as the process.
//!
//! Its contract:
//! - What is given to it is done to its end, even when the future that wanted it is dropped, the caller's runtime shuts down or
//!   the caller panics. Only the end of the process cuts it off.
//! - Nothing on it may block: all work of the process shares the thread. [`block_on`] therefore only begins the work when it
//!   is called there.
//! - Work that has to be done to its end and may itself block on the background runs on a thread of its own:
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

/// Runs a future to its end in the background.
///
/// # Errors
/// When the thread or its runtime could not be made, which only happens when the system is out of them.
pub(crate) fn spawn<F>(future: F) -> io::Result<JoinHandle<F::Output>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Ok(handle()?.spawn(future))
}

/// As [`spawn`], and blocks the calling thread until the future is done or the limit has passed. The background thread itself,
/// where a value may be dropped that nobody waited for, would wait for itself: there it is only begun.
pub(crate) fn block_on<F>(future: F, limit: Duration)
where
    F: Future<Output = ()> + Send + 'static,
{
    if thread::current().name() == Some(NAME) {
        // It has a runtime, for this is its thread.
        return drop(spawn(future));
    }
    // Dropping the task waits.
    drop(finish(future, limit));
}

/// As [`spawn`]; dropping the task blocks until the future is done, or the limit has passed.
pub(crate) fn finish<F>(future: F, limit: Duration) -> io::Result<Task<F::Output>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let (answer, task) = task(limit);
    spawn(async move { answer.give(Ok(future.await)) })?;
    Ok(task)
}

/// Runs a future to its end on a thread of its own, even when nobody wants it any more: dropping this future blocks until the
/// end, or until the limit has passed.
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

/// Work that is done to its end. Dropping it blocks until then, or until its limit has passed.
pub(crate) struct Task<T> {
    output: oneshot::Receiver<io::Result<T>>,
    /// The channel closes at the end of the work.
    finished: Option<mpsc::Receiver<()>>,
    limit: Duration,
}

/// What the work gives its output to. The work is done when this is dropped.
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
        // Whoever is gone does not need to know any more.
        let _ = self.output.send(output);
    }
}

impl<T> Task<T> {
    /// Waits for the end of the work.
    ///
    /// # Errors
    /// When the work panicked, or could not begin.
    pub(crate) async fn output(mut self) -> io::Result<T> {
        let output = (&mut self.output).await;
        self.finished = None;
        output.map_err(|_| io::Error::from(io::ErrorKind::Interrupted))?
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if let Some(finished) = self.finished.take() {
            // Nothing is ever sent; the error says that it is done, or that the limit has passed.
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
    // A runtime that is made here and dropped, because the system refuses the thread, would panic within another runtime.
    thread::Builder::new().name(NAME.to_owned()).spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        // The receiver waits for exactly this.
        let _ = made.send(runtime.as_ref().map(|runtime| runtime.handle().clone()).map_err(io::Error::kind));
        if let Ok(runtime) = runtime {
            runtime.block_on(std::future::pending::<()>());
        }
    })?;
    let made = runtime_of_thread.recv().map_err(|_| io::Error::from(io::ErrorKind::Interrupted))?;
    let handle = made.map_err(io::Error::from)?;
    // When two threads were here at once, the thread of the first is everyone's and the other idles.
    Ok(BACKGROUND.get_or_init(|| handle).clone())
}
