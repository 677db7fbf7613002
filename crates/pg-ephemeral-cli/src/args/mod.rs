//! The command line as clap parses it. What the commands do is in `commands`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::ArgValueCandidates;
use pg_ephemeral_core::config::{BackendChoice, CacheRegistry, SslHostname};
use pg_ephemeral_core::parameter::ParameterAssignment;
use pg_ephemeral_core::{Image, InstanceName};

pub(crate) mod argv;
mod cache;
mod candidates;
mod config;
mod database;
mod descriptor;
mod duration;
mod session;
mod wrapped;

pub(crate) use cache::{Cache, Credentials, OneSnapshot, Prune};
pub(crate) use config::Config;
pub(crate) use database::{DatabaseArguments, DatabaseCommand};
pub(crate) use descriptor::Descriptor;
pub(crate) use session::{SessionArguments, SessionCommand};
pub(crate) use wrapped::{Rest, Wrapped};

/// Start a temporary PostgreSQL server with your data, use it, and have it removed afterwards.
#[derive(Debug, Parser)]
#[command(name = "pg-ephemeral", version, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

impl Arguments {
    /// Returns `true` if the format is one of those that only `session env` supports, and the command is a different one.
    pub(crate) fn has_misplaced_format(&self) -> bool {
        let is_environment =
            matches!(&self.command, Some(Command::Session(SessionArguments { command: SessionCommand::Env, .. })));
        !is_environment && matches!(self.global.format, Format::Shell | Format::Dotenv)
    }
}

const AFTER_HELP: &str = "\
Without a command, pg-ephemeral runs psql.

Exit status: commands that run a program (psql, run-env, shell and so on) return the exit status of that program, or 128+n if signal n ended \
it; 125 if pg-ephemeral itself failed, 126 if the program is not executable, 127 if it was not found. All other commands return \
0 on success, 1 on failure and 2 for wrong usage.";

/// Options that every command accepts, before or after its name.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Read this configuration file instead of database.toml in the current folder or its nearest parent
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "no_config_file", value_hint = ValueHint::FilePath)]
    pub(crate) config_file: Option<PathBuf>,
    /// Do not read a configuration file
    #[arg(long, global = true)]
    pub(crate) no_config_file: bool,
    /// Run the server on this backend: auto, docker, podman or host
    #[arg(long, global = true, value_name = "BACKEND", add = ArgValueCandidates::new(candidates::backends))]
    pub(crate) backend: Option<BackendChoice>,
    /// Use this registry for `cache push` and `cache pull`, for example ghcr.io/acme
    #[arg(long, global = true, value_name = "REGISTRY")]
    pub(crate) cache_registry: Option<CacheRegistry>,
    /// Use this PostgreSQL image, for example 17, 17-alpine or ghcr.io/acme/postgres:1
    #[arg(long, global = true, value_name = "IMAGE")]
    pub(crate) image: Option<Image>,
    /// Enable TLS with a certificate for this host name
    #[arg(long, global = true, value_name = "HOST")]
    pub(crate) ssl_hostname: Option<SslHostname>,
    /// Set a server parameter; can be given several times
    #[arg(long = "parameter", global = true, value_name = "NAME=VALUE")]
    pub(crate) parameters: Vec<ParameterAssignment>,
    /// Use this instance of the configuration [default: PG_EPHEMERAL_INSTANCE, else default_instance, else main, else the only instance]
    #[arg(long, global = true, value_name = "NAME", add = ArgValueCandidates::new(candidates::instances))]
    pub(crate) instance: Option<InstanceName>,
    /// Print results in this format; shell and dotenv are for `session env` only
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Print more on standard error; -vv prints everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Print only errors on standard error
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub(crate) color: Color,
    /// Print the duration of each step in milliseconds on standard error
    #[arg(long, global = true)]
    pub(crate) timings: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
    Shell,
    Dotenv,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Wrapped(Wrapped),
    /// Run psql, a command, a shell and so on as a process of this machine, connected over TCP
    Host {
        #[command(subcommand)]
        wrapped: Wrapped,
    },
    /// Run psql, a command, a shell and so on inside the server's container, connected over its socket
    Container {
        #[command(subcommand)]
        wrapped: Wrapped,
    },
    /// Run a program of the image in the working directory, without starting a server
    #[command(after_help = BIN_AFTER_HELP)]
    Bin {
        /// The program and its arguments
        #[arg(
            required = true,
            trailing_var_arg = true,
            value_name = "TOOL",
            add = ArgValueCandidates::new(candidates::tools)
        )]
        command: Vec<OsString>,
    },
    /// Show, build, share and remove cached layers
    Cache {
        #[command(subcommand)]
        command: Cache,
    },
    /// Check and show the configuration
    Config {
        #[command(subcommand)]
        command: Config,
    },
    /// Write an example database.toml, unless there is one already
    #[command(after_help = INIT_AFTER_HELP)]
    Init,
    /// Start and manage sessions: named servers that keep running after the command
    Session(SessionArguments),
    /// Create and manage copies of the seeded database on a session's server
    Database(DatabaseArguments),
    /// Start a server for a library in another language, which communicates over two file descriptors
    #[command(after_help = INTEGRATION_AFTER_HELP)]
    IntegrationServer {
        /// Write one line of JSON with the connection data to this file descriptor
        #[arg(long, value_name = "N")]
        result_fd: Descriptor,
        /// Read commands from this file descriptor, and stop the server when it is closed
        #[arg(long, value_name = "N")]
        control_fd: Descriptor,
    },
    /// List running servers
    List,
    /// Show information about pg-ephemeral
    Meta {
        #[command(subcommand)]
        command: Meta,
    },
    /// Show information about this machine
    Platform {
        #[command(subcommand)]
        command: Platform,
    },
    /// Find problems that keep pg-ephemeral from working here, and advise what to do; changes nothing
    #[command(after_help = DOCTOR_AFTER_HELP)]
    Doctor,
    /// Remove servers and files that killed commands left behind
    Gc,
    /// Print the completion script for a shell; it also completes the names of instances and sessions
    #[command(after_help = COMPLETIONS_AFTER_HELP)]
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

const INIT_AFTER_HELP: &str = "\
The file shows every setting and every type of seed, commented out. Seeds load your data: `dump` loads the output of pg_dump and pg_dumpall \
in any format; `sql-file` runs a script with psql -X -v ON_ERROR_STOP=1 -f; `sql-statement` runs one statement; `csv-file` loads a CSV file; \
`script` and `command` run migration tools and other programs of this machine; `container-script` installs packages in the image.";

const DOCTOR_AFTER_HELP: &str = "\
Each line starts with `ok`, `note`, `warning` or `missing`. If anything required is missing, the exit status is 1.

With --format json, the output is {healthy, findings: [{area, subject, level, message, advice}]}, where area is backend, rootless, disk, \
programs, permissions, leftovers or configuration, and advice is null if there is nothing to do.";

const INTEGRATION_AFTER_HELP: &str = "\
The line is {database, user, password, endpoint: {host, host_address, port}, ssl_mode, ssl_root_cert, application_name, url, \
protocol_version}, or {error, hint} if the server could not be started; then the exit status is 1. The server is removed when the caller \
ends, even if it is killed. docs/integration-protocol.md describes the whole protocol.";

const BIN_AFTER_HELP: &str = "\
On docker and podman, the program runs in its own container. The working directory is mounted at the same path, the container uses the network of \
the engine's machine, and files that the program writes belong to you. Your PG* variables are passed on, and the files and socket folders that they name \
are mounted. Default files such as ~/.pgpass are not mounted; set PGPASSFILE and the like to use them. If the engine is on another \
machine, localhost means that machine. On the host backend, the program is a process of this machine.";

const COMPLETIONS_AFTER_HELP: &str = "\
bash: eval \"$(pg-ephemeral completions bash)\" in ~/.bashrc
zsh:  eval \"$(pg-ephemeral completions zsh)\" in ~/.zshrc, after compinit
fish: pg-ephemeral completions fish | source in ~/.config/fish/config.fish";

#[derive(Debug, Subcommand)]
pub(crate) enum Meta {
    /// Print the version, the folders in use and the configuration file
    Info,
    /// Write the manual pages of all commands to a folder
    #[command(hide = true)]
    ManPages {
        /// The folder, which must exist
        folder: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Platform {
    /// Print which backends work here, and why the others do not
    Support,
}
