//! The cache on the host backend, with a real PostgreSQL: status, credentials, reset and prune.

use std::path::Path;
use std::time::Duration;

use ociman::{Backend, Host, Kind, RunSpec};
use pg_ephemeral_core::cache::{self, CacheError, InUse, LayerState, PruneRules, Scope, SeedLayerStatus};
use pg_ephemeral_core::config::{BackendChoice, Config, Overrides};
use pg_ephemeral_core::label::{self, ReadError};
use pg_ephemeral_core::{Definition, Folders, InstanceName, SeedName};
use pg_ephemeral_testkit::base_layer::state_with_base_layer;

const TWO_SEEDS: &str = r#"
[instances.main.seeds.schema]
type = "sql-statement"
statement = "create table t (a int)"
[instances.main.seeds.rows]
type = "sql-statement"
statement = "insert into t values (1)"
"#;

const UNCACHED_IN_THE_MIDDLE: &str = r#"
[instances.main.seeds.schema]
type = "sql-statement"
statement = "create table t (a int)"
[instances.main.seeds.clock]
type = "script"
script = "true"
cache = { type = "none" }
[instances.main.seeds.rows]
type = "sql-statement"
statement = "insert into t values (1)"
"#;

fn definition(home: &Path, config: &str) -> Definition {
    let config = Config::parse(config, home.join("database.toml")).unwrap();
    let main = config.instance(&InstanceName::main(), &Overrides::default()).unwrap();
    Definition::of_instance(Folders::at(home), &main).backend_choice(BackendChoice::Only(Kind::Host))
}

fn backend(home: &Path) -> Backend {
    Backend::host(Host::at(Folders::at(home).host()))
}

async fn layer_count(home: &Path) -> usize {
    cache::images(&backend(home), Scope::All).await.unwrap().len()
}

fn seed(name: &str) -> SeedName {
    name.parse().unwrap()
}

#[tokio::test]
async fn populating_turns_every_miss_into_a_hit_and_a_status_starts_nothing() {
    let home = tempfile::tempdir().unwrap();
    let definition = definition(home.path(), TWO_SEEDS);
    let cold = definition.cache_status().await.unwrap();
    assert_eq!((cold.summary.total, cold.summary.misses), (2, 2));
    assert!(matches!(cold.base, LayerState::Missing(_)));
    assert_eq!(layer_count(home.path()).await, 0);

    definition.populate_cache().await.unwrap();
    let warm = definition.cache_status().await.unwrap();
    assert_eq!(warm.summary.hits, 2);
    assert!(matches!(warm.base, LayerState::Here(_)));
    assert_eq!(warm.seeds[1].cache_image, cold.seeds[1].cache_image);
    assert_eq!(layer_count(home.path()).await, 3);
}

#[tokio::test]
async fn a_changed_seed_and_all_later_seeds_are_misses() {
    let home = state_with_base_layer();
    definition(home.path(), TWO_SEEDS).populate_cache().await.unwrap();
    let changed = definition(home.path(), &TWO_SEEDS.replace("values (1)", "values (2)"));
    let status: Vec<_> = changed.cache_status().await.unwrap().seeds.into_iter().map(|seed| seed.status).collect();
    assert_eq!(status, [SeedLayerStatus::Hit, SeedLayerStatus::Miss]);
}

#[tokio::test]
async fn inspecting_a_layer_returns_its_seeds_image_age_and_size() {
    let home = state_with_base_layer();
    let definition = definition(home.path(), TWO_SEEDS);
    definition.populate_cache().await.unwrap();
    let status = definition.cache_status().await.unwrap();
    let image = status.seeds[1].cache_image.clone().unwrap();
    let inspected = cache::inspect(&backend(home.path()), &image).await.unwrap();
    let seeds: Vec<_> = inspected.metadata.seeds.iter().map(|seed| seed.name.as_str()).collect();
    assert_eq!(seeds, ["schema", "rows"]);
    assert_eq!(inspected.metadata.image, status.base_image);
    assert_eq!(inspected.metadata.instance, InstanceName::main());
    assert!(inspected.created.unwrap().elapsed().unwrap() < Duration::from_secs(600));
    assert!(inspected.size > 0);
}

#[tokio::test]
async fn inspecting_a_missing_image_and_one_that_is_not_a_layer_are_distinct_errors() {
    let home = state_with_base_layer();
    let definition = definition(home.path(), "");
    definition.populate_cache().await.unwrap();
    let base_image = definition.cache_status().await.unwrap().base_image;
    let error = cache::inspect(&backend(home.path()), &base_image).await.unwrap_err();
    let CacheError::Labels { source, .. } = &error else { panic!("{error:?}") };
    assert!(matches!(&**source, ReadError::Missing { key } if *key == label::VERSION_KEY), "{source:?}");
    let error = cache::inspect(&backend(home.path()), &"no/such:1".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, CacheError::NoSuchImage { .. }), "{error:?}");
}

#[tokio::test]
async fn credentials_let_a_client_into_a_server_that_is_started_by_hand() {
    let home = state_with_base_layer();
    let definition = definition(home.path(), TWO_SEEDS);
    definition.populate_cache().await.unwrap();
    let credentials = definition.cache_credentials(Some(&seed("schema"))).await.unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let arguments = [
        "-c".to_owned(),
        format!("port={port}"),
        "-c".to_owned(),
        "unix_socket_directories=".to_owned(),
        "-c".to_owned(),
        "listen_addresses=127.0.0.1".to_owned(),
    ];
    let run = RunSpec::new("by-hand".parse().unwrap(), credentials.layer.clone()).arguments(arguments);
    let mut container = backend(home.path()).run(&run).await.unwrap();

    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(port).user(credentials.user.as_str()).dbname(credentials.database.as_str());
    config.password(credentials.password.expose());
    let client = async {
        loop {
            if let Ok((client, connection)) = config.connect(tokio_postgres::NoTls).await {
                tokio::spawn(connection);
                return client;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let client = tokio::time::timeout(Duration::from_secs(30), client).await.expect("the server lets nobody in");
    let rows = client.query("select * from t", &[]).await.unwrap();
    assert!(rows.is_empty(), "the layer of the schema has no rows yet");
    container.remove_force().await.unwrap();
}

#[tokio::test]
async fn without_a_seed_the_credentials_are_those_of_the_deepest_layer() {
    let home = tempfile::tempdir().unwrap();
    let definition = definition(home.path(), UNCACHED_IN_THE_MIDDLE);
    let none = definition.cache_credentials(None).await.unwrap_err();
    assert!(matches!(none, CacheError::NotCached { .. }), "{none:?}");
    definition.populate_cache().await.unwrap();
    let deepest = definition.cache_credentials(None).await.unwrap();
    let schema = definition.cache_credentials(Some(&seed("schema"))).await.unwrap();
    assert_eq!(deepest.layer, schema.layer);
    assert_eq!(deepest.password, schema.password);
}

#[tokio::test]
async fn a_seed_without_a_layer_has_no_credentials_and_the_error_says_why() {
    let home = state_with_base_layer();
    let definition = definition(home.path(), UNCACHED_IN_THE_MIDDLE);
    let message = async |name| definition.cache_credentials(Some(&seed(name))).await.unwrap_err().to_string();
    assert_eq!(message("schema").await, "there is no layer of seed schema");
    assert_eq!(message("clock").await, "seed clock has no layer: its cache is `none`");
    assert_eq!(message("rows").await, "seed rows has no layer: seed clock before it is not cached");
    assert_eq!(message("other").await, "there is no seed other; there are schema, clock, rows");
}

#[tokio::test]
async fn a_reset_removes_the_layers_of_its_instance_and_no_other() {
    let home = state_with_base_layer();
    definition(home.path(), TWO_SEEDS).populate_cache().await.unwrap();
    let other: InstanceName = "other".parse().unwrap();
    definition(home.path(), "").instance(other.clone()).populate_cache().await.unwrap();
    let folders = Folders::at(home.path());
    let backend = backend(home.path());
    let reset = cache::reset(&folders, &backend, &InstanceName::main(), InUse::Keep).await.unwrap();
    assert_eq!((reset.removed.len(), reset.in_use.len()), (3, 0));
    assert!(cache::images(&backend, Scope::Instance(&InstanceName::main())).await.unwrap().is_empty());
    assert_eq!(cache::images(&backend, Scope::Instance(&other)).await.unwrap().len(), 1);
    let again = cache::reset(&folders, &backend, &InstanceName::main(), InUse::Keep).await.unwrap();
    assert!(again.removed.is_empty());
}

#[tokio::test]
async fn a_layer_in_use_is_kept_unless_its_server_may_be_removed_too() {
    let home = state_with_base_layer();
    let server = definition(home.path(), TWO_SEEDS).start().await.unwrap();
    let folders = Folders::at(home.path());
    let backend = backend(home.path());
    let main = InstanceName::main();
    let careful = cache::reset(&folders, &backend, &main, InUse::Keep).await.unwrap();
    assert_eq!((careful.removed.len(), careful.in_use.len(), careful.servers.len()), (2, 1, 0));
    assert!(server.connect().await.unwrap().query("select * from t", &[]).await.is_ok());

    let thorough = cache::reset(&folders, &backend, &main, InUse::RemoveWithServers).await.unwrap();
    assert_eq!(thorough.servers, [server.container().name().to_string()]);
    assert_eq!((thorough.removed.len(), thorough.in_use.len()), (1, 0));
    server.stop().await.unwrap();
    assert_eq!(layer_count(home.path()).await, 0);
}

#[tokio::test]
async fn pruning_keeps_young_layers_and_the_newest_layers() {
    let home = state_with_base_layer();
    let definition = definition(home.path(), TWO_SEEDS);
    definition.populate_cache().await.unwrap();
    let folders = Folders::at(home.path());
    let backend = backend(home.path());
    let young = cache::prune(&folders, &backend, PruneRules::default()).await.unwrap();
    assert!(young.removed.is_empty());
    let rules = PruneRules { older_than: None, keep: Some(1) };
    let pruned = cache::prune(&folders, &backend, rules).await.unwrap();
    assert_eq!(pruned.removed.len(), 2);
    let status = definition.cache_status().await.unwrap();
    assert_eq!(status.summary.hits, 2, "the deepest layer is the newest, and has all: {status:?}");
}

#[tokio::test]
async fn pruning_removes_working_copies_that_were_not_used_recently() {
    let home = state_with_base_layer();
    definition(home.path(), "").start().await.unwrap().stop().await.unwrap();
    let backend = backend(home.path());
    assert_eq!(backend.as_host().unwrap().slots().await.unwrap().len(), 1);
    let rules = PruneRules { older_than: Some(Duration::ZERO), keep: Some(9) };
    let pruned = cache::prune(&Folders::at(home.path()), &backend, rules).await.unwrap();
    assert_eq!((pruned.removed.len(), pruned.working_copies), (0, 1));
    assert!(backend.as_host().unwrap().slots().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_host_backend_can_not_push_or_pull_and_says_which_backends_can() {
    let home = state_with_base_layer();
    let definition = definition(home.path(), "cache_registry = \"127.0.0.1:1\"\n");
    let pushed = definition.push_cache().await.unwrap_err();
    assert_eq!(pushed.to_string(), "the host backend can't push layers");
    assert_eq!(pushed.hint().unwrap(), "use docker or podman");
    let pulled = definition.pull_cache().await.unwrap_err();
    assert_eq!(pulled.to_string(), "the host backend can't pull layers");
}

#[tokio::test]
async fn pushing_without_a_registry_is_an_error() {
    let home = state_with_base_layer();
    let error = definition(home.path(), "").push_cache().await.unwrap_err();
    assert!(matches!(error, CacheError::NoRegistry), "{error:?}");
}
