//! Reports wrong usage that the argument parser can't detect.

use clap::CommandFactory;
use clap::error::ErrorKind;

use super::spinner;
use crate::args::Arguments;

/// Prints a usage error and exits as the argument parser does. Used for rules that involve several arguments.
pub(crate) fn wrong_usage(kind: ErrorKind, message: &str) -> ! {
    spinner::clear();
    Arguments::command().error(kind, message).exit()
}
