//! Prints results on standard output.

use std::io::Write;
use std::time::SystemTime;

use serde::Serialize;

use super::failure::Failure;
use super::spinner;

pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(Failure::new)?;
    print_line(&text)
}

/// Prints one line of a result on standard output.
pub(crate) fn print_line(line: &str) -> Result<(), Failure> {
    print_bytes(format!("{line}\n").as_bytes())
}

/// Prints a result on standard output, byte for byte.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    spinner::clear();
    match std::io::stdout().lock().write_all(bytes) {
        // A broken pipe is no failure: the reader has closed it because it needs no more.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::with_cause("write the result to standard output", error))
        }
        _ => Ok(()),
    }
}

/// Formats a point in time according to RFC 3339, in whole seconds.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}
