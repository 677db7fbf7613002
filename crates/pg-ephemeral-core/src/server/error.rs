//! Why a server could not be started.

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

/// How many of a dead server's last lines are shown.
pub(super) const LOG_LINES: usize = 20;

/// Why a server could not be started. Nothing of it is left then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no backend.
    #[error(transparent)]
    Choose(#[from] ChooseError),
    /// A folder of this machine was to be mounted where it is not.
    #[error("mount {}: the {backend} engine is on another machine, {host}", folder.display())]
    RemoteFolder {
        /// The folder.
        folder: PathBuf,
        /// The engine's kind.
        backend: Kind,
        /// The machine that the engine is on.
        host: String,
    },
    /// There is no fitting PostgreSQL on the host.
    #[error(transparent)]
    Find(#[from] FindError),
    /// There can be no cluster that sorts and stores text as was asked for.
    #[error(transparent)]
    Locale(#[from] LocaleError),
    /// The user's folders.
    #[error(transparent)]
    Folders(#[from] FoldersError),
    /// The machine's secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The server's record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The lock of a build.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The operating system has no threads, random numbers or ports to give.
    #[error("prepare the start")]
    Thread(#[source] std::io::Error),
    /// A parameter is pg-ephemeral's own to set.
    #[error("the parameter {name} is set by pg-ephemeral itself")]
    ReservedParameter {
        /// The parameter.
        name: ParameterName,
    },
    /// A parameter does by hand what the SSL host name does.
    #[error("the parameter {name} can't be set beside the SSL host name, which sets SSL up")]
    SslParameter {
        /// The parameter.
        name: ParameterName,
    },
    /// The server's certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The file with its certificate authority.
    #[error(transparent)]
    CaFile(#[from] CaFileError),
    /// The server's program knows no TLS.
    #[error("turn TLS on: this PostgreSQL was built without it")]
    BuiltWithoutTls,
    /// The server did not take its certificate.
    #[error("turn TLS on")]
    TurnTlsOn(#[source] tokio_postgres::Error),
    /// The name of the instance's layers is too long for an image.
    #[error("name the layers")]
    LayerName(#[source] ociman::ReferenceError),
    /// The images could not be looked up.
    #[error("look up the image {image}")]
    LookUp {
        /// The base image.
        image: String,
        /// What the backend said.
        #[source]
        source: ociman::CommandError,
    },
    /// The image is not there and could not be fetched.
    #[error("pull the image {image}")]
    Pull {
        /// The image.
        image: String,
        /// What the backend said.
        #[source]
        source: ociman::CommandError,
    },
    /// The image lacks the program that the server is for.
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
        /// Which seed, and what came of it.
        #[source]
        source: Box<ApplyError>,
    },
    /// The server does not start with the configuration that a seed has left.
    #[error("failed to start the server of instance {instance} again after seed \"{seed}\"")]
    StartAfterSeed {
        /// The instance.
        instance: InstanceName,
        /// The seed.
        seed: SeedName,
        /// What came of it.
        #[source]
        source: Box<StartError>,
    },
    /// There is no image for a container script: the host backend has none.
    #[error("seed \"{seed}\" can't run: there is no image for its script")]
    NoImageForScript {
        /// The seed.
        seed: SeedName,
    },
    /// A layer was made under another secret and can't be opened.
    #[error("open the layer {layer}, which was made under another secret")]
    LostLayer {
        /// The layer's image.
        layer: ociman::Reference,
    },
    /// A session of this name runs already.
    #[error("the session {name} runs already")]
    SessionExists {
        /// The session.
        name: Name,
    },
    /// The sessions that run could not be looked at.
    #[error(transparent)]
    FindSession(FindSessionError),
    /// The session that was started could not be attached to.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// The container could not be started.
    #[error("run the server's container")]
    Run(#[source] ociman::CommandError),
    /// A layer could not be saved.
    #[error("commit a layer")]
    Commit(#[source] ociman::CommandError),
    /// A command inside the container could not be run, or failed.
    #[error("hand the password to the server's container: {message}")]
    Password {
        /// What came of it.
        message: String,
    },
    /// The container disappeared, or its backend did.
    #[error("watch the server's container")]
    Watch(#[source] ociman::CommandError),
    /// The server ended instead of getting ready.
    #[error("the server ended with status {status} before it was ready{}", quoted(log))]
    Died {
        /// The status of its process.
        status: i32,
        /// The last lines of its log.
        log: String,
    },
    /// The server did not get ready in time.
    #[error("the server was not ready within {} s{}", limit.as_secs_f32(), quoted(log))]
    TimedOut {
        /// The time it had.
        limit: Duration,
        /// The last lines of its log.
        log: String,
        /// Why the last attempt to connect failed.
        #[source]
        source: ConnectError,
    },
    /// The server is up and does not let us in.
    #[error("connect to the server")]
    Connect(#[source] ConnectError),
    /// The way to the server's private socket could not be made.
    #[error("failed to make a link to the server's socket")]
    Socket(#[source] std::io::Error),
    /// The initial set-up statements failed.
    #[error("set up the server")]
    SetUp(#[source] tokio_postgres::Error),
}

/// How [`Definition::with_server`](crate::Definition::with_server) ended without a value.
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
    #[error("remove the server")]
    Stop(#[source] ociman::CommandError),
}

/// Why a session could not be attached to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// The machine's secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The session was started with another secret, so this one does not make its password.
    #[error("attach to the session {session}: it was started with another secret")]
    AnotherSecret {
        /// The session.
        session: Name,
    },
    /// A label that an attach needs is not there.
    #[error("attach to the session {session}: its container has no label {key}")]
    MissingLabel {
        /// The session.
        session: Name,
        /// The label.
        key: ociman::label::Key,
    },
    /// The session's container publishes no port.
    #[error("attach to the session {session}: its container publishes no port")]
    NoPort {
        /// The session.
        session: Name,
    },
    /// The machine that the session's engine is on has no address.
    #[error("attach to the session {session}")]
    Address {
        /// The session.
        session: Name,
        /// Which machine, and why.
        #[source]
        source: ociman::CommandError,
    },
    /// Somebody has paused the session's container: its server would not answer.
    #[error("attach to the session {session}: its container is paused")]
    Paused {
        /// The session.
        session: Name,
    },
    /// The labels that tell of TLS can't be read.
    #[error("attach to the session {session}")]
    Label {
        /// The session.
        session: Name,
        /// Which label, and what is wrong with it.
        #[source]
        source: Box<ReadError>,
    },
    /// The file with its certificate authority could not be written.
    #[error(transparent)]
    CaFile(#[from] CaFileError),
    /// The programs of the session's server could not be found on this machine.
    #[error(transparent)]
    Find(#[from] FindError),
}

impl AttachError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Secret(error) => Some(error.hint().to_owned()),
            Self::AnotherSecret { session } => Some(format!(
                "it belongs to another user or state folder, or the secret was changed since it was started; whoever may remove \
                 it does so with: pg-ephemeral session stop --name {session} --force"
            )),
            Self::Find(error) => error.hint(),
            _ => None,
        }
    }
}

/// What to do about a full disk.
const FULL_DISK: &str = "the disk is full: free some space; `pg-ephemeral doctor` shows how much is left where, and \
                         `pg-ephemeral cache prune` removes old layers";

/// Nothing of this machine can be mounted on another.
pub(crate) fn refuse_remote_folder(backend: &Backend, folder: Option<&PathBuf>) -> Result<(), StartError> {
    let (Some(host), Some(folder)) = (backend.remote_host(), folder) else { return Ok(()) };
    Err(StartError::RemoteFolder { folder: folder.clone(), backend: backend.kind(), host: host.to_owned() })
}

fn quoted(log: &str) -> String {
    let log = log.trim();
    if log.is_empty() { String::new() } else { format!("; its last words:\n{log}") }
}

impl StartError {
    /// What became of a server that was started again and ended by itself.
    pub(crate) async fn ended(container: &Container) -> Self {
        let status = container.inspect().await.ok().and_then(|info| info.exit_code).unwrap_or(-1);
        Self::Died { status, log: container.last_log_lines(LOG_LINES).await.unwrap_or_default() }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        self.own_hint().or_else(|| self.is_about_full_disk().then(|| FULL_DISK.to_owned()))
    }

    /// Whether a full disk is a cause, as the system, an engine or PostgreSQL says.
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
    fn a_full_disk_is_named_wherever_it_shows() {
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
