//! [`Server`]: one running PostgreSQL server, and the operations on it. `boot` starts it, and its guard removes it.

use std::path::{Path, PathBuf};

use ociman::command::{CommandLine, Output, ProcessError};
use ociman::{CommandError, Container, ExecSpec, Kind, Secret, Variable, VariableValue};
use tokio_postgres::Client;

use super::guard::Guard;
use crate::database::{Database, Databases};
use crate::model::session::Name;
use crate::model::{Observer, Step};
use crate::postgres::connect::{self, ConnectError};
use crate::postgres::endpoint::ConnectionParameters;
use crate::postgres::tls::{self, CaFile, CaFileError};
use crate::session::Session;
use crate::state::Folders;

/// A running PostgreSQL server. Dropping the value removes the server and blocks until it is gone. [`Server::stop`]
/// does the same without blocking. If the value is attached to a session, neither removes the session.
#[derive(Debug)]
pub struct Server {
    pub(super) hold: Hold,
    pub(super) from_here: ConnectionParameters,
    pub(super) in_container: Option<InContainer>,
    /// The file from which clients on this machine read the certificate authority, if the server has TLS.
    pub(super) ca_file: Option<CaFile>,
    pub(super) programs: Option<PathBuf>,
    pub(super) executor: std::sync::Arc<dyn ociman::command::Executor>,
    pub(super) observer: Observer,
    pub(super) databases: Databases,
}

/// Whether a [`Server`] owns its container.
#[derive(Debug)]
pub(super) enum Hold {
    /// The value owns the container, which is removed together with it.
    Owned(Box<Guard>),
    /// The container belongs to a session.
    Attached(Container),
}

/// The two ways to connect to a server from inside its container.
#[derive(Debug)]
pub(super) struct InContainer {
    pub(super) socket: ConnectionParameters,
    pub(super) loopback: ConnectionParameters,
}

/// The reason why the schema could not be dumped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DumpError {
    /// `pg_dump` could not be run inside the container.
    #[error("failed to run pg_dump")]
    Exec(#[source] CommandError),
    /// `pg_dump` could not be run on this machine.
    #[error("failed to run pg_dump")]
    Command(#[source] ProcessError),
    /// `pg_dump` failed.
    #[error("pg_dump ended with {status}: {message}")]
    Failed {
        /// The exit status of `pg_dump`.
        status: ociman::command::ExitStatus,
        /// The standard error output of `pg_dump`.
        message: String,
    },
}

impl Server {
    /// Returns the container that the server runs in.
    pub fn container(&self) -> &Container {
        match &self.hold {
            Hold::Owned(guard) => guard.container(),
            Hold::Attached(container) => container,
        }
    }

    /// Returns the name of the session that the server belongs to; `None` if it does not belong to a session.
    pub fn session(&self) -> Option<Name> {
        self.container().name().as_str().strip_prefix(Name::OCI_PREFIX)?.parse().ok()
    }

    /// Returns the kind of the backend that the server runs on.
    pub fn backend(&self) -> Kind {
        self.container().backend().kind()
    }

    /// Returns the connection parameters for clients on this machine. If the server is only reachable from inside its
    /// container, they are those of a socket that is meant for this crate alone.
    pub fn connection(&self) -> &ConnectionParameters {
        &self.from_here
    }

    /// Returns the connection parameters for clients inside the container that use the socket; `None` on the host
    /// backend.
    pub fn socket_in_container(&self) -> Option<&ConnectionParameters> {
        self.in_container.as_ref().map(|inside| &inside.socket)
    }

    /// Returns the connection parameters for clients inside the container that use TCP, for example because they do not
    /// support sockets; `None` on the host backend.
    pub fn loopback_in_container(&self) -> Option<&ConnectionParameters> {
        self.in_container.as_ref().map(|inside| &inside.loopback)
    }

    /// Returns the connection URI for processes of this machine, including the password.
    pub fn url(&self) -> Secret {
        self.from_here.url()
    }

    /// Returns the environment variables for processes of this machine: `PGHOST`, `PGPORT`, `PGUSER`, `PGDATABASE`,
    /// `PGPASSWORD`, `PGSSLMODE` and `DATABASE_URL`. With TLS, also `PGSSLROOTCERT`, which names a file that is removed
    /// together with this value, and `PGHOSTADDR`, unless the host name is `localhost` or the address itself.
    pub fn pg_env(&self) -> Vec<Variable> {
        self.from_here.environment()
    }

    /// Sets the database for connections of this value and for the programs that it runs.
    pub fn set_database(&mut self, database: &Database) {
        let inside = self.in_container.iter_mut().flat_map(|inside| [&mut inside.socket, &mut inside.loopback]);
        for connection in inside.chain([&mut self.from_here]) {
            connection.database = database.name().to_owned();
        }
    }

    pub(crate) fn databases(&self) -> &Databases {
        &self.databases
    }

    /// Returns the folder of the PostgreSQL programs that the server is started from; `None` on an engine.
    pub fn programs(&self) -> Option<&Path> {
        self.programs.as_deref()
    }

    /// Replaces the temporary file with the certificate authority by a file that lives as long as the session.
    /// Connection parameters that were printed then stay valid after this value is dropped. Without TLS this does
    /// nothing.
    ///
    /// # Errors
    /// Returns an error if the file can't be written.
    pub fn keep_ca_file(&mut self, session: &Session, folders: &Folders) -> Result<(), CaFileError> {
        if let Some(parameters) = &mut self.from_here.tls {
            let kind = session.container().backend().kind();
            parameters.ca_file = tls::session_ca_file(folders, kind, session.credential(), &parameters.ca_cert_pem)?;
            self.ca_file = None;
        }
        Ok(())
    }

    /// Opens a new connection as the superuser, with TLS if the server has it.
    ///
    /// # Errors
    /// Returns an error if the server can't be reached, or refuses the connection.
    pub async fn connect(&self) -> Result<Client, ConnectError> {
        connect::connect(&self.from_here).await
    }

    /// Runs a command in the server's container or, on the host backend, as a process of this machine, and waits for
    /// its end. The environment contains the connection parameters. If the program does not exist, the exit status is
    /// 126 or 127.
    ///
    /// # Errors
    /// Returns an error if the backend fails to run the command, for example because the container is gone.
    pub async fn exec(&self, mut spec: ExecSpec, input: &[u8]) -> Result<Output, CommandError> {
        let connection = self.socket_in_container().unwrap_or(&self.from_here);
        let mut environment = connection.environment();
        environment.append(&mut spec.environment);
        spec.environment = environment;
        self.container().exec(&spec, input).await
    }

    /// Returns the schema of the database as SQL, without data. Uses the `pg_dump` of the server's own version.
    ///
    /// # Errors
    /// Returns an error if `pg_dump` can't be run, or fails.
    pub async fn schema_dump(&self) -> Result<Vec<u8>, DumpError> {
        let output = match &self.programs {
            Some(programs) => self.dump_here(programs).await.map_err(DumpError::Command)?,
            None => self.exec(ExecSpec::new(["pg_dump", "--schema-only"]), b"").await.map_err(DumpError::Exec)?,
        };
        if output.status.success() {
            return Ok(output.stdout);
        }
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(DumpError::Failed { status: output.status, message })
    }

    async fn dump_here(&self, programs: &Path) -> Result<Output, ProcessError> {
        let line = CommandLine::new(programs.join("pg_dump")).argument("--schema-only");
        self.executor.capture(with_environment(line, self.pg_env()), b"").await
    }

    /// Removes the server immediately, without a shutdown checkpoint, and waits until it is gone. If the value is
    /// attached to a session, the session keeps running.
    ///
    /// # Errors
    /// Returns an error if the backend fails to remove the server. The next command tries again.
    pub async fn stop(self) -> Result<(), CommandError> {
        self.observer.begin(Step::Stop);
        let removed = match self.hold {
            Hold::Owned(guard) => {
                // The databases go with the server. Dropping thousands of them one by one would take minutes.
                self.databases.abandon();
                guard.remove().await
            }
            Hold::Attached(_) => {
                self.databases.close().await;
                Ok(())
            }
        };
        self.observer.begin(Step::Stopped);
        removed
    }
}

/// Adds variables to the environment of a command line, and removes the caller's `PG*` variables from it.
pub fn with_environment(mut line: CommandLine, variables: Vec<Variable>) -> CommandLine {
    let inherited = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    line.removed_environment
        .extend(inherited.filter(|name| name.starts_with("PG") && !name.starts_with("PG_EPHEMERAL_")));
    for variable in variables {
        match variable.value {
            VariableValue::Plain(value) => line.environment.push((variable.name, value)),
            VariableValue::Secret(value) => line.secrets.push((variable.name, value)),
        }
    }
    line
}
