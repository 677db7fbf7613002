//! The command line: what can be said, and nothing of what it does.

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

/// A throw-away PostgreSQL at once, and gone afterwards.
#[derive(Debug, Parser)]
#[command(name = "pg-ephemeral", version, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

impl Arguments {
    /// Whether the format is one that only `session env` has, and the command is another.
    pub(crate) fn has_misplaced_format(&self) -> bool {
        let is_environment =
            matches!(&self.command, Some(Command::Session(SessionArguments { command: SessionCommand::Env, .. })));
        !is_environment && matches!(self.global.format, Format::Shell | Format::Dotenv)
    }
}

const AFTER_HELP: &str = "\
Without a command: psql.
Exit status: that of the wrapped command, or 128+n when signal n ended it; 125 when pg-ephemeral itself failed around \
a wrapped command, 126 when that is not executable, 127 when it is not found; otherwise 0, 1 for a failure, 2 for wrong usage.";

/// Options of every command, before or after it.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Read this configuration instead of database.toml in this folder or the nearest parent
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "no_config_file", value_hint = ValueHint::FilePath)]
    pub(crate) config_file: Option<PathBuf>,
    /// Read no configuration
    #[arg(long, global = true)]
    pub(crate) no_config_file: bool,
    /// What runs the server: auto, docker, podman or host
    #[arg(long, global = true, value_name = "BACKEND", add = ArgValueCandidates::new(candidates::backends))]
    pub(crate) backend: Option<BackendChoice>,
    /// Where `cache push` and `cache pull` keep layers, such as ghcr.io/acme
    #[arg(long, global = true, value_name = "REGISTRY")]
    pub(crate) cache_registry: Option<CacheRegistry>,
    /// The PostgreSQL image, such as 17, 17-alpine or ghcr.io/acme/postgres:1
    #[arg(long, global = true, value_name = "IMAGE")]
    pub(crate) image: Option<Image>,
    /// Serve TLS with a certificate for this host name
    #[arg(long, global = true, value_name = "HOST")]
    pub(crate) ssl_hostname: Option<SslHostname>,
    /// Set a server parameter; repeatable
    #[arg(long = "parameter", global = true, value_name = "NAME=VALUE")]
    pub(crate) parameters: Vec<ParameterAssignment>,
    /// The instance of the configuration; without it PG_EPHEMERAL_INSTANCE, default_instance, main or the only one
    #[arg(long, global = true, value_name = "NAME", add = ArgValueCandidates::new(candidates::instances))]
    pub(crate) instance: Option<InstanceName>,
    /// How results are printed; shell and dotenv are for `session env` only
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Say more on standard error; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say nothing on standard error but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub(crate) color: Color,
    /// Print what took how long, in milliseconds, on standard error
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
    /// Run psql, a command, a shell … as a process of this machine, over TCP
    Host {
        #[command(subcommand)]
        wrapped: Wrapped,
    },
    /// Run psql, a command, a shell … inside the server's container, over its socket
    Container {
        #[command(subcommand)]
        wrapped: Wrapped,
    },
    /// Run a program of the image on the working directory, without a server
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
    /// Show, fill, share and empty the cache of seeds
    Cache {
        #[command(subcommand)]
        command: Cache,
    },
    /// Check and explain the configuration
    Config {
        #[command(subcommand)]
        command: Config,
    },
    /// Write a database.toml to start from; one that is there stays as it is
    #[command(after_help = INIT_AFTER_HELP)]
    Init,
    /// Servers with a name that outlive the command
    Session(SessionArguments),
    /// Copies of the seeded database on a session's server, which stay until they are dropped
    Database(DatabaseArguments),
    /// Serve a program of another language, which talks to this one over two descriptors that it passes
    #[command(after_help = INTEGRATION_AFTER_HELP)]
    IntegrationServer {
        /// Where one line of JSON tells how the server is reached
        #[arg(long, value_name = "N")]
        result_fd: Descriptor,
        /// Where commands come from, and whose end stops the server
        #[arg(long, value_name = "N")]
        control_fd: Descriptor,
    },
    /// List the servers that run
    List,
    /// Tell about pg-ephemeral itself
    Meta {
        #[command(subcommand)]
        command: Meta,
    },
    /// Tell about this machine
    Platform {
        #[command(subcommand)]
        command: Platform,
    },
    /// Look for what keeps pg-ephemeral from working here, and say what to do; changes nothing
    #[command(after_help = DOCTOR_AFTER_HELP)]
    Doctor,
    /// Remove what killed commands left behind
    Gc,
    /// Print what makes a shell complete the command line, instances and sessions included
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
It shows every setting and every type of seed, commented out. Seeds bring your data: `dump` for what pg_dump and pg_dumpall \
wrote, in any format; `sql-file` for a script, which psql runs with -X -v ON_ERROR_STOP=1 -f; `sql-statement`; `csv-file`; `script` \
and `command` for migration tools and other programs of this machine; `container-script` for packages.";

const DOCTOR_AFTER_HELP: &str = "\
A line is `ok`, a `note`, a `warning`, or something needed that is `missing`: then the exit status is 1.
With --format json: {healthy, findings: [{area, subject, level, message, advice}]}, where area is backend, rootless, disk, \
programs, permissions, leftovers or configuration, and advice is null where there is nothing to do.";

const INTEGRATION_AFTER_HELP: &str = "\
The line is {database, user, password, endpoint: {host, host_address, port}, ssl_mode, ssl_root_cert, application_name, url, \
protocol_version}, or {error, hint} when there is no server: then the exit status is 1. The server goes with the caller, \
however that ends. docs/integration-protocol.md has the whole of it.";

const BIN_AFTER_HELP: &str = "\
On docker and podman it runs in a container of its own, with the working directory at the same path and the network of \
the engine's machine; what it writes is yours. Your PG* variables are passed on; the files that they name, and sockets in \
folders that PGHOST names, are there too. Files that only a default or a service file names are not, and on an engine of \
another machine localhost is that machine. On the host backend it is a plain process.";

const COMPLETIONS_AFTER_HELP: &str = "\
bash: eval \"$(pg-ephemeral completions bash)\" in ~/.bashrc
zsh:  eval \"$(pg-ephemeral completions zsh)\" in ~/.zshrc, after compinit
fish: pg-ephemeral completions fish | source in ~/.config/fish/config.fish";

#[derive(Debug, Subcommand)]
pub(crate) enum Meta {
    /// Print version, folders and configuration
    Info,
    /// Write the manual pages of all commands into a folder
    #[command(hide = true)]
    ManPages {
        /// The folder, which has to be there
        folder: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Platform {
    /// Print which backends work here, and why others do not
    Support,
}
