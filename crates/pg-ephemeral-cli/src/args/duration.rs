//! Durations on the command line.

use std::time::Duration;

/// A duration, in words that say what one looks like when it is none.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("it is a number with a unit, such as 90s, 2h or 30d: {error}"))
}

pub(super) fn time_to_live(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it must be more than zero".to_owned()),
        duration => Ok(duration),
    }
}
