//! What pg_dump and pg_dumpall wrote, on its way into a server. How psql and pg_restore are run is not known here.

mod load;
mod missing_roles;
mod skip;

pub use load::LoadDumpError;
pub(super) use load::{Dump, DumpForm};
pub(super) use missing_roles::RoleNames;
pub(super) use skip::SkipExisting;
