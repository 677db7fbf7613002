//! Seeds: the named steps that put schema and data into an instance.
//!
//! [`spec`] is what the user wrote. [`load()`] reads what it points to, which gives [`LoadedSeeds`] with the hash of each;
//! together with the key of the base layer they are a [`Chain`](crate::layer::Chain). [`apply()`] runs one of them against a
//! server that somebody else started. This module must not start servers, know backends or decide what is cached.
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
//! let seeds = pg_ephemeral_core::seed::load(&main.seeds, &main.folder).await?;
//!
//! let base: SeedHash = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262".parse()?;
//! assert_eq!(seeds.chain(base).links()[0].name.as_str(), "schema");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod apply;
mod csv;
mod events;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod kind;
mod load;
mod loaded;
mod process;
pub mod spec;
pub mod sql;

pub use apply::{
    ApplyContext, ApplyError, ChildEnvironment, CopyError, Location, PostgresError, ProgramError, SqlError, apply,
    copy_csv, run_sql,
};
pub use csv::{CsvFile, CsvFileError, CsvHeaderError};
pub use events::{ApplyEvent, EventSink, OutputStream};
pub use kind::{SeedKind, UnknownSeedKind};
pub use load::{GitError, LoadError, load};
pub use loaded::{LoadedSeed, LoadedSeeds, SqlSource};
