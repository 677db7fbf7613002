//! How a server comes to run, one way without going back: look up, plan, build what is missing under a lock, start from
//! the deepest layer, apply the seeds that no layer has, and give the server its own password.

use ociman::{Backend, Error, Kind, Reference, RunSpec, Secret};
use tokio_postgres::Client;

use super::connect;
use super::endpoint::{ConnectionParameters, Endpoint, PORT};
use super::found::{self, Found};
use super::launch::{Launched, Libraries, Role, port_was_taken};
use super::tls::ServerTls;
use super::{Hold, Inside, Server, StartError, refuse_remote_folder};
use crate::config::sets_ssl;
use crate::database::{Databases, Tenure};
use crate::definition::{Definition, Reach};
use crate::label;
use crate::layer::{self, BootFrom, Link, Place, Plan, SeedHash};
use crate::lock::Lock;
use crate::owner::Owner;
use crate::parameter::ParameterName;
use crate::progress::Step;
use crate::reap::{self, Patience};
use crate::secret::MachineSecret;
use crate::seed::{self, ChildEnvironment, LoadedSeeds, SeedKind};
use crate::session::{ExpectedState, SeedState};
use crate::snapshot::LayerLabel;

/// The socket's folder in every official image.
pub(super) const SOCKET_INSIDE: &str = "/var/run/postgresql";
/// Where the caller's folder for a socket is mounted.
pub(super) const SOCKET_SHARED: &str = "/pg-ephemeral";
/// How many of a dead server's last words are shown.
pub(super) const LOG_LINES: usize = 20;
/// How often another port is tried when one turns out to be taken.
const PORT_ATTEMPTS: u32 = 5;
/// What this crate sets itself.
const RESERVED_PARAMETERS: [&str; 4] = ["data_directory", "listen_addresses", "port", "unix_socket_directories"];
/// What it sets itself for a server that speaks TLS.
const RESERVED_FOR_TLS: [&str; 2] = ["config_file", "hba_file"];

/// Everything a start has found out.
pub(super) struct Boot<'a> {
    pub(super) definition: &'a Definition,
    pub(super) backend: Backend,
    pub(super) secret: MachineSecret,
    pub(super) owner: Owner,
    pub(super) seeds: LoadedSeeds,
    pub(super) found: Found,
}

/// A server that answers, and the password that counts right now.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) launched: Launched,
    pub(super) password: Secret,
    /// The connection that proved it ready, as long as nothing was done on it.
    pub(super) client: Option<Client>,
}

pub(super) async fn start(definition: &Definition) -> Result<Server, StartError> {
    let mut boot = Boot::prepare(definition).await?;
    match boot.serve_or_build().await {
        Err(error) => {
            boot.look_up_after(error).await?;
            boot.serve_or_build().await
        }
        ended => ended,
    }
}

/// The image and the seeds that a server would be started with now.
pub(super) async fn expected_state(definition: &Definition) -> Result<ExpectedState, StartError> {
    let seeds = definition.load_seeds().await.map_err(StartError::LoadSeeds)?;
    let backend = definition.find_backend().await?;
    let (image, chain) = found::chain_now(definition, &backend, &seeds).await?;
    let state = |link: &Link| SeedState { name: link.name.clone(), hash: link.hash.clone() };
    Ok(ExpectedState { image: image.to_string(), seeds: chain.links().iter().map(state).collect() })
}

/// Builds the layers that are missing and leaves no server.
pub(super) async fn populate(definition: &Definition) -> Result<(), StartError> {
    let mut boot = Boot::prepare(definition).await?;
    if boot.plan_known()?.is_some_and(|plan| !plan.builds()) {
        return Ok(());
    }
    let built = match boot.build().await {
        Err(error) => {
            boot.look_up_after(error).await?;
            boot.build().await?
        }
        ended => ended?,
    };
    definition.observer.begin(Step::Stop);
    match built {
        Some(running) => running.launched.guard.remove().await.map_err(StartError::Watch),
        None => Ok(()),
    }
}

fn refuse_reserved(definition: &Definition) -> Result<(), StartError> {
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
    /// Everything before the first container.
    pub(super) async fn prepare(definition: &'a Definition) -> Result<Self, StartError> {
        refuse_reserved(definition)?;
        let seeds = seed::load(&definition.seeds, &definition.folder).await.map_err(StartError::LoadSeeds)?;
        let secret = MachineSecret::load_or_create(&definition.folders)?;
        let owner = Owner::current();
        let look_up = async |backend: &Backend| {
            refuse_remote_folder(backend, definition.transparent_workdir.as_ref())?;
            reap::reap_recorded(&definition.folders, backend, Patience::Hurry).await;
            found::look_up(definition, backend, &seeds).await
        };
        let (backend, found) = definition.on_backend(look_up).await?;
        Ok(Self { definition, backend, secret, owner, seeds, found })
    }

    async fn serve_or_build(&mut self) -> Result<Server, StartError> {
        if let Some(plan) = self.plan_known()?.filter(|plan| !plan.builds()) {
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

    /// Builds every layer that is missing, unless another process has done so by then. The server of the build goes on
    /// to run, when there was one.
    pub(super) async fn build(&mut self) -> Result<Option<Running>, StartError> {
        self.definition.observer.begin(Step::WaitForBuild);
        let _lock = Lock::of_build(&self.definition.folders, self.backend.kind(), &self.definition.instance).await?;
        found::look_again(&self.backend, &mut self.found).await?;
        let plan = self.flat_enough(self.plan()?);
        let built = self.build_layers(&plan).await?;
        self.found.present.extend(plan.commits().cloned());
        Ok(built)
    }

    /// The plan, as long as it is known what there is: on an engine only whether the last layer is, until a build looks
    /// for all.
    fn plan_known(&self) -> Result<Option<Plan>, StartError> {
        let is_known = self.found.is_complete() || self.backend.kind() == Kind::Host;
        is_known.then(|| self.plan()).transpose()
    }

    pub(super) fn plan(&self) -> Result<Plan, StartError> {
        let plan = layer::plan(&self.found.chain, &self.found.present);
        for step in &plan.steps {
            let Some(seed) = self.seeds.get(step.seed) else { continue };
            seed.check().map_err(|source| self.seed_failed(source))?;
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
            BootFrom::Layer(hash) if !is_host && plan.builds() && self.found.deep.contains(hash) => {
                layer::plan(&self.found.chain, &self.found.present.difference(&self.found.deep).cloned().collect())
            }
            _ => plan,
        }
    }

    /// Starts from a layer and does what is left.
    async fn serve(&self, plan: &Plan) -> Result<Server, StartError> {
        let BootFrom::Layer(hash) = &plan.boot_from else {
            return Err(StartError::Commit(Error::ImageNotFound { image: self.found.image.to_string() }));
        };
        let layer = self.found.layer(hash)?;
        let origin = LayerLabel {
            key: hash.clone(),
            password: self.found.chain.password_key(hash).clone(),
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
        let Definition { session, ssl_config, cross_container_access, .. } = self.definition;
        session.is_none() && ssl_config.is_none() && !cross_container_access
    }

    /// Who has to reach the server of a build: as the one that was asked for, where it may become that.
    pub(super) fn builder_reach(&self, plan: &Plan) -> Reach {
        if self.may_keep_builder() { self.reach(plan) } else { Reach::Published }
    }

    /// Who has to reach the server that does what is left of a plan. Scripts and commands of this machine need a port,
    /// and whatever else is applied may need a network: a script inside the container to fetch what it installs, SQL to
    /// read what is on another server.
    fn reach(&self, plan: &Plan) -> Reach {
        let mut left = plan.steps.iter().filter_map(|step| self.seeds.get(step.seed));
        let needs_port = left.any(|seed| matches!(seed.kind(), SeedKind::Script | SeedKind::Command));
        if needs_port || self.definition.cross_container_access {
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
                Place::Image => self.run_script_inside(&mut running, step.seed).await?,
            }
        }
        self.hand_over(running).await
    }

    pub(super) async fn boot_layer(&self, hash: &SeedHash, reach: Reach, role: Role) -> Result<Running, StartError> {
        let libraries = self.libraries_at(hash);
        self.boot_image(&self.found.layer(hash)?, &self.layer_password(hash), reach, role, libraries, None).await
    }

    /// What a server on this state of the chain can load.
    pub(super) fn libraries_at(&self, state: &SeedHash) -> Libraries {
        if self.found.chain.awaits_container_script(state) { Libraries::ToCome } else { Libraries::Loaded }
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
        let origin = origin.filter(|_| self.definition.session.is_some());
        let labels = origin.map(|origin| (label::LAYER, label::json_value(origin)));
        let direct = |mut spec: RunSpec| {
            spec.labels.extend(labels);
            self.direct(spec)
        };
        let launched = self.launch(layer, reach, role, libraries, direct).await?;
        self.definition.observer.begin(Step::Connect);
        let limit = self.definition.wait_available_timeout;
        let client = match self.wait(&launched, password, limit).await {
            Err(StartError::Connect(error)) if error.is_wrong_password() => {
                if self.backend.kind() == Kind::Host {
                    // It was made under another secret, and no way leads past the password.
                    return Err(StartError::LostLayer { layer: layer.clone() });
                }
                self.set_password_inside(launched.guard.container(), password).await?;
                self.wait(&launched, password, limit).await?
            }
            ended => ended?,
        };
        Ok(Running { launched, password: password.clone(), client: Some(client) })
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
                Ok(()) | Err(Error::ImageNotFound { .. }) => {}
                Err(error) => return Err(StartError::Commit(error)),
            },
            // Somebody else has removed it since it was looked up.
            StartError::Run(Error::ImageNotFound { .. }) => {}
            error => return Err(error),
        }
        self.found = found::look_up(self.definition, &self.backend, &self.seeds).await?;
        Ok(())
    }

    /// Applies one seed over a connection of its own: what a session sets must not reach the next seed.
    pub(super) async fn apply(&self, running: &mut Running, index: usize) -> Result<(), StartError> {
        let Some(seed) = self.seeds.get(index) else { return Ok(()) };
        let total = self.seeds.len();
        self.definition.observer.begin(Step::Seed { name: seed.name().clone(), position: index + 1, total });
        let client = self.client(running).await?;
        let environment = ChildEnvironment::new(self.current(running).environment());
        let context =
            seed::ApplyContext { client: &client, environment: &environment, events: &self.definition.seed_events };
        seed::apply(seed, &context).await.map_err(|source| self.seed_failed(source))
    }

    pub(super) fn seed_failed(&self, source: seed::ApplyError) -> StartError {
        StartError::Seed { instance: self.definition.instance.clone(), source: Box::new(source) }
    }

    pub(super) async fn client(&self, running: &mut Running) -> Result<Client, StartError> {
        match running.client.take() {
            Some(client) => Ok(client),
            None => connect::connect(&self.current(running)).await.map_err(StartError::Connect),
        }
    }

    fn current(&self, running: &Running) -> ConnectionParameters {
        self.parameters(running.launched.endpoint.clone(), running.password.clone())
    }

    /// The password a layer was committed with.
    pub(super) fn layer_password(&self, hash: &SeedHash) -> Secret {
        self.secret.layer_password(self.found.chain.password_key(hash))
    }

    /// Gives the server its own password, and the caller the server.
    pub(super) async fn hand_over(&self, mut running: Running) -> Result<Server, StartError> {
        let client = self.client(&mut running).await?;
        let mut launched = running.launched;
        let verifier = (&mut launched.verifier).await;
        let verifier = verifier.map_err(|panic| StartError::Thread(std::io::Error::other(panic)))?;
        let sql = connect::set_password_sql(self.definition.superuser.as_str(), &verifier);
        client.batch_execute(&sql).await.map_err(StartError::SetUp)?;
        self.turn_tls_on(&client, &launched).await?;
        // Its connection is closed by a task that has to run for that: a caller that blocks the thread from here on, or
        // copies the database, must not find it connected still.
        drop(client);
        tokio::task::yield_now().await;
        let Launched { guard, own_password, endpoint, tls, .. } = launched;
        let with_tls = |parameters, tls| ConnectionParameters { tls, ..parameters };
        let inside = || Inside {
            socket: self.parameters(Endpoint::Socket { folder: SOCKET_INSIDE.into() }, own_password.clone()),
            loopback: with_tls(
                self.parameters(
                    Endpoint::Tcp { address: std::net::Ipv4Addr::LOCALHOST.into(), port: PORT },
                    own_password.clone(),
                ),
                tls.as_ref().map(ServerTls::seen_inside),
            ),
        };
        let from_here =
            with_tls(self.parameters(endpoint, own_password.clone()), tls.as_ref().map(ServerTls::seen_here));
        Ok(Server {
            hold: Hold::Owned(Box::new(guard)),
            databases: Databases::new(from_here.clone(), Tenure::Owned),
            from_here,
            inside: (self.backend.kind() != Kind::Host).then(inside),
            ca_file: tls.map(ServerTls::into_ca_file),
            programs: self.found.installation.as_ref().map(|installation| installation.bin.clone()),
            executor: self.definition.executor.clone(),
            observer: self.definition.observer.clone(),
        })
    }
}
