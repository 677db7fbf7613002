//! What several parts of this crate need: ending a test, waiting in one, folders and what is in memory.

use std::fmt::Display;
use std::time::{Duration, Instant};

pub mod base_layer;
pub mod memory;
pub(crate) mod short_folder;

/// Asks until the answer is yes. The limit is for a machine that is busy: an answer ends the wait at once.
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

/// Asks as [`wait_until`] does, without keeping the runtime from its work.
pub async fn wait_until_async(what: impl Display, limit: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !holds().await {
        if begin.elapsed() > limit {
            fail(format!("not within {} s: {what}", limit.as_secs_f32()));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Ends the test.
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
