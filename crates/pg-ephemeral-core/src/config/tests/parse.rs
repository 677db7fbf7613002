//! Tests of valid files.

use std::path::Path;
use std::time::Duration;

use super::{main_of, parse};
use crate::config::{BackendChoice, Config, Durability, template};
use crate::model::seed::spec::{CacheStrategy, CsvTable, SeedSpec};

/// The example in the specification.
const EXAMPLE: &str = r#"
image = "17"                      # default for every instance
backend = "auto"                  # auto | docker | podman | host; the same for all instances
cache_registry = "ghcr.io/acme"   # where `cache push` and `cache pull` go
wait_available_timeout = "30s"
durability = false                # false: fsync, synchronous_commit and full_page_writes are off
superuser = "postgres"
database = "postgres"
locale = "en_US.utf8"
ssl_config = { hostname = "localhost" }
parameters = { log_statement = "all" }

[instances.main.parameters]
work_mem = "16MB"

[instances.main.seeds.schema]
type = "sql-file"                 # path, optional git_revision
path = "schema.sql"
"#;

fn names(config: &Config) -> Vec<&str> {
    config.instances().keys().map(|name| name.as_str()).collect()
}

fn seed_names(text: &str) -> Vec<String> {
    main_of(text).seeds.keys().map(ToString::to_string).collect()
}

fn seed(body: &str) -> SeedSpec {
    let instance = main_of(&format!("[instances.main.seeds.one]\n{body}\n"));
    instance.seeds.into_values().next().unwrap()
}

fn parameter(value: &str) -> String {
    let instance = main_of(&format!("parameters = {{ x = {value} }}"));
    instance.parameters.into_values().next().unwrap().value.to_string()
}

#[test]
fn the_example_in_the_specification_is_valid() {
    let config = parse(EXAMPLE);
    assert_eq!(config.backend(), Some(BackendChoice::Auto));
    assert_eq!(config.cache_registry().unwrap().as_str(), "ghcr.io/acme");
    let defaults = config.defaults();
    assert_eq!(defaults.image, Some("17".parse().unwrap()));
    assert_eq!(defaults.wait_available_timeout, Some(Duration::from_secs(30)));
    assert_eq!(defaults.durability, Some(Durability::Off));
    assert_eq!(defaults.superuser.as_ref().unwrap().as_str(), "postgres");
    assert_eq!(defaults.database.as_ref().unwrap().as_str(), "postgres");
    assert_eq!(defaults.locale.as_ref().unwrap().as_str(), "en_US.utf8");
    assert_eq!(defaults.ssl_config.as_ref().unwrap().hostname.as_str(), "localhost");

    let main = main_of(EXAMPLE);
    assert_eq!(main.parameters.len(), 2);
    let schema = SeedSpec::SqlFile { path: "schema.sql".into(), git_revision: None, files: Vec::new() };
    assert_eq!(main.seeds.into_values().collect::<Vec<_>>(), [schema]);
}

#[test]
fn an_empty_file_means_the_same_as_no_file() {
    let empty = parse("");
    let none = Config::without_file("/project");
    assert_eq!(names(&empty), ["main"]);
    assert_eq!(empty.instances(), none.instances());
    assert_eq!(empty.defaults(), none.defaults());
    assert_eq!(empty.folder(), none.folder());
    assert_eq!((empty.path(), none.path()), (Some(Path::new("/project/database.toml")), None));
    assert_eq!(Config::default().folder(), Path::new("."));
}

#[test]
fn main_exists_by_default_only_if_the_file_has_no_instances() {
    assert_eq!(names(&parse("[instances.reports]")), ["reports"]);
    assert_eq!(names(&parse("[instances]")), ["main"]);
}

#[test]
fn instances_keep_the_order_of_the_file() {
    let text = "[instances.b.parameters]\nx = 1\n[instances.c]\n[instances.a]\n[instances.b]\nimage = '17'\n";
    assert_eq!(names(&parse(text)), ["b", "c", "a"]);
}

#[test]
fn seeds_keep_the_order_of_the_file_in_every_toml_notation() {
    let tables = "
        [instances.main.seeds.z]
        type = 'sql-statement'
        statement = 'SELECT 1'
        [instances.main.seeds.m.cache]
        type = 'none'
        [instances.main.seeds.a]
        type = 'sql-statement'
        statement = 'SELECT 2'
        [instances.main.seeds.m]
        type = 'script'
        script = 'true'
    ";
    assert_eq!(seed_names(tables), ["z", "m", "a"]);

    let dotted = "
        [instances.main.seeds]
        z.type = 'sql-statement'
        a.statement = 'SELECT 2'
        a.type = 'sql-statement'
        z.statement = 'SELECT 1'
    ";
    assert_eq!(seed_names(dotted), ["z", "a"]);

    let inline = "instances = { main = { seeds = { \
        z = { type = 'container-script', script = 'true' }, a = { type = 'container-script', script = 'true' } } } }";
    assert_eq!(seed_names(inline), ["z", "a"]);
}

#[test]
fn every_type_of_seed_is_read() {
    assert_eq!(
        seed("type = 'sql-file'\npath = 'a.sql'\ngit_revision = 'HEAD~1'"),
        SeedSpec::SqlFile { path: "a.sql".into(), git_revision: Some("HEAD~1".parse().unwrap()), files: Vec::new() }
    );
    assert_eq!(
        seed("type = 'sql-statement'\nstatement = 'SELECT 1'"),
        SeedSpec::SqlStatement { statement: "SELECT 1".into() }
    );
    let users = CsvTable { schema: "public".parse().unwrap(), table: "users".parse().unwrap() };
    assert_eq!(
        seed("type = 'csv-file'\npath = 'a.csv'\ntable = { schema = 'public', table = 'users' }\ndelimiter = ';'"),
        SeedSpec::CsvFile { path: "a.csv".into(), table: users.clone(), delimiter: ";".parse().unwrap() }
    );
    assert_eq!(
        seed("type = 'csv-file'\npath = 'a.csv'\ntable = { schema = 'public', table = 'users' }"),
        SeedSpec::CsvFile { path: "a.csv".into(), table: users, delimiter: ",".parse().unwrap() }
    );
    assert_eq!(
        seed("type = 'script'\nscript = 'make'"),
        SeedSpec::Script { script: "make".into(), files: vec![], cache: CacheStrategy::CommandHash }
    );
    assert_eq!(
        seed("type = 'command'\ncommand = 'make'\narguments = ['', 'a b']\nfiles = ['Makefile', 'm/**/*.sql']"),
        SeedSpec::Command {
            command: "make".into(),
            arguments: vec![String::new(), "a b".into()],
            files: vec!["Makefile".parse().unwrap(), "m/**/*.sql".parse().unwrap()],
            cache: CacheStrategy::CommandHash,
        }
    );
    assert_eq!(
        seed("type = 'container-script'\nscript = 'apk add x'"),
        SeedSpec::ContainerScript { script: "apk add x".into(), files: vec![] }
    );
    assert_eq!(
        seed("type = 'container-script'\nscript = 'dpkg -i a.deb'\nfiles = ['a.deb']"),
        SeedSpec::ContainerScript { script: "dpkg -i a.deb".into(), files: vec!["a.deb".parse().unwrap()] }
    );
}

#[test]
fn every_cache_strategy_is_read() {
    for (text, expected) in [
        ("{ type = 'command-hash' }", CacheStrategy::CommandHash),
        ("{ type = 'none' }", CacheStrategy::None),
        (
            "{ type = 'key-command', command = 'cat', arguments = ['x'] }",
            CacheStrategy::KeyCommand { command: "cat".into(), arguments: vec!["x".into()] },
        ),
        ("{ type = 'key-script', script = 'cat x' }", CacheStrategy::KeyScript { script: "cat x".into() }),
    ] {
        let SeedSpec::Script { cache, .. } = seed(&format!("type = 'script'\nscript = 'true'\ncache = {text}")) else {
            panic!("not a script");
        };
        assert_eq!(cache, expected);
        assert!(text.contains(cache.type_name()));
    }
}

#[test]
fn a_parameter_becomes_the_text_that_postgresql_accepts() {
    for (value, text) in [
        ("'16MB'", "16MB"),
        ("''", ""),
        ("1_000", "1000"),
        ("0x1f", "31"),
        ("-1", "-1"),
        ("0.5", "0.5"),
        ("1e3", "1e3"),
        ("true", "true"),
        ("false", "false"),
    ] {
        assert_eq!(parameter(value), text, "{value}");
    }
}

#[test]
fn a_quoted_parameter_name_may_have_a_dot() {
    let main = main_of("[parameters]\n\"auto_explain.log_min_duration\" = 0\n");
    assert_eq!(main.parameters.keys().next().unwrap().as_str(), "auto_explain.log_min_duration");
}

#[test]
fn ssl_parameters_are_accepted_without_ssl_config() {
    assert_eq!(main_of("parameters = { ssl = 'on', ssl_cert_file = '/x' }").parameters.len(), 2);
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_accepted() {
    assert_eq!(main_of("\u{feff}image = '16'\r\ndatabase = 'x'\r\n").database.value.as_str(), "x");
}

#[test]
fn relative_paths_start_from_the_folder_of_the_file() {
    let config = parse("");
    assert_eq!(config.resolve(Path::new("db/a.sql")), Path::new("/project/db/a.sql"));
    assert_eq!(config.resolve(Path::new("/a.sql")), Path::new("/a.sql"));
    assert_eq!(Config::parse("", "database.toml").unwrap().folder(), Path::new("."));
}

#[test]
fn the_template_means_the_same_as_no_file() {
    let config = parse(template());
    let none = Config::without_file("/project");
    assert_eq!((config.defaults(), config.instances()), (none.defaults(), none.instances()));
    assert_eq!((config.backend(), config.cache_registry()), (None, None));
}

#[test]
fn the_template_with_everything_switched_on_is_valid() {
    let is_prose = |line: &&str| line.starts_with("# ");
    let lines = template().lines().filter(|line| !is_prose(line));
    let text: String = lines.flat_map(|line| [line.trim_start_matches('#'), "\n"]).collect();
    // The template sets up SSL and has one seed of each type.
    let main = main_of(&text);
    assert!(main.ssl_config.is_some());
    let types: Vec<&str> = main.seeds.values().map(SeedSpec::type_name).collect();
    assert_eq!(types, SeedSpec::TYPE_NAMES);
}
