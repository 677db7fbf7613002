//! Arguments of the `session` commands.

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
    /// The name of the session
    #[arg(long, global = true, value_name = "NAME", add = ArgValueCandidates::new(candidates::sessions))]
    pub(crate) name: Option<Name>,
    /// Run the command on a new copy of the seeded database, which is dropped when the command ends
    #[arg(long, global = true)]
    pub(crate) fresh_database: bool,
    #[command(subcommand)]
    pub(crate) command: SessionCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SessionCommand {
    /// Start a session
    Start {
        /// Let the session expire after this time, for example 2h; the next pg-ephemeral command then removes it
        #[arg(long, value_name = "TIME", value_parser = time_to_live)]
        ttl: Option<Duration>,
    },
    /// List running sessions
    List,
    /// Show whether sessions still match the configuration
    Status,
    /// Stop a session
    Stop {
        /// Stop all sessions
        #[arg(long)]
        all: bool,
        /// Also stop sessions that were started with another secret, that is, by another user or from another state folder
        #[arg(long)]
        force: bool,
    },
    /// Save the state of a running session
    #[command(override_usage = "pg-ephemeral session snapshot [OPTIONS] --name <NAME> --as <SNAPSHOT>\n       \
                          pg-ephemeral session snapshot [OPTIONS] --name <NAME> --remove <SNAPSHOT>")]
    Snapshot {
        /// The name of the snapshot
        #[arg(long = "as", value_name = "SNAPSHOT", required_unless_present = "remove")]
        snapshot: Option<snapshot::Name>,
        /// Overwrite an existing snapshot of this name
        #[arg(long)]
        replace: bool,
        /// Remove this snapshot instead; works even if the session is no longer running
        #[arg(long, value_name = "SNAPSHOT", conflicts_with_all = ["snapshot", "replace"])]
        remove: Option<snapshot::Name>,
    },
    /// List the snapshots of a session, or of all sessions
    Snapshots,
    /// Restore a session to a snapshot; its URL stays the same
    Restore {
        /// The snapshot
        #[arg(long, value_name = "SNAPSHOT")]
        from: snapshot::Name,
        /// Proceed even if the session was started with another secret; its password changes
        #[arg(long)]
        force: bool,
    },
    /// Reset a session to the state after its seeds
    Reset {
        /// Proceed even if the session was started with another secret; its password changes
        #[arg(long)]
        force: bool,
    },
    /// Start a new session with the state of this one
    Fork {
        /// The name of the new session
        #[arg(long, value_name = "NAME")]
        to: Name,
        /// Start from this snapshot instead of the current state; works even if the snapshot's session is no longer running
        #[arg(long, value_name = "SNAPSHOT")]
        from: Option<snapshot::Name>,
        /// Let the session expire after this time, for example 2h; the next pg-ephemeral command then removes it
        #[arg(long, value_name = "TIME", value_parser = time_to_live)]
        ttl: Option<Duration>,
    },
    /// Print the connection URL
    Url,
    /// Print the environment variables of a session, with --format shell, json or dotenv
    Env,
    #[command(flatten)]
    Attached(Wrapped),
    /// Run psql, a command, a shell and so on as a process of this machine, connected over TCP
    Host {
        #[command(subcommand)]
        wrapped: Wrapped,
    },
    /// Run psql, a command, a shell and so on inside the session's container, connected over its socket
    Container {
        #[command(subcommand)]
        wrapped: Wrapped,
    },
}

impl SessionCommand {
    /// Returns `true` if the command runs a program and returns its exit status.
    pub(crate) fn wraps(&self) -> bool {
        matches!(self, Self::Attached(_) | Self::Host { .. } | Self::Container { .. })
    }
}

/// Hides `--fresh-database` from the help of commands that run no program, which reject the option.
fn hide_fresh_database(command: clap::Command) -> clap::Command {
    let name = command.get_name();
    if Wrapped::has_subcommand(name) || ["host", "container"].contains(&name) {
        return command;
    }
    let option = Arg::new("fresh_database").long("fresh-database").action(ArgAction::SetTrue);
    command.arg(option.global(true).hide(true))
}
