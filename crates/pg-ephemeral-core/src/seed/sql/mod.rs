//! Just enough of SQL's syntax to run a file of it as psql would: where statements begin and end, what only psql
//! understands, and which line an error is on. It must not know connections or files, and leaves everything else to
//! the server.

mod lexer;
mod place;
mod script;

pub use place::Place;
pub(super) use script::{Batch, SqlScript};
pub use script::{PsqlFeature, PsqlOnly};
