//! [`Server`]: one running PostgreSQL and everything a caller does with it. How it comes to run is in `boot` and
//! `base`; that it goes away again is the guard's business.

mod apply;
mod attach;
mod boot;
mod build;
mod connect;
mod displaced;
mod endpoint;
mod error;
mod first_start;
pub(crate) mod found;
pub(crate) mod guard;
mod launch;
mod live;
mod revive;
mod tls;

use std::path::{Path, PathBuf};

use ociman::command::{CommandLine, Output, ProcessError};
use ociman::{CommandError, Container, ContainerState, ExecSpec, Kind, Secret, Variable, VariableValue};
use tokio_postgres::Client;

pub use apply::ApplyToServerError;
pub use attach::AttachError;
pub(crate) use build::STOP_LIMIT;
pub use connect::ConnectError;
pub(crate) use connect::{connect, connect_for_set_up};
pub(crate) use displaced::{Displaced, remove_displaced};
pub use endpoint::{ConnectionParameters, Endpoint};
pub use error::StartError;
pub(crate) use error::refuse_remote_folder;
pub(crate) use found::chain_now;
pub(crate) use launch::port_was_taken;
pub(crate) use revive::Revival;

use crate::database::{Database, Databases};
use crate::definition::Definition;
use crate::folders::Folders;
use crate::label;
use crate::owner::Liveness;
use crate::progress::{Observer, Step};
use crate::reap::{self, Patience};
use crate::record;
use crate::secret;
use crate::session::{Name, Request, Session};
use crate::snapshot;
use crate::tls::{self as certificates, CaFile, CaFileError};
use guard::Guard;
pub(crate) use launch::bind;

/// A running PostgreSQL. Dropping it removes it and blocks until it is gone; [`Server::stop`] does the same without
/// blocking. One that was attached to a session leaves the session as it is.
#[derive(Debug)]
pub struct Server {
    hold: Hold,
    from_here: ConnectionParameters,
    inside: Option<Inside>,
    /// Where clients of this machine read the certificate authority of a server that speaks TLS.
    ca_file: Option<CaFile>,
    programs: Option<PathBuf>,
    executor: std::sync::Arc<dyn ociman::command::Executor>,
    observer: Observer,
    databases: Databases,
}

/// What a [`Server`] has of its container.
#[derive(Debug)]
enum Hold {
    /// All of it: the container goes with the value.
    Owned(Box<Guard>),
    /// The use of it: the container is a session's.
    Attached(Container),
}

/// The two ways to a server from inside its container.
#[derive(Debug)]
struct Inside {
    socket: ConnectionParameters,
    loopback: ConnectionParameters,
}

/// How [`Definition::with_server`] ended without a value.
#[derive(Debug, thiserror::Error)]
pub enum WithServerError<E> {
    /// The server did not start.
    #[error(transparent)]
    Start(StartError),
    /// The closure failed.
    #[error(transparent)]
    Body(E),
    /// The server could not be removed.
    #[error("remove the server")]
    Stop(#[source] CommandError),
}

/// Why there is no schema dump.
#[derive(Debug, thiserror::Error)]
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
    pub(crate) async fn start(definition: &Definition) -> Result<Self, StartError> {
        let server = boot::start(definition).await?;
        definition.observer.begin(Step::Ready);
        Ok(server)
    }

    pub(crate) async fn populate(definition: &Definition) -> Result<(), StartError> {
        boot::populate(definition).await?;
        definition.observer.begin(Step::Stopped);
        Ok(())
    }

    pub(crate) async fn start_session(definition: &Definition, request: &Request) -> Result<Session, StartError> {
        let backend = definition.find_backend().await?;
        let definition = definition.clone().backend(backend.clone());
        // What a killed start left, and a session whose time is over, have the name no longer.
        reap::reap_recorded(&definition.folders, &backend, Patience::Hurry).await;
        refuse_existing(&definition, &backend, &request.name).await?;
        let server = match boot::start(&definition).await {
            Err(StartError::Run(CommandError::NameTaken { .. })) => {
                // Somebody was faster; but it may be a killed start that came late, or one that has failed since.
                reap::reap_recorded(&definition.folders, &backend, Patience::Hurry).await;
                refuse_existing(&definition, &backend, &request.name).await?;
                match boot::start(&definition).await {
                    Err(StartError::Run(CommandError::NameTaken { .. })) => {
                        return Err(StartError::SessionExists { name: request.name.clone() });
                    }
                    started => started?,
                }
            }
            started => started?,
        };
        let session = server.become_session(&backend, Some(request)).await?;
        definition.observer.begin(Step::Ready);
        Ok(session)
    }

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
        self.inside.as_ref().map(|inside| &inside.socket)
    }

    /// How it is reached from inside its container over TCP, for clients that know no sockets; on the host backend
    /// there is no inside.
    pub fn loopback_inside(&self) -> Option<&ConnectionParameters> {
        self.inside.as_ref().map(|inside| &inside.loopback)
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

    /// Makes this value lead to another database of the server: what it tells of connections, and what is run by it.
    pub fn lead_to(&mut self, database: &Database) {
        let inside = self.inside.iter_mut().flat_map(|inside| [&mut inside.socket, &mut inside.loopback]);
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
        if let Some(tls) = &mut self.from_here.tls {
            let kind = session.container().backend().kind();
            tls.ca_file = certificates::session_ca_file(folders, kind, session.credential(), &tls.ca_cert_pem)?;
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

/// A session that runs keeps its name, and so does one that is being started. One whose time is over or whose server has
/// ended gives it up. Somebody else's container is left alone.
async fn refuse_existing(definition: &Definition, backend: &ociman::Backend, name: &Name) -> Result<(), StartError> {
    if snapshot::is_stopped(&definition.folders, backend, name).await {
        return Err(StartError::SessionExists { name: name.clone() });
    }
    let exists = || StartError::SessionExists { name: name.clone() };
    let container = backend.container(name.container_name().clone());
    match Session::find(backend, name).await.map_err(StartError::FindSession)? {
        Some(session) if session.has_expired() => {
            container.remove_force_if(&session.summary().id).await.map_err(StartError::Run)?;
            certificates::forget_session(&definition.folders, backend.kind(), session.credential());
            return Ok(());
        }
        Some(_) => return Err(exists()),
        None => {}
    }
    let info = match container.inspect().await {
        Ok(info) => info,
        Err(CommandError::ContainerNotFound { .. }) => return Ok(()),
        Err(error) => return Err(StartError::Run(error)),
    };
    if info.labels.get(&label::SESSION_KEY).is_none() {
        return Err(StartError::Run(CommandError::NameTaken { name: container.name().to_string() }));
    }
    // Where the records are another user's, the labels tell whose start it is.
    let is_dead = || matches!(label::owner(&info.labels), Ok(Some(owner)) if owner.liveness() == Liveness::Dead);
    match info.state {
        _ if record::is_being_started(&definition.folders, &container) => Err(exists()),
        ContainerState::Exited => {
            container.remove_force_if(&info.id).await.map_err(StartError::Run)?;
            if let Some(credential) = secret::credential(&info.labels) {
                certificates::forget_session(&definition.folders, backend.kind(), credential);
            }
            Ok(())
        }
        ContainerState::Created if is_dead() => container.remove_force_if(&info.id).await.map_err(StartError::Run),
        _ => Err(exists()),
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
