//! Ending a test when something is not as it must be.

use std::fmt::Display;

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
