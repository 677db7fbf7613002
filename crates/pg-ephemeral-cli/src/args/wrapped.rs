//! Arguments of the commands that run a program while the server runs.

use std::ffi::OsString;

use clap::{Args, Subcommand};

const RUN_ENV_AFTER_HELP: &str = "\
On docker and podman, the command is a program of the server's image, and the working directory is mounted at the same path; on the \
host backend, it is a program of this machine. `host run-env` runs a program of this machine on every backend, for example your tests: \
pg-ephemeral host run-env -- cargo test. `container run-env` runs a program inside the server's container, without the working directory.";

/// A program that runs while the server runs. Without `host` or `container` it is a program of the image, with the working
/// directory mounted at the same path.
#[derive(Debug, Subcommand)]
pub(crate) enum Wrapped {
    /// Run psql
    Psql(Rest),
    /// Run a command with PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD and DATABASE_URL set
    #[command(after_help = RUN_ENV_AFTER_HELP)]
    RunEnv {
        /// The command and its arguments
        #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
    /// Run a shell with the same environment variables as run-env
    Shell,
    /// Print the schema as SQL
    SchemaDump(Rest),
    /// Run pgbench
    Pgbench(Rest),
}

#[derive(Debug, Args)]
pub(crate) struct Rest {
    /// Arguments of the program; all arguments after `--` are passed to it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    pub(crate) arguments: Vec<OsString>,
}
