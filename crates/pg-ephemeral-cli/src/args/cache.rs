//! Arguments of the `cache` commands.

use std::time::Duration;

use clap::{Args, Subcommand};
use ociman::Reference;
use pg_ephemeral_core::{SeedName, session, snapshot};

use super::duration::duration;

#[derive(Debug, Subcommand)]
pub(crate) enum Cache {
    /// Show which seeds have a layer, without starting a server
    Status,
    /// Build missing layers
    Populate,
    /// Show the metadata of a layer
    Inspect {
        /// The layer's image, as printed by `cache status`
        #[arg(value_name = "REF")]
        reference: Reference,
    },
    /// Print the credentials, with the password, for a server that you start from a layer yourself
    Credentials(Credentials),
    /// Pull the last layer of the chain that the registry has, or a snapshot
    Pull(OneSnapshot),
    /// Push all layers of the instance to the registry, or a snapshot
    Push(OneSnapshot),
    /// Remove all layers of the instance, even if another project built them
    Reset {
        /// Also remove layers in use, together with the servers and sessions that use them
        #[arg(long)]
        force: bool,
    },
    /// Remove old layers of all instances, except layers in use
    #[command(
        after_help = "Without options, layers that are older than 30 days are removed. With both options, a layer is removed only if it meets both conditions."
    )]
    Prune(Prune),
}

#[derive(Debug, Args)]
pub(crate) struct OneSnapshot {
    /// Transfer only this snapshot; it contains all data of its session
    #[arg(long, value_name = "SNAPSHOT", requires = "session")]
    pub(crate) snapshot: Option<snapshot::Name>,
    /// The session of which the snapshot was taken
    #[arg(long, value_name = "NAME", requires = "snapshot")]
    pub(crate) session: Option<session::Name>,
}

#[derive(Debug, Args)]
pub(crate) struct Credentials {
    /// Use the layer of this seed instead of the last one that is cached
    #[arg(long, value_name = "NAME")]
    pub(crate) seed_name: Option<SeedName>,
}

#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// Remove only layers older than this, for example 12h, 30d or 2weeks
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) older_than: Option<Duration>,
    /// Keep the N newest layers of each instance
    #[arg(long, value_name = "N")]
    pub(crate) keep: Option<usize>,
}
