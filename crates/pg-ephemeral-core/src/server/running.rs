//! [`Server`]: one running PostgreSQL and everything a caller does with it. `boot` starts it, and its guard removes it.

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

/// A running PostgreSQL. Dropping it removes it and blocks until it is gone; [`Server::stop`] does the same without
/// blocking. One that was attached to a session leaves the session as it is.
#[derive(Debug)]
pub struct Server {
    pub(super) hold: Hold,
    pub(super) from_here: ConnectionParameters,
    pub(super) in_container: Option<InContainer>,
    /// Where clients of this machine read the certificate authority of a server that speaks TLS.
    pub(super) ca_file: Option<CaFile>,
    pub(super) programs: Option<PathBuf>,
    pub(super) executor: std::sync::Arc<dyn ociman::command::Executor>,
    pub(super) observer: Observer,
    pub(super) databases: Databases,
}

/// What a [`Server`] has of its container.
#[derive(Debug)]
pub(super) enum Hold {
    /// All of it: the container goes with the value.
    Owned(Box<Guard>),
    /// The use of it: the container is a session's.
    Attached(Container),
}

/// The two ways to a server from inside its container.
#[derive(Debug)]
pub(super) struct InContainer {
    pub(super) socket: ConnectionParameters,
    pub(super) loopback: ConnectionParameters,
}

/// Why there is no schema dump.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DumpError {
    /// `pg_dump` could not be run inside the container.
    #[error("run pg_dump")]
    Exec(#[source] CommandError),
    /// `pg_dump` could not be run on this machine.
    #[error("run pg_dump")]
    Command(#[source] ProcessError),
    /// `pg_dump` failed.
    #[error("pg_dump ended with {status}: {message}")]
    Failed {
        /// How it ended.
        status: ociman::command::ExitStatus,
        /// What it printed on standard error.
        message: String,
    },
}

impl Server {
    /// The container it runs in.
    pub fn container(&self) -> &Container {
        match &self.hold {
            Hold::Owned(guard) => guard.container(),
            Hold::Attached(container) => container,
        }
    }

    /// The session that it is, when it is one.
    pub fn session(&self) -> Option<Name> {
        self.container().name().as_str().strip_prefix(Name::OCI_PREFIX)?.parse().ok()
    }

    /// What runs it.
    pub fn backend(&self) -> Kind {
        self.container().backend().kind()
    }

    /// How it is reached from this machine. With a reach that is only inside, that is a socket for this crate's own use.
    pub fn connection(&self) -> &ConnectionParameters {
        &self.from_here
    }

    /// How it is reached from inside its container over its socket; on the host backend there is no inside.
    pub fn socket_inside(&self) -> Option<&ConnectionParameters> {
        self.in_container.as_ref().map(|inside| &inside.socket)
    }

    /// How it is reached from inside its container over TCP, for clients that know no sockets; on the host backend
    /// there is no inside.
    pub fn loopback_inside(&self) -> Option<&ConnectionParameters> {
        self.in_container.as_ref().map(|inside| &inside.loopback)
    }

    /// The connection URI for processes of this machine, with the password.
    pub fn url(&self) -> Secret {
        self.from_here.url()
    }

    /// The environment for processes of this machine: `PGHOST`, `PGPORT`, `PGUSER`, `PGDATABASE`, `PGPASSWORD`,
    /// `PGSSLMODE` and `DATABASE_URL`; with TLS `PGSSLROOTCERT` too, a file that goes with this value, and `PGHOSTADDR`
    /// unless the host name is `localhost` or the address.
    pub fn pg_env(&self) -> Vec<Variable> {
        self.from_here.environment()
    }

    /// Sets the database that connections of this value and programs that it runs use.
    pub fn set_database(&mut self, database: &Database) {
        let inside = self.in_container.iter_mut().flat_map(|inside| [&mut inside.socket, &mut inside.loopback]);
        for connection in inside.chain([&mut self.from_here]) {
            connection.database = database.name().to_owned();
        }
    }

    pub(crate) fn databases(&self) -> &Databases {
        &self.databases
    }

    /// The folder of PostgreSQL's own programs, on the host backend.
    pub fn programs(&self) -> Option<&Path> {
        self.programs.as_deref()
    }

    /// Lets the certificate authority's file of a session outlive this value, so that what was printed of the
    /// connection stays good for as long as the session does. Without TLS there is nothing to do.
    ///
    /// # Errors
    /// [`CaFileError`].
    pub fn keep_ca_file(&mut self, session: &Session, folders: &Folders) -> Result<(), CaFileError> {
        if let Some(parameters) = &mut self.from_here.tls {
            let kind = session.container().backend().kind();
            parameters.ca_file = tls::session_ca_file(folders, kind, session.credential(), &parameters.ca_cert_pem)?;
            self.ca_file = None;
        }
        Ok(())
    }

    /// A new connection as the superuser, over TLS when the server speaks it.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(&self) -> Result<Client, ConnectError> {
        connect::connect(&self.from_here).await
    }

    /// Runs a command to its end beside the server, inside its container or, on the host backend, as a process of this
    /// machine, with the connection in its environment. A program that is not there ends with status 126 or 127.
    ///
    /// # Errors
    /// When the container or its backend is gone.
    pub async fn exec(&self, mut spec: ExecSpec, input: &[u8]) -> Result<Output, CommandError> {
        let connection = self.socket_inside().unwrap_or(&self.from_here);
        let mut environment = connection.environment();
        environment.append(&mut spec.environment);
        spec.environment = environment;
        self.container().exec(&spec, input).await
    }

    /// The schema of the database as SQL, without data, by the `pg_dump` of the server's own version.
    ///
    /// # Errors
    /// [`DumpError`].
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

    /// Removes the server, at once and without a shutdown checkpoint, and waits until it is gone. A session that this
    /// value was attached to goes on.
    ///
    /// # Errors
    /// When the backend does not remove it. The next command tries again.
    pub async fn stop(self) -> Result<(), CommandError> {
        self.observer.begin(Step::Stop);
        let removed = match self.hold {
            Hold::Owned(guard) => {
                // Dropping them one by one takes minutes when there are thousands.
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

/// Adds variables to a command line, and takes every `PG*` variable of the caller's away from it.
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
