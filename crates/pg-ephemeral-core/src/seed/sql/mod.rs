//! SQL that psql runs, and the files that it includes.
//!
//! Which files those are is found by a [scan](scan) that reads no SQL: it looks for psql's commands wherever a backslash
//! stands. A file that is found without need only adds to the key.

mod load;
mod scan;
mod source;

pub(crate) use load::{LoadSqlError, SqlScript, unknown_includes};
#[cfg(any(test, feature = "fuzzing"))]
pub(super) use scan::references_in;
pub use source::SqlSource;
