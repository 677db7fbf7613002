//! Seeds: the named steps that put schema and data into an instance.
//!
//! [`spec`] describes seeds as the user wrote them. [`read()`] reads everything that they point to and returns
//! [`ReadSeeds`], with a hash for each seed. Together with the key of the base layer, these form a
//! [`Chain`](crate::layer::Chain). `apply` applies one seed to a running server. This module must not start servers,
//! know backends or decide what is cached.
//!
//! ```
//! use pg_ephemeral_core::config::{Config, Overrides};
//! use pg_ephemeral_core::layer::SeedHash;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let text = r#"
//! [instances.main.seeds.schema]
//! type = "sql-statement"
//! statement = "create table orders (id bigint primary key)"
//! "#;
//! let main = Config::parse(text, "/project/database.toml")?.instance(&"main".parse()?, &Overrides::default())?;
//! let seeds = pg_ephemeral_core::seed::read(&main.seeds, &main.folder).await?;
//!
//! let base: SeedHash = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262".parse()?;
//! assert_eq!(seeds.chain(base).links()[0].name.as_str(), "schema");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod apply;
mod archive;
mod csv;
mod dump;
mod events;
mod files;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod git;
mod load;
mod loaded;
mod process;
mod read_seeds;
mod sql;
mod unkeyed;

pub use crate::model::seed::{SeedKind, UnknownSeedKind, spec};
pub use crate::postgres::client::ClientProgramError;
pub(crate) use apply::{ApplyContext, ChildEnvironment, apply, copy_csv, run_sql};
pub use apply::{ApplyError, CopyError, Location, PostgresError, ProgramError, RestoreError, SqlError};
pub use archive::{ArchiveFormat, ForeignFormat};
pub use csv::{CsvFile, CsvFileError, CsvHeaderError};
pub use dump::LoadDumpError;
pub use events::{ApplyEvent, EventSink, OutputStream};
pub use files::FilesError;
pub(crate) use files::find as find_files;
pub use git::GitError;
pub(crate) use load::read_with;
pub use load::{ReadError, read};
pub use loaded::{LoadedSeed, LoadedSeeds, SeedCacheStatus};
pub(crate) use process::{COMMAND_HINT, names_program_with_arguments};
pub use read_seeds::{ReadSeed, ReadSeeds};
pub use sql::SqlSource;
pub(crate) use sql::{LoadSqlError, SqlScript};
pub(crate) use unkeyed::of_seed as unkeyed_files_of_seed;
pub use unkeyed::{UnkeyedFiles, unkeyed_files};
