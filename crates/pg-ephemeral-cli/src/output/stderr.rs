//! Lines on standard error that are no errors.

use std::io::Write;

use super::spinner;
use crate::args::Global;

pub(crate) const BOLD_RED: &str = "\x1b[1;31m";
const BOLD_YELLOW: &str = "\x1b[1;33m";
pub(crate) const BOLD: &str = "\x1b[1m";
pub(crate) const RESET: &str = "\x1b[0m";

/// A warning on standard error, with what to do about it.
pub(crate) fn warn(message: &str, hint: &str) {
    say(&format!("{BOLD_YELLOW}warning:{RESET} {message}\n{BOLD}hint:{RESET} {hint}"));
}

/// One line on standard error.
pub(crate) fn say(line: &str) {
    // A closed standard error leaves nobody to tell.
    spinner::suspend(|| drop(writeln!(anstream::stderr().lock(), "{line}")));
}

/// One line on standard error, unless the caller wants none.
pub(crate) fn tell(global: &Global, line: &str) {
    if !global.quiet {
        say(line);
    }
}
