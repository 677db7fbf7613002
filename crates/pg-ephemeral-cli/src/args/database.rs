//! Arguments of the `database` commands.

use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;
use pg_ephemeral_core::database;
use pg_ephemeral_core::session::Name;

use super::candidates;

#[derive(Debug, Args)]
pub(crate) struct DatabaseArguments {
    /// The name of the session
    #[arg(long, global = true, value_name = "NAME", add = ArgValueCandidates::new(candidates::sessions))]
    pub(crate) session: Option<Name>,
    #[command(subcommand)]
    pub(crate) command: DatabaseCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DatabaseCommand {
    /// Create a copy of the seeded database, and print its name
    Create {
        /// The name of the copy [default: a random name]
        #[arg(value_name = "DATABASE")]
        name: Option<database::Name>,
    },
    /// List copies
    List,
    /// Print the connection URL of a copy
    Url {
        /// The name of the copy
        #[arg(value_name = "DATABASE")]
        name: String,
    },
    /// Drop a copy, closing its connections
    Drop {
        /// The name of the copy
        #[arg(value_name = "DATABASE")]
        name: String,
    },
    /// Reset a copy to the seeded state, closing its connections
    Reset {
        /// The name of the copy
        #[arg(value_name = "DATABASE")]
        name: String,
    },
}
