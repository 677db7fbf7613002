//! SQL that psql runs, and the files that it includes.
//!
//! A [scan](scan) finds these files without parsing SQL: it looks for psql's commands after every backslash. If it
//! finds a file that psql does not read, the only effect is that the key depends on this file, too.

mod load;
mod scan;
mod source;

pub(crate) use load::{LoadSqlError, SqlScript, unknown_includes};
#[cfg(any(test, feature = "fuzzing"))]
pub(super) use scan::references_in;
pub use source::SqlSource;
