//! What can be said about sessions.

use std::time::Duration;

use clap::{Arg, ArgAction, Args, Subcommand};
use clap_complete::ArgValueCandidates;
use pg_ephemeral_core::session::Name;
use pg_ephemeral_core::snapshot;

use super::candidates;
use super::duration::time_to_live;
use super::wrapped::Wrapped;

#[derive(Debug, Args)]
#[command(mut_subcommands(hide_fresh_database))]
pub(crate) struct SessionArguments {
    /// The session
    #[arg(long, global = true, value_name = "NAME", add = ArgValueCandidates::new(candidates::sessions))]
    pub(crate) name: Option<Name>,
    /// Run the command on a copy of the seeded database that is dropped when it ends
    #[arg(long, global = true)]
    pub(crate) fresh_database: bool,
    #[command(subcommand)]
    pub(crate) command: SessionCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SessionCommand {
    /// Start a session
    Start {
        /// Remove it after this time, such as 2h; the next command does so
        #[arg(long, value_name = "TIME", value_parser = time_to_live)]
        ttl: Option<Duration>,
    },
    /// List the sessions that run
    List,
    /// Tell whether sessions still match the configuration
    Status,
    /// Stop a session
    Stop {
        /// Stop all of them
        #[arg(long)]
        all: bool,
        /// Stop those too that were started with another secret: by another user, or from another state folder
        #[arg(long)]
        force: bool,
    },
    /// Save the state of a session while it runs
    #[command(override_usage = "pg-ephemeral session snapshot [OPTIONS] --name <NAME> --as <SNAPSHOT>\n       \
                          pg-ephemeral session snapshot [OPTIONS] --name <NAME> --remove <SNAPSHOT>")]
    Snapshot {
        /// The name of the snapshot
        #[arg(long = "as", value_name = "SNAPSHOT", required_unless_present = "remove")]
        snapshot: Option<snapshot::Name>,
        /// Take the name from a snapshot that has it
        #[arg(long)]
        replace: bool,
        /// Remove this snapshot instead; the session need not run any more
        #[arg(long, value_name = "SNAPSHOT", conflicts_with_all = ["snapshot", "replace"])]
        remove: Option<snapshot::Name>,
    },
    /// List the snapshots of a session, or all
    Snapshots,
    /// Put a session back to a snapshot: the same URL, another past
    Restore {
        /// The snapshot
        #[arg(long, value_name = "SNAPSHOT")]
        from: snapshot::Name,
        /// Also when it was started with another secret; it gets another password
        #[arg(long)]
        force: bool,
    },
    /// Put a session back to the state after its seeds
    Reset {
        /// Also when it was started with another secret; it gets another password
        #[arg(long)]
        force: bool,
    },
    /// Start another session with the state of this one
    Fork {
        /// The name of the other session
        #[arg(long, value_name = "NAME")]
        to: Name,
        /// With the state of this snapshot instead of now; the session it was taken of need not run any more
        #[arg(long, value_name = "SNAPSHOT")]
        from: Option<snapshot::Name>,
        /// Remove it after this time, such as 2h; the next command does so
        #[arg(long, value_name = "TIME", value_parser = time_to_live)]
        ttl: Option<Duration>,
    },
    /// Print the connection URL
    Url,
    /// Print the environment of a session: as shell, json or dotenv
    Env,
    #[command(flatten)]
    Attached(Wrapped),
    /// Run psql, a command, a shell … as a process of this machine, over TCP
    Host {
        #[command(subcommand)]
        wrapped: Wrapped,
    },
    /// Run psql, a command, a shell … inside the session's container, over its socket
    Container {
        #[command(subcommand)]
        wrapped: Wrapped,
    },
}

impl SessionCommand {
    /// Whether it runs a command, whose exit status it gives.
    pub(crate) fn wraps(&self) -> bool {
        matches!(self, Self::Attached(_) | Self::Host { .. } | Self::Container { .. })
    }
}

/// Leaves `--fresh-database` out of the help of commands that run nothing on a session, which refuse it.
fn hide_fresh_database(command: clap::Command) -> clap::Command {
    let name = command.get_name();
    if Wrapped::has_subcommand(name) || ["host", "container"].contains(&name) {
        return command;
    }
    let option = Arg::new("fresh_database").long("fresh-database").action(ArgAction::SetTrue);
    command.arg(option.global(true).hide(true))
}
