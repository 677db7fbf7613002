//! Starting one container with a server in it, and waiting until the server accepts connections.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ociman::blocking::Blocking;
use ociman::label::Labels;
use ociman::{
    Access, Backend, CommandError, Container, ContainerName, Kind, Lifetime, Mount, Network, PublishedPort, Reference,
    RunSpec, Secret,
};
use tokio_postgres::Client;

use super::build::STOP_LIMIT;
use super::tls::ServerTls;
use super::{Boot, SOCKET_IN_CONTAINER, SOCKET_ON_HOST, SOCKET_SHARED};
use crate::config::Durability;
use crate::io::random::random_name;
use crate::layer::{self, Link};
use crate::model::label;
use crate::model::session::PENDING_PREFIX;
use crate::postgres::connect::{self, WaitEnd};
use crate::postgres::endpoint::{ConnectionParameters, Endpoint, PORT};
use crate::server::definition::{Definition, Reach};
use crate::server::error::StartError;
use crate::server::guard::Guard;
use crate::server::settings_label::SettingsLabel;
use crate::server::wait::WATCH_AFTER;
use crate::state::{Folders, secret};

/// The prefix of the names of containers that are removed together with their owner.
pub(super) const OWNED_PREFIX: &str = "pg-ephemeral-";
/// The size of `/dev/shm` in bytes. The default of engines is too small for parallel queries.
const SHARED_MEMORY: u64 = 1 << 30;

/// The purpose of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The container builds layers. It never has the name or the label of a session.
    Builder,
    /// The container runs the requested server.
    Server,
}

/// Whether a server loads the libraries of `shared_preload_libraries` and similar parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Libraries {
    /// The server loads them.
    Loaded,
    /// The server starts without them, because a container script that has yet to run may install them.
    ToCome,
}

/// A container in which a server is starting, and how to reach the server.
#[derive(Debug)]
pub(super) struct Launched {
    pub(super) guard: Guard,
    /// The server's own password, which is set once the server runs.
    pub(super) own_password: Secret,
    /// The SCRAM verifier of the server's own password. It takes milliseconds to compute, while the server starts.
    pub(super) verifier: Blocking<String>,
    pub(super) endpoint: Endpoint,
    /// The requested reach.
    pub(super) reach: Reach,
    /// The certificates, if the server is to use TLS. They are sent once the server runs.
    pub(super) tls: Option<ServerTls>,
}

impl Boot<'_> {
    /// Starts a container with a server. `complete` adds the settings that depend on the program in the container.
    pub(super) async fn launch(
        &self,
        image: &Reference,
        reach: Reach,
        role: Role,
        libraries: Libraries,
        complete: impl FnOnce(RunSpec) -> RunSpec,
    ) -> Result<Launched, StartError> {
        let session = self.request.filter(|_| role == Role::Server);
        let inherited = session.map(|session| &session.inherited);
        let nonce = random_name().map_err(StartError::Thread)?;
        let credential = inherited.and_then(|inherited| inherited.credential.clone()).unwrap_or_else(|| nonce.clone());
        let own_password = self.secret.server_password(&credential);
        let verified = own_password.clone();
        let verifier = ociman::blocking::run(move || secret::verifier(&verified));
        let name = match session {
            Some(session) if session.inherited.replaces.is_some() => self.container_name(PENDING_PREFIX)?,
            Some(session) => session.name.container_name().clone(),
            None => self.container_name(OWNED_PREFIX)?,
        };
        let mut spec = complete(RunSpec::new(name.clone(), image.clone()));
        let particular = std::mem::replace(&mut spec.labels, self.labels(&nonce));
        spec.labels.extend(particular);
        if let Some(session) = session {
            spec.labels.insert(label::SETTINGS_KEY, label::json_value(&SettingsLabel::of(self.definition)));
            spec.labels.insert(label::SECRET_KEY, label::value(&self.secret.label(&credential)));
            spec.labels.insert(label::CREDENTIAL_KEY, label::value(&credential));
            spec.labels.extend(session.labels());
            spec.lifetime = Lifetime::Detached;
        }
        let tls = match &self.definition.ssl_config {
            Some(ssl) if role == Role::Server => Some(self.prepare_tls(ssl)?),
            _ => None,
        };
        spec.labels.extend(tls.iter().flat_map(ServerTls::labels));
        let open = self.definition.cross_container_access && role == Role::Server;
        let mut listens_on = if open { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
        let mut folder = None;
        // A socket can only be shared with an engine on this machine. On systems other than Linux, the engine runs in a
        // virtual machine.
        let is_remote = self.backend.remote_host().is_some() || !cfg!(target_os = "linux");
        let reached = if is_remote { Reach::Published } else { reach };
        let endpoint = match (self.backend.kind(), reached) {
            (Kind::Host, _) | (_, Reach::Published) => {
                let address = address_of(&self.backend).await?;
                if !address.is_loopback() {
                    listens_on = Ipv4Addr::UNSPECIFIED;
                }
                let port = match inherited.and_then(|inherited| inherited.port) {
                    Some(port) => port,
                    None => free_port(listens_on).map_err(StartError::Thread)?,
                };
                let container = if self.backend.kind() == Kind::Host { port } else { PORT };
                let published_on = published_on(address, listens_on);
                spec = spec.port(PublishedPort { container, address: published_on, port: Some(port) });
                Endpoint::Tcp { address, port }
            }
            (_, reached) => {
                let shared = Folders::sockets()?.join(name.as_str());
                spec.mounts.push(bind(shared.clone(), SOCKET_SHARED.into()));
                if reached == Reach::InsideWithoutNetwork {
                    spec.network = Network::None;
                }
                folder = Some(shared.clone());
                Endpoint::Socket { folder: shared, port: PORT }
            }
        };
        spec.arguments = self.settings(&endpoint, listens_on, libraries);
        if tls.is_some() {
            spec = self.ready_for_tls(spec);
        }
        if self.backend.kind() != Kind::Host {
            spec.shared_memory = Some(SHARED_MEMORY);
            let hidden = self.resolved.data_volume.iter().map(|volume| Mount::Tmpfs { target: volume.into() });
            spec.mounts.extend(hidden);
            let transparent =
                self.definition.transparent_workdir.iter().map(|folder| bind(folder.clone(), folder.clone()));
            spec.mounts.extend(transparent);
        }
        if let Some(replaced) = inherited.and_then(|inherited| inherited.replaces.as_ref()) {
            // The note is written immediately before the first change to the old container.
            replaced.write_successor(&name, &nonce)?;
            replaced.container().stop(STOP_LIMIT).await.map_err(StartError::Run)?;
        }
        let guard = Guard::run(&self.definition.folders, &self.backend, spec, self.owner.clone(), folder).await?;
        Ok(Launched { guard, own_password, verifier, endpoint, reach, tls })
    }

    /// Waits until the server accepts connections with this password.
    pub(super) async fn wait(
        &self,
        launched: &Launched,
        password: &Secret,
        limit: Duration,
    ) -> Result<Client, StartError> {
        let parameters = self.parameters(launched.endpoint.clone(), password.clone());
        self.wait_with(launched, &parameters, limit).await
    }

    pub(super) async fn wait_with(
        &self,
        launched: &Launched,
        parameters: &ConnectionParameters,
        limit: Duration,
    ) -> Result<Client, StartError> {
        let container = launched.guard.container();
        let death = async {
            if self.backend.kind() != Kind::Host {
                tokio::time::sleep(WATCH_AFTER).await;
            }
            container.wait().await
        };
        match connect::until_ready(parameters, limit, death).await {
            Ok(client) => Ok(client),
            Err(WaitEnd::Died(Ok(_))) => Err(self.death(container).await),
            Err(WaitEnd::Died(Err(error))) => Err(StartError::Watch(error)),
            Err(WaitEnd::Refused(error)) => Err(StartError::Connect(error)),
            Err(WaitEnd::TimedOut(source)) => {
                let log = self.log_tail(container).await;
                Err(StartError::TimedOut { limit, log, source })
            }
        }
    }

    /// Creates the error for a server that has ended by itself.
    pub(super) async fn death(&self, container: &Container) -> StartError {
        let status = container.inspect().await.ok().and_then(|info| info.exit_code).unwrap_or(-1);
        StartError::Died { status, log: self.log_tail(container).await }
    }

    pub(super) fn parameters(&self, endpoint: Endpoint, password: Secret) -> ConnectionParameters {
        let Definition { superuser, database, .. } = self.definition;
        ConnectionParameters {
            endpoint,
            user: superuser.as_str().to_owned(),
            password,
            database: database.as_str().to_owned(),
            tls: None,
        }
    }

    /// Returns all server parameters as `-c NAME=VALUE`: first those that make a throw-away server fast, then those of
    /// the caller, then the reserved ones. Later ones override earlier ones.
    fn settings(&self, endpoint: &Endpoint, listens_on: Ipv4Addr, libraries: Libraries) -> Vec<String> {
        // A layer or snapshot would otherwise contain WAL segments that are only kept for reuse.
        let mut settings: Vec<String> = ["wal_recycle=off", "wal_init_zero=off"].map(str::to_owned).into();
        if self.definition.durability == Durability::Off {
            // Checkpoints only happen if they are asked for, or if there is much WAL.
            let fast = [
                "fsync=off",
                "synchronous_commit=off",
                "full_page_writes=off",
                "checkpoint_timeout=1d",
                "max_wal_size=4GB",
            ];
            settings.extend(fast.map(str::to_owned));
            if self.backend.kind() == Kind::Host {
                // These parameters avoid disk writes, and a small buffer pool starts faster.
                settings.extend(["bgwriter_lru_maxpages=0", "shared_buffers=32MB"].map(str::to_owned));
            }
        }
        let is_set = |name: &str| libraries == Libraries::Loaded || !layer::preloads(name);
        let own = self.definition.parameters.iter().filter(|(name, _)| is_set(name.as_str()));
        settings.extend(own.map(|(name, value)| format!("{name}={}", value.as_str())));
        match (self.backend.kind(), endpoint) {
            (Kind::Host, Endpoint::Tcp { port, .. }) => settings.extend([
                format!("listen_addresses={listens_on}"),
                format!("port={port}"),
                // The socket needs no password. It is in the state folder, which only this user can access.
                format!("unix_socket_directories={SOCKET_ON_HOST}"),
                // Shared memory segments are in the data folder and are removed with it, even if the server is killed.
                "dynamic_shared_memory_type=mmap".to_owned(),
            ]),
            (_, Endpoint::Tcp { .. }) => {
                settings.extend([
                    "listen_addresses=*".to_owned(),
                    format!("unix_socket_directories={SOCKET_IN_CONTAINER}"),
                ]);
            }
            (_, Endpoint::Socket { .. }) => settings.extend([
                "listen_addresses=*".to_owned(),
                format!("unix_socket_directories={SOCKET_IN_CONTAINER},{SOCKET_SHARED}"),
            ]),
        }
        settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]).collect()
    }

    pub(super) fn labels(&self, nonce: &str) -> Labels {
        let owner = serde_json::to_string(&self.owner).unwrap_or_default();
        let all = self.resolved.chain.links().len();
        let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let folder = self.definition.transparent_workdir.as_ref();
        let folder = folder.map(|folder| (label::FOLDER_KEY, label::value(&folder.to_string_lossy())));
        let labels = [
            (label::VERSION_KEY, label::value(env!("CARGO_PKG_VERSION"))),
            (label::INSTANCE_KEY, label::value(self.definition.instance.as_str())),
            (label::IMAGE_KEY, label::value(&self.resolved.image.to_string())),
            (label::SEEDS_KEY, label::value(&self.seeds_label(all))),
            (label::SUPERUSER_USER_KEY, label::value(self.definition.superuser.as_str())),
            (label::SUPERUSER_DATABASE_KEY, label::value(self.definition.database.as_str())),
            (label::OWNER_KEY, label::value(&owner)),
            (label::NONCE_KEY, label::value(nonce)),
            (label::STARTED_KEY, label::value(&started.to_string())),
        ];
        labels.into_iter().chain(folder).collect()
    }

    /// Returns the value of the label for the first `count` seeds of the chain.
    pub(super) fn seeds_label(&self, count: usize) -> String {
        let seeds: Vec<_> = self.resolved.chain.links().iter().take(count).map(Link::entry).collect();
        serde_json::to_string(&seeds).unwrap_or_default()
    }

    /// Returns a random container name with this prefix.
    pub(super) fn container_name(&self, prefix: &str) -> Result<ContainerName, StartError> {
        let id = random_name().map_err(StartError::Thread)?;
        let name = format!("{prefix}{id}").parse();
        name.map_err(|_| StartError::Thread(std::io::ErrorKind::InvalidData.into()))
    }
}

/// Returns a writable mount of a folder.
pub(crate) fn bind(source: PathBuf, target: PathBuf) -> Mount {
    Mount::Bind { source, target, access: Access::ReadWrite }
}

/// Returns the address at which this machine reaches the published ports of a backend.
async fn address_of(backend: &Backend) -> Result<IpAddr, StartError> {
    if backend.remote_host().is_none() {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    let backend = backend.clone();
    let found = ociman::blocking::run(move || backend.address()).await;
    found.map_err(StartError::Thread)?.map_err(StartError::Run)
}

/// Returns the address to publish a port on. For another machine, this is the unspecified address, because the address
/// at which we reach the machine need not be its own, for example because of address translation.
fn published_on(address: IpAddr, listens_on: Ipv4Addr) -> IpAddr {
    if address.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { listens_on.into() }
}

/// Returns a port that is free on this machine at the moment. Another process may take the port before the server does,
/// and on a remote machine it may be taken already. The caller then tries another port.
fn free_port(address: Ipv4Addr) -> std::io::Result<u16> {
    Ok(TcpListener::bind((address, 0))?.local_addr()?.port())
}

pub(crate) fn port_was_taken(error: &StartError) -> bool {
    match error {
        StartError::Run(CommandError::PortTaken { .. }) => true,
        StartError::Died { log, .. } => log.contains("Address already in use"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_on_another_machine_is_published_on_all_its_addresses() {
        let (here, all) = (Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED);
        assert_eq!(published_on(here.into(), here), here);
        assert_eq!(published_on([10, 0, 0, 7].into(), all), all);
        assert_eq!(published_on("2001:db8::1".parse().unwrap(), all), Ipv6Addr::UNSPECIFIED);
    }
}
