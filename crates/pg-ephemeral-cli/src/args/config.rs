//! Arguments of the `config` commands.

use clap::Subcommand;

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Config {
    /// Check the configuration file and the files of its seeds
    Check,
    /// Show the settings in effect for the instance, and the origin of each
    Show,
    /// Print the JSON Schema of database.toml
    Schema,
}
