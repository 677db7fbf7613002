//! What can be said about the configuration.

use clap::Subcommand;

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Config {
    /// Check the configuration, and that the files of its seeds are there
    Check,
    /// Show what holds for the instance, and where each value comes from
    Show,
    /// Print the JSON Schema of database.toml
    Schema,
}
