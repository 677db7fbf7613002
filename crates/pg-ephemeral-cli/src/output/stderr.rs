//! Prints warnings and messages on standard error.

use std::io::Write;

use super::spinner;
use crate::args::Global;

pub(crate) const BOLD_RED: &str = "\x1b[1;31m";
const BOLD_YELLOW: &str = "\x1b[1;33m";
pub(crate) const BOLD: &str = "\x1b[1m";
pub(crate) const RESET: &str = "\x1b[0m";

/// Prints a warning and a hint on standard error.
pub(crate) fn warn(message: &str, hint: &str) {
    say(&format!("{BOLD_YELLOW}warning:{RESET} {message}\n{BOLD}hint:{RESET} {hint}"));
}

/// Prints one line on standard error.
pub(crate) fn say(line: &str) {
    // A closed standard error is ignored: there is no other place for the message.
    spinner::suspend(|| drop(writeln!(anstream::stderr().lock(), "{line}")));
}

/// Prints one line on standard error, unless `--quiet` was given.
pub(crate) fn tell(global: &Global, line: &str) {
    if !global.quiet {
        say(line);
    }
}
