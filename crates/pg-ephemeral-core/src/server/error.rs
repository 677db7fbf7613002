//! [`StartError`], [`AttachError`] and [`WithServerError`]: the reasons why a server could not be started or used.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use ociman::{Backend, Container, Kind};

use super::choose::ChooseError;
use crate::model::session::Name;
use crate::model::{InstanceName, ParameterName, ReadError, SeedName};
use crate::postgres::connect::ConnectError;
use crate::postgres::host_image::FindError;
use crate::postgres::locale::LocaleError;
use crate::postgres::tls::{CaFileError, CertificateError};
use crate::seed::ApplyError;
use crate::session::FindError as FindSessionError;
use crate::state::{FoldersError, LockError, RecordError, SecretError};

/// The number of lines that errors show from the end of a server's log.
pub(super) const LOG_LINES: usize = 20;

/// The reason why a server could not be started. A failed start leaves nothing behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The choice of a backend is invalid, or no backend works.
    #[error(transparent)]
    Choose(#[from] ChooseError),
    /// A folder of this machine can't be mounted, because the engine is on another machine.
    #[error("failed to mount {}: the {backend} engine is on another machine, {host}", folder.display())]
    RemoteFolder {
        /// The folder.
        folder: PathBuf,
        /// The engine's kind.
        backend: Kind,
        /// The machine that the engine is on.
        host: String,
    },
    /// No fitting PostgreSQL is installed on this machine.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The locale settings do not fit together, or the locale is missing.
    #[error(transparent)]
    Locale(#[from] LocaleError),
    /// The user's folders could not be found or used.
    #[error(transparent)]
    Folders(#[from] FoldersError),
    /// The machine's secret could not be read or created.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The server's record could not be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The lock of the instance's layers could not be taken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The operating system failed to provide a thread, random numbers or a free port.
    #[error("failed to prepare the start")]
    Thread(#[source] std::io::Error),
    /// A parameter is reserved, because pg-ephemeral sets it itself.
    #[error("the parameter {name} is set by pg-ephemeral itself")]
    ReservedParameter {
        /// The parameter.
        name: ParameterName,
    },
    /// A parameter configures SSL, which the SSL host name already does.
    #[error("the parameter {name} can't be set beside the SSL host name, which sets SSL up")]
    SslParameter {
        /// The parameter.
        name: ParameterName,
    },
    /// The server's certificate could not be generated.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The file with the certificate authority could not be written.
    #[error(transparent)]
    CaFile(#[from] CaFileError),
    /// PostgreSQL was built without TLS.
    #[error("failed to enable TLS: this PostgreSQL was built without it")]
    BuiltWithoutTls,
    /// A statement that gives the server its certificate and enables TLS failed.
    #[error("failed to enable TLS")]
    TurnTlsOn(#[source] tokio_postgres::Error),
    /// The name of the instance makes the image names of its layers too long.
    #[error("failed to compute the layers' names")]
    LayerName(#[source] ociman::ReferenceError),
    /// The images could not be inspected.
    #[error("failed to look up the image {image}")]
    LookUp {
        /// The base image.
        image: String,
        /// Why the backend failed.
        #[source]
        source: ociman::CommandError,
    },
    /// The image is not on the backend, and could not be pulled.
    #[error("failed to pull the image {image}")]
    Pull {
        /// The image.
        image: String,
        /// Why the backend failed.
        #[source]
        source: ociman::CommandError,
    },
    /// The image lacks the program that was set with [`Definition::program`](crate::Definition::program).
    #[error("no program {program:?} in the image {image}")]
    ProgramNotInImage {
        /// The program.
        program: String,
        /// The image.
        image: ociman::Reference,
    },
    /// The seeds could not be read.
    #[error(transparent)]
    LoadSeeds(crate::seed::ReadError),
    /// A seed failed.
    #[error("failed to seed instance {instance}")]
    Seed {
        /// The instance.
        instance: InstanceName,
        /// Which seed failed, and why.
        #[source]
        source: Box<ApplyError>,
    },
    /// The server does not start again after a seed has changed its configuration.
    #[error("failed to start the server of instance {instance} again after seed \"{seed}\"")]
    StartAfterSeed {
        /// The instance.
        instance: InstanceName,
        /// The seed.
        seed: SeedName,
        /// Why the server did not start.
        #[source]
        source: Box<StartError>,
    },
    /// A container script can't run on the host backend, which has no images.
    #[error("seed \"{seed}\" can't run: there is no image for its script")]
    NoImageForScript {
        /// The seed.
        seed: SeedName,
    },
    /// A layer was made with another secret, and its password could not be reset.
    #[error("failed to open the layer {layer}, which was made under another secret")]
    LostLayer {
        /// The image of the layer.
        layer: ociman::Reference,
    },
    /// A session of this name already runs.
    #[error("the session {name} is already running")]
    SessionExists {
        /// The session.
        name: Name,
    },
    /// The search for a session failed.
    #[error(transparent)]
    FindSession(FindSessionError),
    /// Attaching to the started session failed.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// The container could not be started.
    #[error("failed to run the server's container")]
    Run(#[source] ociman::CommandError),
    /// A layer could not be committed.
    #[error("failed to commit a layer")]
    Commit(#[source] ociman::CommandError),
    /// The command that passes the password to the container failed.
    #[error("failed to pass the password to the server's container: {message}")]
    Password {
        /// The exit status and the error output of the command.
        message: String,
    },
    /// The container disappeared, or the backend does not answer any more.
    #[error("failed to watch the server's container")]
    Watch(#[source] ociman::CommandError),
    /// The server ended before it was ready.
    #[error("the server ended with status {status} before it was ready{}", quoted(log))]
    Died {
        /// The exit status of the server.
        status: i32,
        /// The last lines of its log.
        log: String,
    },
    /// The server was not ready in time.
    #[error("the server was not ready within {} s{}", limit.as_secs_f32(), quoted(log))]
    TimedOut {
        /// The time limit.
        limit: Duration,
        /// The last lines of its log.
        log: String,
        /// Why the last attempt to connect failed.
        #[source]
        source: ConnectError,
    },
    /// The server runs, but refuses the connection.
    #[error("failed to connect to the server")]
    Connect(#[source] ConnectError),
    /// The symbolic link to the server's private socket could not be created.
    #[error("failed to make a link to the server's socket")]
    Socket(#[source] std::io::Error),
    /// The initial set-up statements failed.
    #[error("failed to set up the server")]
    SetUp(#[source] tokio_postgres::Error),
}

/// The error of [`Definition::with_server`](crate::Definition::with_server).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WithServerError<E> {
    /// The server did not start.
    #[error(transparent)]
    Start(StartError),
    /// The closure failed.
    #[error(transparent)]
    Body(E),
    /// The server could not be removed.
    #[error("failed to remove the server")]
    Stop(#[source] ociman::CommandError),
}

/// The reason why attaching to a session failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// The machine's secret could not be read or created.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The session was started with another secret, so its password can't be derived.
    #[error("failed to attach to the session {session}: it was started with another secret")]
    AnotherSecret {
        /// The session.
        session: Name,
    },
    /// The session's container lacks a required label.
    #[error("failed to attach to the session {session}: its container has no label {key}")]
    MissingLabel {
        /// The session.
        session: Name,
        /// The key of the label.
        key: ociman::label::Key,
    },
    /// The session's container publishes no port.
    #[error("failed to attach to the session {session}: its container publishes no port")]
    NoPort {
        /// The session.
        session: Name,
    },
    /// The address of the machine that the session's engine is on could not be found.
    #[error("failed to attach to the session {session}")]
    Address {
        /// The session.
        session: Name,
        /// Which machine it is, and why the address could not be found.
        #[source]
        source: ociman::CommandError,
    },
    /// The session's container is paused, so its server does not answer.
    #[error("failed to attach to the session {session}: its container is paused")]
    Paused {
        /// The session.
        session: Name,
    },
    /// The label with the TLS settings is invalid.
    #[error("failed to attach to the session {session}")]
    Label {
        /// The session.
        session: Name,
        /// Which label it is, and why it is invalid.
        #[source]
        source: Box<ReadError>,
    },
    /// The file with the certificate authority could not be written.
    #[error(transparent)]
    CaFile(#[from] CaFileError),
    /// The PostgreSQL installation of the session's server could not be found on this machine.
    #[error(transparent)]
    Find(#[from] FindError),
}

impl AttachError {
    /// Returns a hint on what the user can do about the error, if there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Secret(error) => Some(error.hint().to_owned()),
            Self::AnotherSecret { session } => Some(format!(
                "it belongs to another user or state folder, or the secret was changed since it was started; whoever may remove \
                 it does so with: pg-ephemeral session stop --name {session} --force"
            )),
            Self::Paused { session } => {
                let container = session.container_name();
                Some(format!("`docker unpause {container}` or `podman unpause {container}` lets it continue"))
            }
            Self::Find(error) => error.hint(),
            _ => None,
        }
    }
}

/// The hint for errors that a full disk causes.
const FULL_DISK: &str = "the disk is full: free some space; `pg-ephemeral doctor` shows how much is left where, and \
                         `pg-ephemeral cache prune` removes old layers";

/// Checks that the engine can mount the folder: a remote engine can't mount a folder of this machine.
pub(crate) fn refuse_remote_folder(backend: &Backend, folder: Option<&PathBuf>) -> Result<(), StartError> {
    let (Some(host), Some(folder)) = (backend.remote_host(), folder) else { return Ok(()) };
    Err(StartError::RemoteFolder { folder: folder.clone(), backend: backend.kind(), host: host.to_owned() })
}

fn quoted(log: &str) -> String {
    let log = log.trim();
    if log.is_empty() { String::new() } else { format!("; its last words:\n{log}") }
}

impl StartError {
    /// Creates the error for a server that was started again and has ended by itself.
    pub(crate) async fn ended(container: &Container) -> Self {
        let status = container.inspect().await.ok().and_then(|info| info.exit_code).unwrap_or(-1);
        Self::Died { status, log: container.last_log_lines(LOG_LINES).await.unwrap_or_default() }
    }

    /// Returns a hint on what the user can do about the error, if there is one.
    pub fn hint(&self) -> Option<String> {
        self.own_hint().or_else(|| self.is_about_full_disk().then(|| FULL_DISK.to_owned()))
    }

    /// Returns `true` if a full disk is among the causes, as reported by the system, an engine or PostgreSQL.
    fn is_about_full_disk(&self) -> bool {
        let mut cause: Option<&dyn Error> = Some(self);
        while let Some(error) = cause {
            if error.to_string().contains("No space left on device") {
                return true;
            }
            cause = error.source();
        }
        false
    }

    fn own_hint(&self) -> Option<String> {
        match self {
            Self::Died { log, .. }
                if ["unrecognized configuration parameter", "invalid value for parameter"]
                    .iter()
                    .any(|refusal| log.contains(refusal)) =>
            {
                Some("correct the parameter, in `parameters` of database.toml or in --parameter".to_owned())
            }
            Self::Died { log, .. } if log.contains("encoding mismatch") => Some(
                "`encoding` does not fit `locale`: leave `encoding` out, or set `locale` to one of that encoding; \
                 `locale = \"C\"` fits every encoding"
                    .to_owned(),
            ),
            Self::Choose(error) => Some(error.hint()),
            Self::RemoteFolder { .. } => Some(
                "use the `host` form of the command, or the `container` form, which does without the folder".to_owned(),
            ),
            Self::Find(error) => error.hint(),
            Self::Locale(error) => error.hint(),
            Self::Folders(error) | Self::Record(RecordError::Folders(error)) => Some(error.hint().to_owned()),
            Self::Secret(error) => Some(error.hint().to_owned()),
            Self::LostLayer { .. } => {
                Some("`pg-ephemeral cache reset` removes it, and the next start builds it anew".to_owned())
            }
            Self::Pull { .. } => Some(
                "check the image's name and the network; an image that is already on this machine is used without a network".to_owned(),
            ),
            Self::LoadSeeds(error) => error.hint().map(str::to_owned),
            Self::Seed { source, .. } => source.hint(),
            Self::StartAfterSeed { .. } => Some(
                "the seed changed the server's configuration, for example by ALTER SYSTEM: leave out what keeps the \
                 server from starting"
                    .to_owned(),
            ),
            Self::NoImageForScript { .. } => Some("use docker or podman".to_owned()),
            Self::SessionExists { name } => {
                Some(format!("attach to it, or stop it first: pg-ephemeral session stop --name {name}"))
            }
            Self::ReservedParameter { .. } | Self::SslParameter { .. } => Some("leave it out".to_owned()),
            Self::BuiltWithoutTls => Some("use another PostgreSQL, or leave out ssl_config and --ssl-hostname".to_owned()),
            Self::TimedOut { .. } => Some("wait_available_timeout in database.toml sets the time".to_owned()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_a_full_disk_causes_has_a_hint_about_it() {
        let io = || std::io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error());
        let died = |log: &str| StartError::Died { status: 1, log: log.to_owned() };
        for error in [StartError::Thread(io()), StartError::Socket(io()), died("PANIC:  x: No space left on device")] {
            assert!(error.hint().unwrap().starts_with("the disk is full"), "{error:?}");
        }
        assert_eq!(died("FATAL:  no").hint(), None);
        let parameter = died("FATAL:  unrecognized configuration parameter \"nosuch\"").hint().unwrap();
        assert!(parameter.starts_with("correct the parameter"), "{parameter}");
        let mismatch = died("initdb: error: encoding mismatch").hint().unwrap();
        assert!(mismatch.starts_with("`encoding` does not fit `locale`"), "{mismatch}");
    }
}
