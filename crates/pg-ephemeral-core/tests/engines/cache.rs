//! The cache on docker and podman, and layers that are pushed by one and pulled by the other through a local registry.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::registry::Registry;
use ociman::{Backend, Kind};
use pg_ephemeral_core::cache::{self, CacheError, InUse, Pulled, Scope};
use pg_ephemeral_core::config::{Config, Overrides};
use pg_ephemeral_core::session::{self, Session};
use pg_ephemeral_core::snapshot::{self, AnotherSecret, Existing, ForkOptions, SnapshotError};
use pg_ephemeral_core::{Definition, Folders, InstanceName, SeedName, Server};

/// The value that the second seed inserts.
const MARK: &str = "a-row-of-the-second-seed";

/// An instance whose layers are removed from both engines when the value is dropped.
struct Instance {
    name: InstanceName,
}

impl Instance {
    fn new(test: &str) -> Self {
        let id = std::process::id();
        Self { name: format!("cachetest-{test}-{id}").parse().unwrap() }
    }

    /// A definition with two seeds; the second one contains this text.
    fn definition(&self, home: &Path, engine: Kind, registry: &str, text: &str) -> Definition {
        let config = format!(
            "image = \"15\"\ncache_registry = \"{registry}\"\n[instances.{name}.seeds.schema]\ntype = \"sql-statement\"\n\
             statement = \"create table t (a text)\"\n[instances.{name}.seeds.rows]\ntype = \"sql-statement\"\n\
             statement = \"insert into t values ('{text}')\"\n",
            name = self.name
        );
        let config = Config::parse(&config, home.join("database.toml")).unwrap();
        let instance = config.instance(&self.name, &Overrides::default()).unwrap();
        Definition::of_instance(Folders::at(home), &instance).backend(backend(engine))
    }

    async fn layers(&self, engine: Kind) -> Vec<cache::CachedLayer> {
        cache::images(&backend(engine), Scope::Instance(&self.name)).await.unwrap()
    }

    fn clean(&self, engine: &str) {
        let label = format!("label=pg-ephemeral.instance={}", self.name);
        let containers = lines(Command::new(engine).args(["ps", "--all", "--quiet", "--filter", &label]));
        if !containers.is_empty() {
            lines(Command::new(engine).args(["rm", "--force", "--volumes"]).args(containers));
        }
        let format = "{{.Repository}}:{{.Tag}}";
        let images = lines(Command::new(engine).args(["images", "--filter", &label, "--format", format]));
        let named: Vec<_> = images.into_iter().filter(|name| !name.contains("<none>")).collect();
        if !named.is_empty() {
            lines(Command::new(engine).args(["image", "rm", "--force"]).args(named));
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.clean("podman");
        self.clean("docker");
    }
}

fn lines(command: &mut Command) -> Vec<String> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn backend(engine: Kind) -> Backend {
    match engine {
        Kind::Docker => Backend::docker(),
        Kind::Podman => Backend::podman(),
        Kind::Host => panic!("no engine"),
    }
}

fn seed(name: &str) -> Option<SeedName> {
    Some(name.parse().unwrap())
}

/// Pushes layers as one user with one engine and pulls them as another user with the other engine. Checks that the
/// second user's server has the data. Returns the secrets of the first user.
async fn layers_travel(registry: &Registry, maker: Kind, taker: Kind, test: &str) -> Vec<Vec<u8>> {
    let address = registry.address();
    let instance = Instance::new(test);
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());

    let made = instance.definition(here.path(), maker, &address, MARK);
    made.populate_cache().await.unwrap();
    let pushed = made.push_cache().await.unwrap();
    assert_eq!(pushed.len(), 3);
    assert!(pushed.iter().all(|name| name.domain() == Some(&address)), "{pushed:?}");
    let names: Vec<_> = instance.layers(maker).await.into_iter().flat_map(|layer| layer.names).collect();
    assert!(names.len() == 3 && names.iter().all(|name| name.domain().is_none()), "{names:?}");

    let taken = instance.definition(there.path(), taker, &address, MARK);
    assert_eq!(taken.cache_status().await.unwrap().summary.hits, 0);
    let Pulled::Layer(layer) = taken.pull_cache().await.unwrap() else { panic!("nothing was pulled") };
    let status = taken.cache_status().await.unwrap();
    assert_eq!(status.summary.hits, 2, "{status:?}");
    assert_eq!(status.seeds[1].cache_image.as_ref(), Some(&layer));
    assert_eq!(taken.pull_cache().await.unwrap(), Pulled::AlreadyHere(layer.clone()));
    assert_eq!(instance.layers(taker).await.len(), 1);
    let inspected = cache::inspect(&backend(taker), &layer).await.unwrap();
    assert_eq!(inspected.metadata.seeds.len(), 2);
    assert!(inspected.created.is_some());

    let server = taken.start().await.unwrap();
    let row = server.connect().await.unwrap().query_one("select a from t", &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), MARK);
    server.stop().await.unwrap();
    assert_eq!(instance.layers(taker).await.len(), 1, "a boot from the deepest layer makes no other");

    let mut secrets = vec![std::fs::read(Folders::at(here.path()).state().join("secret")).unwrap()];
    for seed in [None, seed("schema"), seed("rows")] {
        let credentials = made.cache_credentials(seed.as_ref()).await.unwrap();
        secrets.push(credentials.password.expose().as_bytes().to_vec());
    }
    let folders = [here.path(), there.path()].map(Folders::at);
    secrets.push(snapshot_travels(registry, (&made, &folders[0]), (&taken, &folders[1]), (maker, taker), test).await);
    secrets
}

/// Pushes a snapshot as one user and pulls it as another user with another engine and another secret. Checks that a
/// session can start from it and be restored from it. Returns the password of the first user's session.
async fn snapshot_travels(
    registry: &Registry,
    (made, here): (&Definition, &Folders),
    (taken, folders): (&Definition, &Folders),
    (maker, taker): (Kind, Kind),
    test: &str,
) -> Vec<u8> {
    let of: session::Name = format!("{test}-{}", std::process::id()).parse().unwrap();
    let clean: snapshot::Name = "clean".parse().unwrap();
    let rows = async |session: &Session, folders: &Folders| {
        let client = Server::attach(session, folders).unwrap().connect().await.unwrap();
        client.query_one("select count(*) from t", &[]).await.unwrap().get::<_, i64>(0)
    };
    let session = made.start_session(&of, None).await.unwrap();
    let server = Server::attach(&session, here).unwrap();
    server.connect().await.unwrap().batch_execute("insert into t values ('more')").await.unwrap();
    session.snapshot(here, &clean, Existing::Refuse).await.unwrap();
    let pushed = made.push_snapshot(&of, &clean).await.unwrap();
    assert_eq!(pushed.domain(), Some(registry.address().as_str()));
    let password = server.connection().password.expose().as_bytes().to_vec();
    session.stop().await.unwrap();
    snapshot::remove(here, &backend(maker), &of, &clean).await.unwrap();

    let engine = backend(taker);
    let pulled = taken.pull_snapshot(&of, &clean).await.unwrap();
    let found = snapshot::list(&engine, Some(&of)).await.unwrap().pop().unwrap();
    assert_eq!(found.image.tag(), pulled.tag());
    let session = found.start_session(&engine, folders, &of, &ForkOptions::default()).await.unwrap();
    assert_eq!(rows(&session, folders).await, 2);
    let client = Server::attach(&session, folders).unwrap().connect().await.unwrap();
    client.batch_execute("truncate t").await.unwrap();
    let session = session.restore(folders, &clean, AnotherSecret::Refuse).await.unwrap();
    assert_eq!(rows(&session, folders).await, 2);
    let error = snapshot::remove(folders, &engine, &of, &clean).await.unwrap_err();
    assert!(matches!(&error, SnapshotError::InUse { .. }), "{error:?}");
    session.stop().await.unwrap();
    snapshot::remove(folders, &engine, &of, &clean).await.unwrap();
    assert!(snapshot::list(&engine, Some(&of)).await.unwrap().is_empty());
    password
}

/// Uses one registry for all steps, so that the base image is pushed only once. Also checks that the registry contains
/// no secret of the user that pushed.
#[tokio::test]
async fn layers_pushed_by_one_engine_boot_on_the_other_for_another_user() {
    let registry = Registry::start();
    let mut secrets = layers_travel(&registry, Kind::Podman, Kind::Docker, "p2d").await;
    secrets.extend(layers_travel(&registry, Kind::Docker, Kind::Podman, "d2p").await);
    the_deepest_layer_is_pulled(&registry).await;
    // The last two texts show that the search covers the files of layers as well as image configurations.
    let texts = secrets.iter().map(Vec::as_slice).chain([MARK.as_bytes(), b"cachetest-d2p-"]);
    let found = registry.which_it_holds(&texts.collect::<Vec<_>>());
    let (pushed, seen) = found.split_at(secrets.len());
    assert_eq!(secrets.len(), 10);
    assert!(!pushed.contains(&true), "a secret was pushed: {pushed:?}");
    assert_eq!(seen, [true, true]);
}

async fn the_deepest_layer_is_pulled(registry: &Registry) {
    let instance = Instance::new("deepest");
    let home = tempfile::tempdir().unwrap();
    let definition = instance.definition(home.path(), Kind::Podman, &registry.address(), MARK);
    assert_eq!(definition.pull_cache().await.unwrap(), Pulled::Nothing);
    assert!(matches!(definition.push_cache().await, Err(CacheError::NothingToPush)));
    definition.populate_cache().await.unwrap();
    definition.push_cache().await.unwrap();
    cache::reset(&Folders::at(home.path()), &Backend::podman(), &instance.name, InUse::Keep).await.unwrap();

    let changed = instance.definition(home.path(), Kind::Podman, &registry.address(), "something else");
    let pulled = changed.pull_cache().await.unwrap();
    let status = changed.cache_status().await.unwrap();
    assert_eq!((status.summary.hits, status.summary.misses), (1, 1));
    assert_eq!(Pulled::Layer(status.seeds[0].cache_image.clone().unwrap()), pulled);
}

#[tokio::test]
async fn a_registry_that_does_not_answer_is_an_error() {
    let instance = Instance::new("nobody");
    let home = tempfile::tempdir().unwrap();
    for engine in [Kind::Docker, Kind::Podman] {
        let definition = instance.definition(home.path(), engine, "127.0.0.1:1", MARK);
        let error = definition.pull_cache().await.unwrap_err();
        assert!(matches!(error, CacheError::Pull { .. }), "{error:?}");
    }
}

/// Checks that a layer in use is kept, and removed with its server if that is requested.
async fn in_use(engine: Kind, test: &str) {
    let instance = Instance::new(test);
    let home = tempfile::tempdir().unwrap();
    let definition = instance.definition(home.path(), engine, "127.0.0.1:1", MARK);
    definition.populate_cache().await.unwrap();
    let server = definition.start().await.unwrap();
    let folders = Folders::at(home.path());
    let careful = cache::reset(&folders, &backend(engine), &instance.name, InUse::Keep).await.unwrap();
    assert_eq!((careful.removed.len(), careful.in_use.len()), (2, 1), "{careful:?}");
    assert!(server.connect().await.is_ok());
    let thorough = cache::reset(&folders, &backend(engine), &instance.name, InUse::RemoveWithServers).await.unwrap();
    assert_eq!(thorough.servers, [server.container().name().to_string()]);
    assert_eq!((thorough.removed.len(), thorough.in_use.len()), (1, 0));
    server.stop().await.unwrap();
    assert!(instance.layers(engine).await.is_empty());
}

#[tokio::test]
async fn docker_keeps_a_layer_that_a_server_runs_on() {
    in_use(Kind::Docker, "used-d").await;
}

#[tokio::test]
async fn podman_keeps_a_layer_that_a_server_runs_on() {
    in_use(Kind::Podman, "used-p").await;
}

#[tokio::test]
async fn a_status_without_the_base_image_pulls_nothing_and_names_no_image() {
    let instance = Instance::new("nobase");
    let home = tempfile::tempdir().unwrap();
    for engine in [Kind::Docker, Kind::Podman] {
        let definition = instance.definition(home.path(), engine, "127.0.0.1:1", MARK);
        let definition = definition.image("127.0.0.1:1/no/such:1".parse().unwrap());
        let status = definition.cache_status().await.unwrap();
        assert_eq!((status.summary.misses, &status.seeds[0].cache_image), (2, &None));
    }
}
