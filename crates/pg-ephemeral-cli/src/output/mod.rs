//! Everything that this binary prints: results, progress, warnings and errors. Only this module draws on the terminal.

mod failure;
mod print;
mod progress;
pub(crate) mod spinner;
mod stderr;
mod table;
mod usage;

pub(crate) use failure::{FAILED, FAILED_AROUND, Failure, NOT_EXECUTABLE, NOT_FOUND};
pub(crate) use print::{print_bytes, print_json, print_line, rfc3339};
pub(crate) use progress::Progress;
pub(crate) use stderr::{tell, warn};
pub(crate) use table::{print_table, without_control};
pub(crate) use usage::wrong_usage;
