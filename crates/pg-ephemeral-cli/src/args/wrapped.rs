//! Commands that run while a server does.

use std::ffi::OsString;

use clap::{Args, Subcommand};

const RUN_ENV_AFTER_HELP: &str = "\
Bare, the command is a program of the server's image on docker and podman, with the working directory at the same path; on the \
host backend it is one of this machine. `host run-env` takes one of this machine whatever runs the server, such as your tests: \
pg-ephemeral host run-env -- cargo test. `container run-env` takes one of the image, without the working directory.";

/// A command that runs while its server does. Bare, it is the image's program on the working directory, which is
/// mounted at the same path.
#[derive(Debug, Subcommand)]
pub(crate) enum Wrapped {
    /// Open psql
    Psql(Rest),
    /// Run a command with PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD and DATABASE_URL set
    #[command(after_help = RUN_ENV_AFTER_HELP)]
    RunEnv {
        /// The command and its arguments
        #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
    /// Open a shell with the same environment
    Shell,
    /// Print the schema as SQL
    SchemaDump(Rest),
    /// Run pgbench
    Pgbench(Rest),
}

#[derive(Debug, Args)]
pub(crate) struct Rest {
    /// Arguments of the program; after `--` all of them are its own
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    pub(crate) arguments: Vec<OsString>,
}
