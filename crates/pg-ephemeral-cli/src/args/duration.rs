//! Durations on the command line.

use std::time::Duration;

/// Parses a duration; the error says what a duration looks like.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("expected a number with a unit, such as 90s, 2h or 30d: {error}"))
}

pub(super) fn time_to_live(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it must be more than zero".to_owned()),
        duration => Ok(duration),
    }
}
