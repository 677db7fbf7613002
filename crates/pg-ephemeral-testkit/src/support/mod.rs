//! Helpers that several parts of this crate use: failing a test, waiting, temporary folders and shared memory.

use std::fmt::Display;
use std::time::{Duration, Instant};

pub mod base_layer;
pub mod memory;
pub(crate) mod short_folder;

/// Waits until a condition is true, checking it every 2 ms. The wait ends as soon as the condition is true, so a
/// generous limit costs no time.
///
/// # Panics
/// Panics if the condition is still false after the time limit. The message names `what`.
#[track_caller]
pub fn wait_until(what: impl Display, limit: Duration, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        if begin.elapsed() > limit {
            fail(format!("not within {} s: {what}", limit.as_secs_f32()));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until a condition is true, as [`wait_until`], without blocking the async runtime.
///
/// # Panics
/// Panics if the condition is still false after the time limit. The message names `what`.
pub async fn wait_until_async(what: impl Display, limit: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !holds().await {
        if begin.elapsed() > limit {
            fail(format!("not within {} s: {what}", limit.as_secs_f32()));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Fails the test by a panic.
#[allow(clippy::panic)]
#[track_caller]
pub(crate) fn fail(message: String) -> ! {
    panic!("{message}")
}

#[track_caller]
pub(crate) fn must<T, E: Display>(result: Result<T, E>, what: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => fail(format!("{what}: {error}")),
    }
}
