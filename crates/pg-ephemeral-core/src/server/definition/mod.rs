//! [`Definition`]: everything that decides what server will run. A plain value; only [`Definition::start`] acts on it.

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

/// Who has to reach a server.
///
/// Other than [`Reach::Published`] is for engines of this very machine, which share their folders and sockets with it: a
/// server of any other engine is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// Processes of this machine, by TCP on its loopback.
    #[default]
    Published,
    /// Only what runs inside the server's container, which still joins the engine's network.
    Inside,
    /// Only what runs inside the server's container, which joins no network unless seeds are still to be applied. The
    /// fastest to start.
    InsideWithoutNetwork,
}

/// What server to start.
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
    /// What relative paths of seeds start from, and where their programs run.
    pub(crate) folder: PathBuf,
    pub(crate) seed_events: EventSink,
    pub(crate) cache_registry: Option<CacheRegistry>,
    /// The session that a start is to make.
    pub(crate) session_name: Option<Name>,
    pub(crate) ssl_config: Option<SslConfig>,
    pub(crate) cross_container_access: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum BackendSource {
    Choice { caller: Option<BackendChoice>, configured: BackendChoice },
    Given(Backend),
}

/// What somebody has set.
fn set<T: Clone>(setting: &Effective<T>) -> Option<T> {
    (setting.origin != Origin::Default).then(|| setting.value.clone())
}

impl Definition {
    /// The default: the instance `main`, the newest PostgreSQL that is at hand, the first backend that works.
    ///
    /// # Errors
    /// [`FoldersError::NoHome`] when the user has no home folder.
    pub fn new() -> Result<Self, FoldersError> {
        Ok(Self::in_folders(Folders::of_user()?))
    }

    /// The same, with other folders than the user's.
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

    /// What an instance of a configuration says.
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

    /// Uses this backend and looks for no other.
    #[must_use]
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = BackendSource::Given(backend);
        self
    }

    /// Executes engine commands by something else than the operating system; for tests.
    #[must_use]
    pub fn executor(mut self, executor: Arc<dyn Executor>) -> Self {
        self.executor = executor;
        self
    }

    /// Chooses the backend by name; `OCIMAN_BACKEND` and configuration no longer count.
    #[must_use]
    pub fn backend_choice(mut self, choice: BackendChoice) -> Self {
        self.backend = BackendSource::Choice { caller: Some(choice), configured: BackendChoice::Auto };
        self
    }

    /// The image. Without one it is the newest official PostgreSQL image on the engine, or `latest` from the registry;
    /// on the host backend the newest PostgreSQL that is installed.
    #[must_use]
    pub fn image(mut self, image: Image) -> Self {
        self.image = Some(image);
        self
    }

    /// The name of the instance.
    #[must_use]
    pub fn instance(mut self, instance: InstanceName) -> Self {
        self.instance = instance;
        self
    }

    /// Server parameters, passed as `-c NAME=VALUE`.
    #[must_use]
    pub fn parameters(mut self, parameters: Parameters) -> Self {
        self.parameters = parameters;
        self
    }

    /// One more server parameter; it replaces one of the same name.
    #[must_use]
    pub fn parameter(mut self, parameter: ParameterAssignment) -> Self {
        self.parameters.insert(parameter.name, parameter.value);
        self
    }

    /// The name of the superuser.
    #[must_use]
    pub fn superuser(mut self, superuser: Superuser) -> Self {
        self.superuser = superuser;
        self
    }

    /// The name of the database.
    #[must_use]
    pub fn database(mut self, database: DatabaseName) -> Self {
        self.database = database;
        self
    }

    /// The locale of the cluster. Without one it is that of the image, which is `en_US.utf8` in the official ones, and
    /// on the host backend the same or, where this machine does not have it, the nearest there is. One that is set and
    /// missing is an error. With [`LocaleProvider::Builtin`] it is one of PostgreSQL's own.
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

    /// The encoding of the cluster's text; `UTF8` by default.
    #[must_use]
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.locale.encoding = Some(encoding);
        self
    }

    /// What sorts text; the C library by default. ICU needs PostgreSQL 15 or newer, and PostgreSQL itself can from 17 on.
    #[must_use]
    pub fn locale_provider(mut self, provider: LocaleProvider) -> Self {
        self.locale.provider = Some(provider);
        self
    }

    /// The locale that ICU sorts by, with [`LocaleProvider::Icu`]; by default the one for the language and the country
    /// of the [locale](Self::locale).
    #[must_use]
    pub fn icu_locale(mut self, icu_locale: IcuLocale) -> Self {
        self.locale.icu_locale = Some(icu_locale);
        self
    }

    /// Whether the server writes safely to disk; off by default.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How long a started server may take until it answers; 30 s by default.
    #[must_use]
    pub fn wait_available_timeout(mut self, limit: Duration) -> Self {
        self.wait_available_timeout = limit;
        self
    }

    /// Who has to reach the server.
    #[must_use]
    pub fn reach(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    /// Makes this folder visible at the same path inside the container. The host backend needs no such thing.
    #[must_use]
    pub fn transparent_workdir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.transparent_workdir = Some(folder.into());
        self
    }

    /// The program of the image that the server is for. A start on an engine that builds layers or applies seeds fails
    /// before that when the image lacks it, with [`StartError::ProgramNotInImage`](crate::StartError::ProgramNotInImage).
    /// With a container script among the seeds, which may install it, nothing is checked.
    #[must_use]
    pub fn program(mut self, name: impl Into<String>) -> Self {
        self.program = Some(name.into());
        self
    }

    /// Makes [`Definition::start`] start a session of this name, without an end, and attach to it: the server outlives
    /// its [`Server`](crate::Server) and this process. [`Definition::start_session`] names its session itself.
    #[must_use]
    pub fn session_name(mut self, name: Name) -> Self {
        self.session_name = Some(name);
        self
    }

    /// Lets the server speak TLS, with an authority and a certificate for this host name that are made for it alone.
    /// Clients that are told how to connect check both (`sslmode=verify-full`), and nobody gets in over TCP without TLS.
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

    /// Lets other containers reach the server: it is published on all addresses of the engine's machine, and so to
    /// whoever reaches that over a network, and knows the password. They find it at the port of
    /// [`Server::connection`](crate::Server::connection), under `host.docker.internal` (in containers of Docker that were started with
    /// `--add-host host.docker.internal:host-gateway`) or `host.containers.internal` (in those of Podman). With
    /// [TLS](Self::ssl_config) the certificate is for these two names as well. Off by default.
    #[must_use]
    pub fn cross_container_access(mut self, access: bool) -> Self {
        self.cross_container_access = access;
        self
    }

    /// Adds a seed to the end of the chain; one of the same name is replaced.
    #[must_use]
    pub fn seed(mut self, name: SeedName, spec: SeedSpec) -> Self {
        self.seeds.insert(name, spec);
        self
    }

    /// What relative paths of seeds start from, and where their scripts and commands run; the working directory by
    /// default.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }

    /// Is told what seeds print and how far they are.
    #[must_use]
    pub fn seed_events(mut self, events: EventSink) -> Self {
        self.seed_events = events;
        self
    }

    /// All that decides what server a start gives, as a text to be compared.
    pub(crate) fn description(&self) -> String {
        let Self { folders, image, instance, superuser, database, locale, .. } = self;
        let Self { durability, parameters, seeds, folder, .. } = self;
        let parameters: BTreeMap<_, _> =
            parameters.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str())).collect();
        let server = (folders, image, instance, superuser, database, locale, durability, parameters);
        format!("{:?}", (server, seeds, folder, &self.ssl_config, self.cross_container_access))
    }

    /// Is told each step of a start and a stop.
    #[must_use]
    pub fn observer(mut self, observer: Observer) -> Self {
        self.observer = observer;
        self
    }

    /// The backend that a start would use.
    ///
    /// # Errors
    /// [`ChooseError`] when there is none.
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

    /// Does `work` on the backend of a start. Podman, where it is asked for, is trusted to work: that is made sure of
    /// meanwhile, and when it does not, that is the error.
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

    /// The kind of the backend of a start, when that is certain without asking anything: it was given, or chosen by name.
    /// What calls itself Docker may be Podman.
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

    /// Whether root in a container of the backend is an ordinary user, as far as that is certain without asking anything.
    #[must_use]
    pub fn is_rootless(&self) -> bool {
        match &self.backend {
            BackendSource::Given(backend) => backend.is_rootless(),
            BackendSource::Choice { .. } => self.trusted_backend().is_some_and(|backend| backend.is_rootless()),
        }
    }

    /// A backend that can be worked with before it has answered.
    fn trusted_backend(&self) -> Option<Backend> {
        let is_podman = matches!(self.backend, BackendSource::Choice { .. }) && self.certain_kind()? == Kind::Podman;
        is_podman.then(|| Backend::podman_with(self.executor.clone()))
    }
}
