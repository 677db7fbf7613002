//! How a server comes to run, one way without going back: look up, plan, build what is missing under a lock, start from
//! the deepest layer, apply the seeds that no layer has, and give the server its own password.

pub(crate) mod build;
mod first_start;
pub(crate) mod launch;
pub(super) mod tls;

use std::path::Path;

use ociman::{Backend, CommandError, Container, Kind, Mount, Network, Reference, RunSpec, Secret, Variable};
use tokio_postgres::Client;

use self::launch::{Launched, Libraries, OWNED_PREFIX, Role, port_was_taken};
use self::tls::ServerTls;
use super::definition::{Definition, Reach};
use super::displaced::{Displaced, remove_displaced};
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

/// The socket's folder in every official image.
pub(super) const SOCKET_IN_CONTAINER: &str = "/var/run/postgresql";
/// The folder of the socket on the host backend, from the data folder. The start script of TLS makes it anew.
const SOCKET_ON_HOST: &str = "../run";
/// Where the caller's folder for a socket is mounted.
const SOCKET_SHARED: &str = "/pg-ephemeral";
/// Ends with [`PROGRAM_IS_MISSING`] when there is no program `$1`.
const LOOK_FOR_PROGRAM: &str = r#"command -v -- "$1" >/dev/null || exit 33"#;
const PROGRAM_IS_MISSING: i32 = 33;
/// How often another port is tried when one turns out to be taken.
const PORT_ATTEMPTS: u32 = 5;
/// What this crate sets itself.
const RESERVED_PARAMETERS: [&str; 4] = ["data_directory", "listen_addresses", "port", "unix_socket_directories"];
/// What it sets itself for a server that speaks TLS.
const RESERVED_FOR_TLS: [&str; 2] = ["config_file", "hba_file"];

/// Whether the superuser's password is not valid any more, and whether a login loads libraries, which may not be there.
const LOGIN: &str = "SELECT coalesce(rolvaliduntil < pg_catalog.clock_timestamp(), false), \
    EXISTS (SELECT FROM pg_catalog.pg_db_role_setting WHERE setconfig::text LIKE '%preload_libraries%') \
    FROM pg_catalog.pg_roles WHERE rolname = session_user";

/// Everything a start has found out.
pub(crate) struct Boot<'a> {
    definition: &'a Definition,
    /// The session that the server is to be, when it is to be one.
    request: Option<&'a Request>,
    backend: Backend,
    secret: MachineSecret,
    owner: Owner,
    seeds: ReadSeeds,
    resolved: Resolved,
}

/// A server that answers, and the password that counts right now.
#[derive(Debug)]
pub(super) struct Running {
    launched: Launched,
    password: Secret,
    /// A connection for this crate's own statements. None is open while a seed is applied: the seed may rename the
    /// database, or copy it.
    client: Option<Client>,
    /// Runs client programs in the container, once one was needed.
    shell: Option<ContainerShell>,
    /// The seed that was applied last, since the superuser was given its password.
    applied: Option<SeedName>,
    /// A hash of the configuration files that it was started with, where seeds are to be committed from it while it runs.
    configuration: Option<Vec<u8>>,
}

impl Running {
    fn new(launched: Launched, password: Secret, client: Client) -> Self {
        Self { launched, password, client: Some(client), shell: None, applied: None, configuration: None }
    }

    /// Gives up what ends when the server stops.
    fn disconnect(&mut self) {
        self.client = None;
        self.shell = None;
        self.configuration = None;
    }
}

/// Refuses parameters that this crate sets itself.
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
    /// A start that has read its seeds and found out what there is.
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

    /// The backend that it is on.
    pub(crate) fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Starts the server.
    pub(crate) async fn start(mut self) -> Result<Server, StartError> {
        for _ in 0..self.most_lost_layers() {
            match self.serve_or_build().await {
                Err(error) => self.look_up_after(error).await?,
                ended => return ended,
            }
        }
        self.serve_or_build().await
    }

    /// Builds the layers that are missing and leaves no server.
    pub(crate) async fn populate(mut self) -> Result<(), StartError> {
        if self.plan_known()?.is_some_and(|plan| !plan.builds()) {
            return Ok(());
        }
        let mut built = self.build().await;
        for _ in 0..self.most_lost_layers() {
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

    /// Checks that the program that the server is for is in the image, where a container script can't add it. An image in
    /// which it can't be looked for is taken to have it.
    async fn look_for_program(&self) -> Result<(), StartError> {
        let Some(program) = self.definition.program.as_deref().filter(|_| self.backend.kind() != Kind::Host) else {
            return Ok(());
        };
        if self.seeds.have_container_script() {
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

    /// Builds every layer that is missing, unless another process has done so by then. The server of the build goes on
    /// to run, when there was one.
    async fn build(&mut self) -> Result<Option<Running>, StartError> {
        self.definition.observer.begin(Step::WaitForBuild);
        let _lock = Lock::of_build(&self.definition.folders, self.backend.kind(), &self.definition.instance).await?;
        resolve::look_again(&self.backend, &mut self.resolved).await?;
        let plan = self.flat_enough(self.plan()?);
        let built = self.build_layers(&plan).await?;
        if plan.builds() && self.backend.kind() != Kind::Host {
            let keys: Vec<_> = plan.commits().collect();
            remove_displaced(&self.backend, Displaced::Of(&keys)).await.map_err(StartError::Commit)?;
        }
        self.resolved.present.extend(plan.commits().cloned());
        Ok(built)
    }

    /// The plan, as long as it is known what there is: on an engine only whether the last layer is, until a build looks
    /// for all.
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

    /// Starts a build that would go too deep from a shallower layer. Seeds whose layers are there run once more, for
    /// the others' sake. On the host layers do not lie on one another.
    fn flat_enough(&self, plan: Plan) -> Plan {
        let is_host = self.backend.kind() == Kind::Host;
        match &plan.boot_from {
            BootFrom::Layer(hash) if !is_host && plan.builds() && self.resolved.deep.contains(hash) => layer::plan(
                &self.resolved.chain,
                &self.resolved.present.difference(&self.resolved.deep).cloned().collect(),
            ),
            _ => plan,
        }
    }

    /// Starts from a layer and does what is left.
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

    /// Whether the server of a build can be the one that was asked for, as far as that is known beforehand. One that
    /// speaks TLS is started for that.
    fn may_keep_builder(&self) -> bool {
        let Definition { ssl_config, cross_container_access, .. } = self.definition;
        self.request.is_none() && ssl_config.is_none() && !cross_container_access
    }

    /// Who has to reach the server of a build: as the one that was asked for, where it may become that.
    fn builder_reach(&self, plan: &Plan) -> Reach {
        if self.may_keep_builder() { self.reach(plan) } else { Reach::Published }
    }

    /// Who has to reach the server that does what is left of a plan. Scripts and commands of this machine need a port,
    /// and whatever else is applied may need a network: a script inside the container to fetch what it installs, SQL to
    /// read what is on another server.
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

    /// What a server on this state of the chain can load.
    fn libraries_at(&self, state: &SeedHash) -> Libraries {
        if self.resolved.chain.awaits_container_script(state) { Libraries::ToCome } else { Libraries::Loaded }
    }

    /// Starts an image that holds a cluster with this password. A session's label tells the layer that it is.
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
                self.open_foreign(&launched, layer, password).await?;
                self.wait(&launched, password, limit).await?
            }
            ended => ended?,
        };
        Ok(Running::new(launched, password.clone(), client))
    }

    /// Gives a layer that was made under another secret the password that counts, over a socket that asks for none.
    async fn open_foreign(&self, launched: &Launched, layer: &Reference, password: &Secret) -> Result<(), StartError> {
        if self.backend.kind() != Kind::Host {
            return self.set_password_in_container(launched.guard.container(), password).await;
        }
        let (connection, _link) = self.private_connection(launched, password).await?;
        let client = connect::connect_for_set_up(&connection).await;
        let client = client.map_err(|_| StartError::LostLayer { layer: layer.clone() })?;
        self.set_password(&client, password).await
    }

    /// How many attempts may end with a layer that can't be opened: each layer of the chain may be one.
    fn most_lost_layers(&self) -> usize {
        self.resolved.chain.links().len() + 1
    }

    /// The server's program itself is what runs; nothing of the image's start script is needed any more.
    fn direct(&self, mut spec: RunSpec) -> RunSpec {
        if self.backend.kind() != Kind::Host {
            spec.user = Some("postgres".to_owned());
            spec = spec.entrypoint(["postgres"]);
        }
        spec
    }

    /// Looks again for what a second attempt can start from. Gives the error back when a second one would end as well.
    async fn look_up_after(&mut self, error: StartError) -> Result<(), StartError> {
        match error {
            StartError::LostLayer { layer } => match self.backend.remove_image(&layer).await {
                Ok(()) | Err(CommandError::ImageNotFound { .. }) => {}
                Err(error) => return Err(StartError::Commit(error)),
            },
            // Somebody else has removed it since it was looked up.
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

    /// A connection for this crate's own statements.
    async fn client(&self, running: &mut Running) -> Result<Client, StartError> {
        if let Some(client) = running.client.take() {
            return Ok(client);
        }
        let Some(seed) = &running.applied else {
            return connect::connect_for_set_up(&self.current(running)).await.map_err(StartError::Connect);
        };
        // What a seed does to the superuser, other than changing its password, can't be served.
        let locked_out = |refusal| self.seed_failed(ApplyError::LockedOut { seed: seed.clone(), refusal });
        let expired = || self.seed_failed(ApplyError::Expired { seed: seed.clone() });
        let client = match self.connect_after_seed(running).await {
            Ok(client) => client,
            Err(StartError::Password { message }) => return Err(locked_out(message)),
            // It was given the right one just now.
            Err(StartError::Connect(refused)) if refused.is_unknown_password() => return Err(expired()),
            Err(StartError::Connect(refused @ ConnectError::Refused(_))) => {
                return Err(locked_out(refused.server_message()));
            }
            Err(error) => return Err(error),
        };
        let row = client.query_one(LOGIN, &[]).await.map_err(StartError::SetUp)?;
        // Over a socket no password is asked for, and so none has expired.
        if row.get::<_, bool>(0) {
            return Err(expired());
        }
        // This connection loads no libraries; one of the user's does.
        if row.get::<_, bool>(1) {
            let (connection, _link) = self.private_connection(&running.launched, &running.password).await?;
            connect::connect(&connection).await.map_err(|refused| locked_out(refused.server_message()))?;
        }
        Ok(client)
    }

    /// Connects to a server whose superuser a seed may have given another password.
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

    /// How to connect to a server whose superuser may have any password: on the host by the private socket, which asks for
    /// none and is reached as long as the link is kept.
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

    /// Gives the superuser the password that counts, which a seed may have changed.
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

    /// The password a layer was committed with.
    fn layer_password(&self, hash: &SeedHash) -> Secret {
        self.secret.layer_password(self.resolved.chain.password_key(hash))
    }

    /// Gives the server its own password, and the caller the server.
    pub(super) async fn hand_over(&self, mut running: Running) -> Result<Server, StartError> {
        let client = self.client(&mut running).await?;
        let mut launched = running.launched;
        let verifier = (&mut launched.verifier).await;
        let verifier = verifier.map_err(StartError::Thread)?;
        let user = self.definition.superuser.as_str();
        connect::set_password(&client, user, &verifier).await.map_err(StartError::SetUp)?;
        self.turn_tls_on(&client, &launched).await?;
        // Its connection is closed by a task that has to run for that: a caller that blocks the thread from here on, or
        // copies the database, must not find it connected still.
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

/// Where the client programs of a server run: the installation's on this machine, or the image's in the container. `shell`
/// is the container's place for the shell that runs them.
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

/// The way to the private socket of a server of the host backend.
async fn socket_link(container: &Container) -> Result<SocketLink, StartError> {
    let gone = || StartError::Watch(CommandError::ContainerNotFound { container: container.name().to_string() });
    let host = container.backend().as_host().ok_or_else(gone)?;
    let root = host.root_folder(container.name()).await.map_err(StartError::Watch)?;
    SocketLink::new(&Folders::sockets()?, &root.join("run")).map_err(StartError::Socket)
}
