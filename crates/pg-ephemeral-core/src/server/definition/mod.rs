//! [`Definition`]: the description of a server to start. It is a plain value, and building one has no side effects.

mod seeds;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use ociman::command::Executor;
use ociman::{Backend, Kind, System};

use super::choose::{self, ChooseError};
use super::error::StartError;
use crate::config::{BackendChoice, DEFAULT_WAIT_AVAILABLE_TIMEOUT, Durability, Effective, EffectiveInstance, Origin};
use crate::model::seed::spec::SeedSpec;
use crate::model::session::Name;
use crate::model::{
    CacheRegistry, DatabaseName, Encoding, IcuLocale, Image, InstanceName, Locale, LocaleProvider, Observer,
    ParameterAssignment, Parameters, SeedName, SslConfig, Step, Superuser,
};
use crate::postgres::locale::LocaleSettings;
use crate::seed::EventSink;
use crate::state::{Folders, FoldersError};

/// Where a server has to be reachable from.
///
/// The values other than [`Reach::Published`] only take effect with an engine that runs on this machine and shares
/// folders and sockets with it. With any other engine, the server's port is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// From processes of this machine, over TCP on the loopback interface.
    #[default]
    Published,
    /// Only from inside the server's container. The container is still connected to the engine's network.
    Inside,
    /// Only from inside the server's container. The container is connected to no network, unless seeds have yet to be
    /// applied. This starts fastest.
    InsideWithoutNetwork,
}

/// The description of a server to start: its backend, image, settings and seeds.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use pg_ephemeral_core::Definition;
/// let server = Definition::new()?.image("17".parse()?).start().await?;
/// let client = server.connect().await?;
/// let row = client.query_one("select 40 + 2", &[]).await?;
/// assert_eq!(row.get::<_, i32>(0), 42);
/// server.stop().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Definition {
    pub(crate) folders: Folders,
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) backend: BackendSource,
    pub(crate) image: Option<Image>,
    pub(crate) instance: InstanceName,
    pub(crate) superuser: Superuser,
    pub(crate) database: DatabaseName,
    pub(crate) locale: LocaleSettings,
    pub(crate) durability: Durability,
    pub(crate) parameters: Parameters,
    pub(crate) wait_available_timeout: Duration,
    pub(crate) reach: Reach,
    pub(crate) transparent_workdir: Option<PathBuf>,
    pub(crate) program: Option<String>,
    pub(crate) observer: Observer,
    pub(crate) seeds: IndexMap<SeedName, SeedSpec>,
    /// The folder that relative paths of seeds are resolved against, and in which their programs run.
    pub(crate) folder: PathBuf,
    pub(crate) seed_events: EventSink,
    pub(crate) cache_registry: Option<CacheRegistry>,
    /// The name of the session that [`Definition::start`] starts.
    pub(crate) session_name: Option<Name>,
    pub(crate) ssl_config: Option<SslConfig>,
    pub(crate) cross_container_access: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum BackendSource {
    Choice { caller: Option<BackendChoice>, configured: BackendChoice },
    Given(Backend),
}

/// Returns the value of a setting unless it is the default.
fn set<T: Clone>(setting: &Effective<T>) -> Option<T> {
    (setting.origin != Origin::Default).then(|| setting.value.clone())
}

impl Definition {
    /// Creates a definition with the defaults: the instance `main`, the newest PostgreSQL version that is available
    /// locally, and the first backend that works.
    ///
    /// # Errors
    /// Returns [`FoldersError::NoHome`] if the user has no home folder.
    pub fn new() -> Result<Self, FoldersError> {
        Ok(Self::in_folders(Folders::of_user()?))
    }

    /// Creates a definition with the defaults, as [`Definition::new`], but with other folders than the user's.
    pub fn in_folders(folders: Folders) -> Self {
        Self {
            folders,
            executor: Arc::new(System),
            backend: BackendSource::Choice { caller: None, configured: BackendChoice::Auto },
            image: None,
            instance: InstanceName::default(),
            superuser: Superuser::default(),
            database: DatabaseName::default(),
            locale: LocaleSettings::default(),
            durability: Durability::Off,
            parameters: Parameters::new(),
            wait_available_timeout: DEFAULT_WAIT_AVAILABLE_TIMEOUT,
            reach: Reach::Published,
            transparent_workdir: None,
            program: None,
            observer: Observer::default(),
            seeds: IndexMap::new(),
            folder: PathBuf::from("."),
            seed_events: EventSink::default(),
            cache_registry: None,
            session_name: None,
            ssl_config: None,
            cross_container_access: false,
        }
    }

    /// Creates a definition from the settings of an instance in the configuration.
    pub fn of_instance(folders: Folders, instance: &EffectiveInstance) -> Self {
        let backend = instance.backend.value;
        let (caller, configured) = match instance.backend.origin {
            Origin::CommandLine => (Some(backend), BackendChoice::Auto),
            _ => (None, backend),
        };
        Self {
            backend: BackendSource::Choice { caller, configured },
            image: set(&instance.image),
            instance: instance.name.clone(),
            superuser: instance.superuser.value.clone(),
            database: instance.database.value.clone(),
            locale: LocaleSettings {
                locale: set(&instance.locale),
                encoding: set(&instance.encoding),
                provider: set(&instance.locale_provider),
                icu_locale: instance.icu_locale.as_ref().map(|icu_locale| icu_locale.value.clone()),
            },
            durability: instance.durability.value,
            parameters: instance.parameters(),
            wait_available_timeout: instance.wait_available_timeout.value,
            seeds: instance.seeds.clone(),
            folder: instance.folder.clone(),
            cache_registry: instance.cache_registry.as_ref().map(|registry| registry.value.clone()),
            ssl_config: instance.ssl_config.as_ref().map(|ssl| ssl.value.clone()),
            ..Self::in_folders(folders)
        }
    }

    /// Sets the backend. No other backend is tried.
    #[must_use]
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = BackendSource::Given(backend);
        self
    }

    /// Sets the executor of engine commands. Tests use it to replace the operating system.
    #[must_use]
    pub fn executor(mut self, executor: Arc<dyn Executor>) -> Self {
        self.executor = executor;
        self
    }

    /// Chooses the backend by name. This overrides `OCIMAN_BACKEND` and the configuration.
    #[must_use]
    pub fn backend_choice(mut self, choice: BackendChoice) -> Self {
        self.backend = BackendSource::Choice { caller: Some(choice), configured: BackendChoice::Auto };
        self
    }

    /// Sets the image. The default on an engine is the newest official PostgreSQL image that the engine has, or
    /// `latest` from the registry if it has none. The default on the host backend is the newest installed PostgreSQL.
    #[must_use]
    pub fn image(mut self, image: Image) -> Self {
        self.image = Some(image);
        self
    }

    /// Sets the name of the instance; `main` by default.
    #[must_use]
    pub fn instance(mut self, instance: InstanceName) -> Self {
        self.instance = instance;
        self
    }

    /// Sets all server parameters, which are passed as `-c NAME=VALUE`. Replaces those that were set before.
    #[must_use]
    pub fn parameters(mut self, parameters: Parameters) -> Self {
        self.parameters = parameters;
        self
    }

    /// Adds a server parameter. Replaces a parameter of the same name.
    #[must_use]
    pub fn parameter(mut self, parameter: ParameterAssignment) -> Self {
        self.parameters.insert(parameter.name, parameter.value);
        self
    }

    /// Sets the name of the superuser.
    #[must_use]
    pub fn superuser(mut self, superuser: Superuser) -> Self {
        self.superuser = superuser;
        self
    }

    /// Sets the name of the database.
    #[must_use]
    pub fn database(mut self, database: DatabaseName) -> Self {
        self.database = database;
        self
    }

    /// Sets the locale of the cluster. The default on an engine is the locale of the image, which is `en_US.utf8` for
    /// the official images. The default on the host backend is `en_US.utf8` or, if this machine does not have it, the
    /// most similar locale that it has. The start fails if a locale that is set does not exist. With
    /// [`LocaleProvider::Builtin`], the locale must be one that is built into PostgreSQL.
    ///
    /// ```no_run
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use pg_ephemeral_core::Definition;
    /// use pg_ephemeral_core::config::LocaleProvider;
    ///
    /// let by_code_point = Definition::new()?.locale("C".parse()?);
    /// let with_numbers_by_value =
    ///     Definition::new()?.locale_provider(LocaleProvider::Icu).icu_locale("en-u-kn-true".parse()?);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn locale(mut self, locale: Locale) -> Self {
        self.locale.locale = Some(locale);
        self
    }

    /// Sets the encoding of the cluster; `UTF8` by default.
    #[must_use]
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.locale.encoding = Some(encoding);
        self
    }

    /// Sets the library that sorts text; the C library by default. [`LocaleProvider::Icu`] needs PostgreSQL 15 or
    /// newer, and [`LocaleProvider::Builtin`] PostgreSQL 17 or newer.
    #[must_use]
    pub fn locale_provider(mut self, provider: LocaleProvider) -> Self {
        self.locale.provider = Some(provider);
        self
    }

    /// Sets the locale that ICU sorts by, with [`LocaleProvider::Icu`]. The default is the ICU locale for the language
    /// and country of the [locale](Self::locale).
    #[must_use]
    pub fn icu_locale(mut self, icu_locale: IcuLocale) -> Self {
        self.locale.icu_locale = Some(icu_locale);
        self
    }

    /// Sets whether committed data must survive a crash; off by default, which is faster.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets how long a started server may take until it accepts connections; 30 seconds by default.
    #[must_use]
    pub fn wait_available_timeout(mut self, limit: Duration) -> Self {
        self.wait_available_timeout = limit;
        self
    }

    /// Sets where the server has to be reachable from; [`Reach::Published`] by default.
    #[must_use]
    pub fn reach(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    /// Makes this folder visible at the same path inside the container. Has no effect on the host backend, where it is
    /// not needed.
    #[must_use]
    pub fn transparent_workdir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.transparent_workdir = Some(folder.into());
        self
    }

    /// Sets the program of the image that the caller wants to run with the server. If the image lacks it, a start on an
    /// engine fails with [`StartError::ProgramNotInImage`](crate::StartError::ProgramNotInImage) before it builds
    /// layers or applies seeds. If the seeds contain a container script, which may install the program, this is not
    /// checked.
    #[must_use]
    pub fn program(mut self, name: impl Into<String>) -> Self {
        self.program = Some(name.into());
        self
    }

    /// Makes [`Definition::start`] start a session of this name, without a time limit, and attach to it. The server
    /// outlives the [`Server`](crate::Server) value and this process. [`Definition::start_session`] ignores this name.
    #[must_use]
    pub fn session_name(mut self, name: Name) -> Self {
        self.session_name = Some(name);
        self
    }

    /// Enables TLS with a certificate for this host name. The certificate and its certificate authority are created for
    /// this server alone. The connection parameters tell clients to verify both (`sslmode=verify-full`), and the server
    /// refuses TCP connections without TLS.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use pg_ephemeral_core::Definition;
    /// use pg_ephemeral_core::config::SslConfig;
    ///
    /// let ssl = SslConfig { hostname: "db.example.com".parse()? };
    /// let server = Definition::new()?.ssl_config(ssl).start().await?;
    /// let row = server.connect().await?.query_one("select ssl from pg_stat_ssl where pid = pg_backend_pid()", &[]).await?;
    /// assert!(row.get::<_, bool>(0));
    /// # server.stop().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn ssl_config(mut self, ssl_config: SslConfig) -> Self {
        self.ssl_config = Some(ssl_config);
        self
    }

    /// Sets whether other containers can reach the server; off by default.
    ///
    /// If on, the server is published on all addresses of the engine's machine. Any machine that can reach that one
    /// over the network can then connect to the server, if it has the password. Other containers reach the server at
    /// the port of [`Server::connection`](crate::Server::connection) and one of these host names:
    /// - `host.docker.internal` in Docker containers that were started with
    ///   `--add-host host.docker.internal:host-gateway`;
    /// - `host.containers.internal` in Podman containers.
    ///
    /// With [TLS](Self::ssl_config), the certificate is also valid for these two names.
    #[must_use]
    pub fn cross_container_access(mut self, access: bool) -> Self {
        self.cross_container_access = access;
        self
    }

    /// Adds a seed to the end of the chain. If there is a seed of the same name, replaces that instead.
    #[must_use]
    pub fn seed(mut self, name: SeedName, spec: SeedSpec) -> Self {
        self.seeds.insert(name, spec);
        self
    }

    /// Sets the folder that relative paths of seeds are resolved against, and in which their scripts and commands run;
    /// the working directory by default.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }

    /// Sets the sink for seed output and progress.
    #[must_use]
    pub fn seed_events(mut self, events: EventSink) -> Self {
        self.seed_events = events;
        self
    }

    /// Returns a text of everything that determines the started server, so that two definitions can be compared.
    pub(crate) fn description(&self) -> String {
        let Self { folders, image, instance, superuser, database, locale, .. } = self;
        let Self { durability, parameters, seeds, folder, .. } = self;
        let parameters: BTreeMap<_, _> =
            parameters.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str())).collect();
        let server = (folders, image, instance, superuser, database, locale, durability, parameters);
        format!("{:?}", (server, seeds, folder, &self.ssl_config, self.cross_container_access))
    }

    /// Sets the observer that is notified of each step of a start and a stop.
    #[must_use]
    pub fn observer(mut self, observer: Observer) -> Self {
        self.observer = observer;
        self
    }

    /// Finds the backend that a start would use.
    ///
    /// # Errors
    /// Returns an error if the choice is invalid, or if no backend works.
    pub async fn find_backend(&self) -> Result<Backend, ChooseError> {
        match &self.backend {
            BackendSource::Given(backend) => Ok(backend.clone()),
            BackendSource::Choice { caller, configured } => {
                self.observer.begin(Step::FindBackend);
                let (choice, origin) = choose::effective_choice(*caller, *configured)?;
                choose::backend(choice, origin, &self.folders, self.executor.clone()).await
            }
        }
    }

    /// Runs `work` on the backend that a start would use. If Podman was chosen explicitly, `work` begins before it is
    /// known whether Podman works. The check runs at the same time, and if it fails, its error is returned.
    pub(crate) async fn on_backend<T>(
        &self,
        work: impl AsyncFnOnce(&Backend) -> Result<T, StartError>,
    ) -> Result<(Backend, T), StartError> {
        let mut finding = pin!(self.find_backend());
        let Some(backend) = self.trusted_backend() else {
            let backend = finding.await?;
            let done = work(&backend).await?;
            return Ok((backend, done));
        };
        let done = {
            let mut work = pin!(work(&backend));
            tokio::select! {
                biased;
                found = &mut finding => { found?; work.await }
                done = &mut work => { finding.await?; done }
            }
        }?;
        Ok((backend, done))
    }

    /// Returns the kind of the backend that a start would use, if it is known without running an engine command,
    /// because the backend was given or was chosen by name. The choice of Docker returns `None`, because the program
    /// `docker` may be Podman.
    #[must_use]
    pub fn certain_kind(&self) -> Option<Kind> {
        match &self.backend {
            BackendSource::Given(backend) => Some(backend.kind()),
            BackendSource::Choice { caller, configured } => match choose::effective_choice(*caller, *configured) {
                Ok((BackendChoice::Only(kind @ (Kind::Podman | Kind::Host)), _)) => Some(kind),
                _ => None,
            },
        }
    }

    /// Returns `true` if it is known, without running an engine command, that the engine is rootless: root in a
    /// container is then an ordinary user of this machine.
    #[must_use]
    pub fn is_rootless(&self) -> bool {
        match &self.backend {
            BackendSource::Given(backend) => backend.is_rootless(),
            BackendSource::Choice { .. } => self.trusted_backend().is_some_and(|backend| backend.is_rootless()),
        }
    }

    /// Returns the backend that may be used before it is known to work, which is Podman if it was chosen explicitly.
    fn trusted_backend(&self) -> Option<Backend> {
        let is_podman = matches!(self.backend, BackendSource::Choice { .. }) && self.certain_kind()? == Kind::Podman;
        is_podman.then(|| Backend::podman_with(self.executor.clone()))
    }
}
