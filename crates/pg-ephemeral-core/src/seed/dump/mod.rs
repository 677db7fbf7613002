//! Reads dumps of pg_dump and pg_dumpall, and prepares them for a server. This module does not run psql and pg_restore.

mod load;
mod missing_roles;
mod skip;

pub use load::LoadDumpError;
pub(super) use load::{Dump, DumpForm};
pub(super) use missing_roles::RoleNames;
pub(super) use skip::SkipExisting;
