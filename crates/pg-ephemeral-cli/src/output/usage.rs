//! Wrong usage that the parser of arguments can't see.

use clap::CommandFactory;
use clap::error::ErrorKind;

use super::spinner;
use crate::args::Arguments;

/// Ends as the parser of arguments does, for what only the whole command line shows.
pub(crate) fn wrong_usage(kind: ErrorKind, message: &str) -> ! {
    spinner::clear();
    Arguments::command().error(kind, message).exit()
}
