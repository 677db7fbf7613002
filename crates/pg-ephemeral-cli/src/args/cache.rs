//! What can be said about the cache.

use std::time::Duration;

use clap::{Args, Subcommand};
use ociman::Reference;
use pg_ephemeral_core::{SeedName, session, snapshot};

use super::duration::duration;

#[derive(Debug, Subcommand)]
pub(crate) enum Cache {
    /// Show which seeds have a layer; starts no server
    Status,
    /// Build the layers that are missing
    Populate,
    /// Show what a layer holds
    Inspect {
        /// The layer's image, as `cache status` names it
        #[arg(value_name = "REF")]
        reference: Reference,
    },
    /// Print how to log in to a server started from a layer by hand, password included
    Credentials(Credentials),
    /// Fetch the deepest layer that the registry has, or a snapshot
    Pull(OneSnapshot),
    /// Send all layers of the instance's seeds to the registry, or a snapshot
    Push(OneSnapshot),
    /// Remove all layers of the instance, whichever project they come from
    Reset {
        /// Also those that servers run on, and these servers with them, sessions included
        #[arg(long)]
        force: bool,
    },
    /// Remove old layers of all instances; those that servers run on stay
    #[command(
        after_help = "Without an option: those made more than 30 days ago. With both, only what both allow to go."
    )]
    Prune(Prune),
}

#[derive(Debug, Args)]
pub(crate) struct OneSnapshot {
    /// This snapshot and nothing else; it holds all data of its session
    #[arg(long, value_name = "SNAPSHOT", requires = "session")]
    pub(crate) snapshot: Option<snapshot::Name>,
    /// The session that the snapshot was taken of
    #[arg(long, value_name = "NAME", requires = "snapshot")]
    pub(crate) session: Option<session::Name>,
}

#[derive(Debug, Args)]
pub(crate) struct Credentials {
    /// The layer of this seed, instead of the deepest one there is
    #[arg(long, value_name = "NAME")]
    pub(crate) seed_name: Option<SeedName>,
}

#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// Only layers made longer ago than this, such as 12h, 30d or 2weeks
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) older_than: Option<Duration>,
    /// Keep this many newest layers of each instance
    #[arg(long, value_name = "N")]
    pub(crate) keep: Option<usize>,
}
