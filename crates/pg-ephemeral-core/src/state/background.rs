//! A thread that finishes what must be finished even when the future that wanted it is dropped, its runtime shuts down
//! or its caller panics: starting a container, and removing it. It lives as long as the process.

use std::future::Future;
use std::sync::OnceLock;
use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The name of the thread.
const NAME: &str = "pg-ephemeral-background";

/// Runs a future to its end on the background thread.
///
/// # Errors
/// When the thread or its runtime could not be made, which only happens when the system is out of them.
pub(crate) fn spawn<F>(future: F) -> std::io::Result<JoinHandle<F::Output>>
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
    if std::thread::current().name() == Some(NAME) {
        // It has a runtime, for this is its thread.
        return drop(spawn(future));
    }
    let (done, waiting) = mpsc::channel();
    let spawned = spawn(async move {
        future.await;
        // The receiver is gone only when the limit has passed.
        let _ = done.send(());
    });
    if spawned.is_ok() {
        let _ = waiting.recv_timeout(limit);
    }
}

/// As [`spawn`]; dropping what is given back blocks until the future is done, or the limit has passed.
pub(crate) fn spawn_and_wait_when_dropped<F>(future: F, limit: Duration) -> std::io::Result<Unfinished>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (done, finished) = mpsc::channel::<()>();
    spawn(async move {
        let _done = done;
        future.await;
    })?;
    Ok(Unfinished { finished: Some(finished), limit })
}

/// Runs a future to its end on a thread of its own, also when nobody wants it any more: then dropping this blocks until
/// it is there, or the limit has passed. For what must not be left half done and may itself block on the background thread.
pub(crate) async fn to_the_end<F, O>(make: F, limit: Duration) -> std::io::Result<O>
where
    F: AsyncFnOnce() -> O + Send + 'static,
    O: Send + 'static,
{
    let (answer, answered) = oneshot::channel();
    let (done, finished) = mpsc::channel::<()>();
    std::thread::Builder::new().name("pg-ephemeral-session".to_owned()).spawn(move || {
        let _done = done;
        let runtime = Builder::new_current_thread().enable_all().build();
        // Whoever is gone does not need to know any more.
        let _ = answer.send(runtime.map(|runtime| runtime.block_on(make())));
    })?;
    let mut unfinished = Unfinished { finished: Some(finished), limit };
    let output = answered.await;
    unfinished.finished = None;
    output.map_err(|_| std::io::Error::from(std::io::ErrorKind::Interrupted))?
}

/// Something that is done to its end although nobody waits: the channel closes then.
pub(crate) struct Unfinished {
    finished: Option<mpsc::Receiver<()>>,
    limit: Duration,
}

impl Unfinished {
    /// There is nothing to wait for any more.
    pub(crate) fn finished(mut self) {
        self.finished = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(finished) = self.finished.take() {
            // Nothing is ever sent; the error says that it is done, or that the limit has passed.
            let _ = finished.recv_timeout(self.limit);
        }
    }
}

fn handle() -> std::io::Result<Handle> {
    static BACKGROUND: OnceLock<Handle> = OnceLock::new();
    if let Some(handle) = BACKGROUND.get() {
        return Ok(handle.clone());
    }
    let (made, runtime_of_thread) = mpsc::channel();
    // A runtime that is made here and dropped, because the system refuses the thread, would panic within another runtime.
    std::thread::Builder::new().name(NAME.to_owned()).spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        // The receiver waits for exactly this.
        let _ = made.send(runtime.as_ref().map(|runtime| runtime.handle().clone()).map_err(std::io::Error::kind));
        if let Ok(runtime) = runtime {
            runtime.block_on(std::future::pending::<()>());
        }
    })?;
    let made = runtime_of_thread.recv().map_err(|_| std::io::Error::from(std::io::ErrorKind::Interrupted))?;
    let handle = made.map_err(std::io::Error::from)?;
    // When two threads were here at once, the thread of the first is everyone's and the other idles.
    Ok(BACKGROUND.get_or_init(|| handle).clone())
}
