//! What can be said about copies of the seeded database.

use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;
use pg_ephemeral_core::database;
use pg_ephemeral_core::session::Name;

use super::candidates;

#[derive(Debug, Args)]
pub(crate) struct DatabaseArguments {
    /// The session
    #[arg(long, global = true, value_name = "NAME", add = ArgValueCandidates::new(candidates::sessions))]
    pub(crate) session: Option<Name>,
    #[command(subcommand)]
    pub(crate) command: DatabaseCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DatabaseCommand {
    /// Make a copy of the seeded database, and print its name
    Create {
        /// Its name; without one it gets some name
        #[arg(value_name = "DATABASE")]
        name: Option<database::Name>,
    },
    /// List the copies
    List,
    /// Print the connection URL of one
    Url {
        /// The copy
        #[arg(value_name = "DATABASE")]
        name: String,
    },
    /// Drop one, whoever is connected
    Drop {
        /// The copy
        #[arg(value_name = "DATABASE")]
        name: String,
    },
    /// Put one back to what the seeds left, whoever is connected
    Reset {
        /// The copy
        #[arg(value_name = "DATABASE")]
        name: String,
    },
}
