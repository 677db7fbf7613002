//! Starting a server in a fixed sequence: make a plan, build missing layers under a lock, start from the deepest layer,
//! apply the seeds that no layer contains, and give the server its own password.

pub(crate) mod build;
mod first_start;
pub(crate) mod launch;
pub(super) mod tls;
mod vacuum;

use std::path::Path;

use ociman::{Backend, CommandError, Container, Kind, Mount, Network, Reference, RunSpec, Secret, Variable};
use tokio_postgres::Client;

use self::launch::{Launched, Libraries, OWNED_PREFIX, Role, port_was_taken};
use self::tls::ServerTls;
use super::definition::{Definition, Reach};
use super::displaced::{DisplacedLayers, remove_displaced};
use super::error::StartError;
use super::guard::Guard;
use super::resolve::{self, Resolved};
use super::running::{Hold, InContainer, Server};
use crate::database::{Databases, ServerLifetime};
use crate::io::random::random_name;
use crate::layer::{self, BootFrom, Place, Plan};
use crate::model::{LayerLabel, Owner, ParameterName, SeedHash, SeedKind, SeedName, Step, label, sets_ssl};
use crate::postgres::client::{ClientPrograms, ContainerShell, ProgramsHere, ShellSlot, SocketLink};
use crate::postgres::connect::{self, ConnectError};
use crate::postgres::endpoint::{ConnectionParameters, Endpoint, PORT, socket_environment};
use crate::seed::{self, ApplyError, ChildEnvironment, ReadSeeds};
use crate::session::Request;
use crate::state::{Folders, Lock, MachineSecret, secret};

/// The folder of the socket in every official image.
pub(super) const SOCKET_IN_CONTAINER: &str = "/var/run/postgresql";
/// The folder of the socket on the host backend, relative to the data folder. With TLS, the start script recreates it.
const SOCKET_ON_HOST: &str = "../run";
/// The path in the container where a folder of this machine is mounted for a second socket.
const SOCKET_SHARED: &str = "/pg-ephemeral";
/// A shell script that exits with [`PROGRAM_IS_MISSING`] if there is no program `$1`.
const LOOK_FOR_PROGRAM: &str = r#"command -v -- "$1" >/dev/null || exit 33"#;
const PROGRAM_IS_MISSING: i32 = 33;
/// The maximum number of attempts to start if the chosen port is taken.
const PORT_ATTEMPTS: u32 = 5;
/// The server parameters that this crate sets itself.
const RESERVED_PARAMETERS: [&str; 4] = ["data_directory", "listen_addresses", "port", "unix_socket_directories"];
/// The server parameters that this crate sets itself for a server with TLS.
const RESERVED_FOR_TLS: [&str; 2] = ["config_file", "hba_file"];

/// A query that tells whether the superuser's password has expired, and whether a login loads libraries, which may be
/// missing.
const LOGIN: &str = "SELECT coalesce(rolvaliduntil < pg_catalog.clock_timestamp(), false), \
    EXISTS (SELECT FROM pg_catalog.pg_db_role_setting WHERE setconfig::text LIKE '%preload_libraries%') \
    FROM pg_catalog.pg_roles WHERE rolname = session_user";

/// A start for which everything has been looked up.
pub(crate) struct Boot<'a> {
    definition: &'a Definition,
    /// The session to start, if the server is for a session.
    request: Option<&'a Request>,
    backend: Backend,
    secret: MachineSecret,
    owner: Owner,
    seeds: ReadSeeds,
    resolved: Resolved,
}

/// A server that accepts connections, and its current password.
#[derive(Debug)]
pub(super) struct Running {
    launched: Launched,
    password: Secret,
    /// A connection for this crate's own statements. It is closed while a seed is applied, because the seed may rename
    /// or copy the database, which fails if there is another connection.
    client: Option<Client>,
    /// The shell that runs client programs in the container, once one was needed.
    shell: Option<ContainerShell>,
    /// The last seed that was applied, if the superuser's password has not been set since.
    applied: Option<SeedName>,
    /// A hash of the configuration files that the server was started with. Only set if seeds are to be committed while
    /// the server runs.
    configuration: Option<Vec<u8>>,
    /// The size of all databases when the container was started, in bytes. Only set together with `configuration`.
    size_at_start: Option<i64>,
}

impl Running {
    fn new(launched: Launched, password: Secret, client: Client) -> Self {
        Self {
            launched,
            password,
            client: Some(client),
            shell: None,
            applied: None,
            configuration: None,
            size_at_start: None,
        }
    }

    /// Drops everything that becomes invalid when the server stops.
    fn disconnect(&mut self) {
        self.client = None;
        self.shell = None;
        self.configuration = None;
    }
}

/// Returns an error if the definition sets parameters that this crate sets itself.
pub(crate) fn refuse_reserved(definition: &Definition) -> Result<(), StartError> {
    let has_tls = definition.ssl_config.is_some();
    if let Some((name, _)) = definition.parameters.iter().find(|(name, _)| has_tls && sets_ssl(name.as_str())) {
        return Err(StartError::SslParameter { name: name.clone() });
    }
    let reserved = |name: &&ParameterName| {
        let name = name.to_ascii_lowercase();
        RESERVED_PARAMETERS.contains(&name.as_str()) || has_tls && RESERVED_FOR_TLS.contains(&name.as_str())
    };
    match definition.parameters.iter().map(|(name, _)| name).find(reserved) {
        Some(name) => Err(StartError::ReservedParameter { name: name.clone() }),
        None => Ok(()),
    }
}

impl<'a> Boot<'a> {
    /// Creates a start from its seeds, which have been read, and the result of the look-up.
    pub(crate) fn new(
        definition: &'a Definition,
        request: Option<&'a Request>,
        backend: Backend,
        secret: MachineSecret,
        seeds: ReadSeeds,
        resolved: Resolved,
    ) -> Self {
        Self { definition, request, backend, secret, owner: Owner::current(), seeds, resolved }
    }

    /// Returns the backend of the start.
    pub(crate) fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Starts the server.
    pub(crate) async fn start(mut self) -> Result<Server, StartError> {
        for _ in 0..self.max_lost_layers() {
            match self.serve_or_build().await {
                Err(error) => self.look_up_after(error).await?,
                ended => return ended,
            }
        }
        self.serve_or_build().await
    }

    /// Builds the missing layers without leaving a server running.
    pub(crate) async fn populate(mut self) -> Result<(), StartError> {
        if self.plan_known()?.is_some_and(|plan| !plan.builds()) {
            return Ok(());
        }
        let mut built = self.build().await;
        for _ in 0..self.max_lost_layers() {
            match built {
                Err(error) => self.look_up_after(error).await?,
                ended => {
                    built = ended;
                    break;
                }
            }
            built = self.build().await;
        }
        let built = built?;
        self.definition.observer.begin(Step::Stop);
        match built {
            Some(running) => running.launched.guard.remove().await.map_err(StartError::Watch),
            None => Ok(()),
        }
    }

    async fn serve_or_build(&mut self) -> Result<Server, StartError> {
        let plan = self.plan_known()?.filter(|plan| !plan.builds());
        if plan.as_ref().is_none_or(|plan| !plan.steps.is_empty()) {
            self.look_for_program().await?;
        }
        if let Some(plan) = plan {
            return self.serve(&plan).await;
        }
        let built = self.build().await?;
        let rest = self.plan()?;
        match built {
            Some(running) if self.may_keep_builder() && running.launched.reach == self.reach(&rest) => {
                self.finish(running, &rest).await
            }
            Some(running) => {
                let (removed, served) = tokio::join!(running.launched.guard.remove(), self.serve(&rest));
                removed.map_err(StartError::Watch)?;
                served
            }
            None => self.serve(&rest).await,
        }
    }

    /// Checks that the image contains the program that was set with [`Definition::program`], unless a container script
    /// may add it. If the check can't run in the image, for example because it has no shell, the program counts as
    /// present.
    async fn look_for_program(&self) -> Result<(), StartError> {
        let Some(program) = self.definition.program.as_deref().filter(|_| self.backend.kind() != Kind::Host) else {
            return Ok(());
        };
        if self.seeds.has_container_script() {
            return Ok(());
        }
        let argv = ["sh", "-c", LOOK_FOR_PROGRAM, "sh", program];
        let mut spec = RunSpec::new(self.container_name(OWNED_PREFIX)?, self.resolved.image.clone()).entrypoint(argv);
        spec.labels = self.labels(&random_name().map_err(StartError::Thread)?);
        spec.network = Network::None;
        spec.mounts = self.resolved.data_volume.iter().map(|volume| Mount::Tmpfs { target: volume.into() }).collect();
        let guard = Guard::run(&self.definition.folders, &self.backend, spec, self.owner.clone(), None).await?;
        let status = guard.container().wait().await.map_err(StartError::Watch)?;
        guard.remove().await.map_err(StartError::Watch)?;
        if status.code() == PROGRAM_IS_MISSING {
            return Err(StartError::ProgramNotInImage {
                program: program.to_owned(),
                image: self.resolved.image.clone(),
            });
        }
        Ok(())
    }

    /// Builds all layers that are missing and that no other process has built in the meantime. Returns the server of
    /// the build, which still runs, if there was one.
    async fn build(&mut self) -> Result<Option<Running>, StartError> {
        self.definition.observer.begin(Step::WaitForBuild);
        let _lock = Lock::of_build(&self.definition.folders, self.backend.kind(), &self.definition.instance).await?;
        resolve::look_again(&self.backend, &mut self.resolved).await?;
        let plan = self.limit_depth(self.plan()?);
        let built = self.build_layers(&plan).await?;
        if plan.builds() && self.backend.kind() != Kind::Host {
            let keys: Vec<_> = plan.commits().collect();
            remove_displaced(&self.backend, DisplacedLayers::Of(&keys)).await.map_err(StartError::Commit)?;
        }
        self.resolved.present.extend(plan.commits().cloned());
        Ok(built)
    }

    /// Returns the plan if it is known which layers exist. On an engine that is the case if the last layer exists.
    /// Otherwise the other layers are only looked up when a build begins.
    fn plan_known(&self) -> Result<Option<Plan>, StartError> {
        let is_known = self.resolved.is_complete() || self.backend.kind() == Kind::Host;
        is_known.then(|| self.plan()).transpose()
    }

    fn plan(&self) -> Result<Plan, StartError> {
        let plan = layer::plan(&self.resolved.chain, &self.resolved.present);
        for step in &plan.steps {
            let Some(seed) = self.seeds.get(step.seed) else { continue };
            if step.place == Place::Image && self.backend.kind() == Kind::Host {
                return Err(StartError::NoImageForScript { seed: seed.name().clone() });
            }
        }
        Ok(plan)
    }

    /// Changes a plan that would build on a layer with too many file system layers, so that it builds on a shallower
    /// one. Seeds above that one then run again, even if their layers exist. On the host backend, layers are
    /// independent of each other.
    fn limit_depth(&self, plan: Plan) -> Plan {
        let is_host = self.backend.kind() == Kind::Host;
        match &plan.boot_from {
            BootFrom::Layer(hash) if !is_host && plan.builds() && self.resolved.deep.contains(hash) => layer::plan(
                &self.resolved.chain,
                &self.resolved.present.difference(&self.resolved.deep).cloned().collect(),
            ),
            _ => plan,
        }
    }

    /// Starts a server from a layer and executes the rest of the plan.
    async fn serve(&self, plan: &Plan) -> Result<Server, StartError> {
        let BootFrom::Layer(hash) = &plan.boot_from else {
            return Err(StartError::Commit(CommandError::ImageNotFound { image: self.resolved.image.to_string() }));
        };
        let layer = self.resolved.layer(hash)?;
        let origin = LayerLabel {
            key: hash.clone(),
            password: self.resolved.chain.password_key(hash).clone(),
            complete: plan.steps.is_empty(),
        };
        let password = self.layer_password(hash);
        let running = self
            .boot_image(&layer, &password, self.reach(plan), Role::Server, self.libraries_at(hash), Some(&origin))
            .await?;
        self.finish(running, plan).await
    }

    /// Returns `true` if the server of a build may become the requested server. A session, a server with TLS, and a
    /// server for other containers need a start of their own.
    fn may_keep_builder(&self) -> bool {
        let Definition { ssl_config, cross_container_access, .. } = self.definition;
        self.request.is_none() && ssl_config.is_none() && !cross_container_access
    }

    /// Returns the reach of the server of a build. It is that of the requested server if the builder may become that.
    fn builder_reach(&self, plan: &Plan) -> Reach {
        if self.may_keep_builder() { self.reach(plan) } else { Reach::Published }
    }

    /// Returns the reach of a server that executes the rest of a plan. Scripts and commands on this machine need a
    /// port. Other seeds may need a network: a container script to download what it installs, and SQL to read from
    /// another server.
    fn reach(&self, plan: &Plan) -> Reach {
        let mut left = plan.steps.iter().filter_map(|step| self.seeds.get(step.seed));
        let needs_port = left.any(|seed| matches!(seed.kind(), SeedKind::Script | SeedKind::Command));
        if needs_port || self.request.is_some() || self.definition.cross_container_access {
            return Reach::Published;
        }
        match self.definition.reach {
            Reach::InsideWithoutNetwork if !plan.steps.is_empty() => Reach::Inside,
            reach => reach,
        }
    }

    async fn finish(&self, mut running: Running, plan: &Plan) -> Result<Server, StartError> {
        for step in plan.steps.iter().filter(|step| step.commit_after.is_none()) {
            match step.place {
                Place::Server => self.apply(&mut running, step.seed).await?,
                Place::Image => self.run_script_in_container(&mut running, step.seed).await?,
            }
        }
        self.hand_over(running).await
    }

    async fn boot_layer(&self, hash: &SeedHash, reach: Reach, role: Role) -> Result<Running, StartError> {
        let libraries = self.libraries_at(hash);
        self.boot_image(&self.resolved.layer(hash)?, &self.layer_password(hash), reach, role, libraries, None).await
    }

    /// Tells whether a server at this state of the chain can load its libraries.
    fn libraries_at(&self, state: &SeedHash) -> Libraries {
        if self.resolved.chain.awaits_container_script(state) { Libraries::ToCome } else { Libraries::Loaded }
    }

    /// Starts a server from an image that contains a cluster with this password. If the server is for a session,
    /// `origin` becomes its layer label.
    pub(super) async fn boot_image(
        &self,
        image: &Reference,
        password: &Secret,
        reach: Reach,
        role: Role,
        libraries: Libraries,
        origin: Option<&LayerLabel>,
    ) -> Result<Running, StartError> {
        let mut attempt = 1;
        loop {
            match self.boot_image_once(image, password, reach, role, libraries, origin).await {
                Err(error) if attempt < PORT_ATTEMPTS && port_was_taken(&error) => attempt += 1,
                ended => return ended,
            }
        }
    }

    async fn boot_image_once(
        &self,
        layer: &Reference,
        password: &Secret,
        reach: Reach,
        role: Role,
        libraries: Libraries,
        origin: Option<&LayerLabel>,
    ) -> Result<Running, StartError> {
        self.definition.observer.begin(Step::Run);
        let origin = origin.filter(|_| self.request.is_some());
        let labels = origin.map(|origin| (label::LAYER_KEY, label::json_value(origin)));
        let direct = |mut spec: RunSpec| {
            spec.labels.extend(labels);
            self.direct(spec)
        };
        let launched = self.launch(layer, reach, role, libraries, direct).await?;
        self.definition.observer.begin(Step::Connect);
        let limit = self.definition.wait_available_timeout;
        let client = match self.wait(&launched, password, limit).await {
            Err(StartError::Connect(error)) if error.is_wrong_password() => {
                self.reset_layer_password(&launched, layer, password).await?;
                self.wait(&launched, password, limit).await?
            }
            ended => ended?,
        };
        Ok(Running::new(launched, password.clone(), client))
    }

    /// Sets the password of a layer that was made with another secret, over a socket that needs no password.
    async fn reset_layer_password(
        &self,
        launched: &Launched,
        layer: &Reference,
        password: &Secret,
    ) -> Result<(), StartError> {
        if self.backend.kind() != Kind::Host {
            return self.set_password_in_container(launched.guard.container(), password).await;
        }
        let (connection, _link) = self.private_connection(launched, password).await?;
        let client = connect::connect_for_set_up(&connection).await;
        let client = client.map_err(|_| StartError::LostLayer { layer: layer.clone() })?;
        self.set_password(&client, password).await
    }

    /// Returns how many attempts may fail because a layer is lost. Each layer of the chain may be lost once.
    fn max_lost_layers(&self) -> usize {
        self.resolved.chain.links().len() + 1
    }

    /// Makes the container run the server's program directly, because a layer does not need the image's start script.
    fn direct(&self, mut spec: RunSpec) -> RunSpec {
        if self.backend.kind() != Kind::Host {
            spec.user = Some("postgres".to_owned());
            spec = spec.entrypoint(["postgres"]);
        }
        spec
    }

    /// Resolves the image and the layers again for another attempt. Returns the error if another attempt would fail
    /// too.
    async fn look_up_after(&mut self, error: StartError) -> Result<(), StartError> {
        match error {
            StartError::LostLayer { layer } => match self.backend.remove_image(&layer).await {
                Ok(()) | Err(CommandError::ImageNotFound { .. }) => {}
                Err(error) => return Err(StartError::Commit(error)),
            },
            // Another process has removed the image since it was looked up.
            StartError::Run(CommandError::ImageNotFound { .. }) => {}
            error => return Err(error),
        }
        self.resolved = resolve::look_up(self.definition, &self.backend, &self.seeds).await?;
        Ok(())
    }

    /// Applies one seed.
    async fn apply(&self, running: &mut Running, index: usize) -> Result<(), StartError> {
        let Some(seed) = self.seeds.get(index) else { return Ok(()) };
        let total = self.seeds.len();
        self.definition.observer.begin(Step::Seed { name: seed.name().clone(), position: index + 1, total });
        if running.applied.is_some() {
            self.restore_password(running).await?;
        }
        running.client = None;
        let connection = self.current(running);
        let environment = ChildEnvironment::new(connection.environment());
        let bin = self.resolved.installation.as_ref().map(|installation| installation.bin.as_path());
        let container = running.launched.guard.container();
        let programs = client_programs(container, &connection, bin, &mut running.shell).await?;
        let mut context =
            seed::ApplyContext { programs, connection, environment, events: &self.definition.seed_events };
        seed::apply(seed, &mut context).await.map_err(|source| self.seed_failed(source))?;
        running.applied = Some(seed.name().clone());
        Ok(())
    }

    fn seed_failed(&self, source: seed::ApplyError) -> StartError {
        StartError::Seed { instance: self.definition.instance.clone(), source: Box::new(source) }
    }

    /// Returns a connection for this crate's own statements.
    async fn client(&self, running: &mut Running) -> Result<Client, StartError> {
        if let Some(client) = running.client.take() {
            return Ok(client);
        }
        let Some(seed) = &running.applied else {
            return connect::connect_for_set_up(&self.current(running)).await.map_err(StartError::Connect);
        };
        // A seed may change the superuser's password. If it makes logins of the superuser impossible, that is an error.
        let locked_out = |refusal| self.seed_failed(ApplyError::LockedOut { seed: seed.clone(), refusal });
        let expired = || self.seed_failed(ApplyError::Expired { seed: seed.clone() });
        let client = match self.connect_after_seed(running).await {
            Ok(client) => client,
            Err(StartError::Password { message }) => return Err(locked_out(message)),
            // The correct password was set just now, so it must have expired.
            Err(StartError::Connect(refused)) if refused.is_unknown_password() => return Err(expired()),
            Err(StartError::Connect(refused @ ConnectError::Refused(_))) => {
                return Err(locked_out(refused.server_message()));
            }
            Err(error) => return Err(error),
        };
        let row = client.query_one(LOGIN, &[]).await.map_err(StartError::SetUp)?;
        // A login over a socket needs no password, so it succeeds even if the password has expired.
        if row.get::<_, bool>(0) {
            return Err(expired());
        }
        // This connection does not load the libraries, but those of the user do, so a login with them is tried.
        if row.get::<_, bool>(1) {
            let (connection, _link) = self.private_connection(&running.launched, &running.password).await?;
            connect::connect(&connection).await.map_err(|refused| locked_out(refused.server_message()))?;
        }
        Ok(client)
    }

    /// Connects to a server after a seed that may have changed the superuser's password.
    async fn connect_after_seed(&self, running: &Running) -> Result<Client, StartError> {
        let (connection, _link) = self.private_connection(&running.launched, &running.password).await?;
        match connect::connect_for_set_up(&connection).await {
            Err(refused) if refused.is_wrong_password() && self.backend.kind() != Kind::Host => {
                self.set_password_in_container(running.launched.guard.container(), &running.password).await?;
                connect::connect_for_set_up(&connection).await
            }
            connected => connected,
        }
        .map_err(StartError::Connect)
    }

    /// Returns connection parameters for a server whose superuser's password may be unknown. On the host backend, they
    /// use the private socket, which needs no password. They are valid until the returned link is dropped.
    async fn private_connection(
        &self,
        launched: &Launched,
        password: &Secret,
    ) -> Result<(ConnectionParameters, Option<SocketLink>), StartError> {
        let mut connection = self.parameters(launched.endpoint.clone(), password.clone());
        if self.backend.kind() != Kind::Host {
            return Ok((connection, None));
        }
        let link = socket_link(launched.guard.container()).await?;
        connection.endpoint = Endpoint::Socket { folder: link.path().to_owned(), port: connection.endpoint.port() };
        Ok((connection, Some(link)))
    }

    /// Sets the superuser's password again, because a seed may have changed it.
    async fn restore_password(&self, running: &mut Running) -> Result<(), StartError> {
        let client = self.client(running).await?;
        self.set_password(&client, &running.password).await
    }

    async fn set_password(&self, client: &Client, password: &Secret) -> Result<(), StartError> {
        let password = password.clone();
        let verifier = ociman::blocking::run(move || secret::verifier(&password)).await;
        let verifier = verifier.map_err(StartError::Thread)?;
        let user = self.definition.superuser.as_str();
        connect::set_password(client, user, &verifier).await.map_err(StartError::SetUp)
    }

    fn current(&self, running: &Running) -> ConnectionParameters {
        self.parameters(running.launched.endpoint.clone(), running.password.clone())
    }

    /// Returns the password that a layer was committed with.
    fn layer_password(&self, hash: &SeedHash) -> Secret {
        self.secret.layer_password(self.resolved.chain.password_key(hash))
    }

    /// Sets the server's own password, enables TLS if requested, and returns the server.
    pub(super) async fn hand_over(&self, mut running: Running) -> Result<Server, StartError> {
        let client = self.client(&mut running).await?;
        let mut launched = running.launched;
        let verifier = (&mut launched.verifier).await;
        let verifier = verifier.map_err(StartError::Thread)?;
        let user = self.definition.superuser.as_str();
        connect::set_password(&client, user, &verifier).await.map_err(StartError::SetUp)?;
        self.enable_tls(&client, &launched).await?;
        // A separate task closes the connection, and yielding lets that task run. Otherwise the connection could still
        // be open when the caller copies the database or blocks the thread.
        drop(client);
        tokio::task::yield_now().await;
        if let Some(shell) = running.shell {
            shell.close().await;
        }
        let Launched { guard, own_password, endpoint, tls, .. } = launched;
        let with_tls = |parameters, tls| ConnectionParameters { tls, ..parameters };
        let in_container = || InContainer {
            socket: self
                .parameters(Endpoint::Socket { folder: SOCKET_IN_CONTAINER.into(), port: PORT }, own_password.clone()),
            loopback: with_tls(
                self.parameters(
                    Endpoint::Tcp { address: std::net::Ipv4Addr::LOCALHOST.into(), port: PORT },
                    own_password.clone(),
                ),
                tls.as_ref().map(ServerTls::seen_in_container),
            ),
        };
        let from_here =
            with_tls(self.parameters(endpoint, own_password.clone()), tls.as_ref().map(ServerTls::seen_here));
        Ok(Server {
            hold: Hold::Owned(Box::new(guard)),
            databases: Databases::new(from_here.clone(), ServerLifetime::Owned),
            from_here,
            in_container: (self.backend.kind() != Kind::Host).then(in_container),
            ca_file: tls.map(ServerTls::into_ca_file),
            programs: self.resolved.installation.as_ref().map(|installation| installation.bin.clone()),
            executor: self.definition.executor.clone(),
            observer: self.definition.observer.clone(),
        })
    }
}

/// Returns the client programs of a server: on the host backend those of the installation, otherwise those of the
/// image, which run in the container. `shell` stores the shell that runs them there.
pub(super) async fn client_programs<'a>(
    container: &'a Container,
    connection: &ConnectionParameters,
    bin: Option<&Path>,
    shell: &'a mut Option<ContainerShell>,
) -> Result<ClientPrograms<'a>, StartError> {
    if container.backend().kind() != Kind::Host {
        let mut environment = socket_environment(connection, PORT);
        environment.push(Variable::plain("PGHOST", SOCKET_IN_CONTAINER));
        return Ok(ClientPrograms::Container(ShellSlot { container, user: "postgres", environment, shell }));
    }
    let link = socket_link(container).await?;
    Ok(ClientPrograms::Here(ProgramsHere {
        bin: bin.unwrap_or(Path::new("")).to_owned(),
        environment: socket_environment(connection, connection.endpoint.port()),
        temporary: Folders::sockets()?,
        link,
    }))
}

/// Creates a link to the private socket of a server on the host backend.
async fn socket_link(container: &Container) -> Result<SocketLink, StartError> {
    let gone = || StartError::Watch(CommandError::ContainerNotFound { container: container.name().to_string() });
    let host = container.backend().as_host().ok_or_else(gone)?;
    let root = host.root_folder(container.name()).await.map_err(StartError::Watch)?;
    SocketLink::new(&Folders::sockets()?, &root.join("run")).map_err(StartError::Socket)
}
