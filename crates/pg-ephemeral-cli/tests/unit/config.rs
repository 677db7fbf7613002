//! The configuration commands and `init`. Nothing here starts a server.

use std::fs;

use crate::support::project;
use serde_json::{Value, json};

const CONFIG: &str = r#"
image = "17"
parameters = { log_statement = "all", work_mem = "1MB" }
[instances.main]
database = "shop"
parameters = { work_mem = "2MB" }
[instances.main.seeds.schema]
type = "sql-file"
path = "db/schema.sql"
[instances.other]
"#;

#[test]
fn a_valid_configuration_is_summed_up() {
    let project = project().file("database.toml", CONFIG).file("db/schema.sql", "");
    project
        .command(["config", "check"])
        .run()
        .status(0)
        .stderr("")
        .stdout("[ROOT]/work/database.toml: valid\nmain: 1 seed\nother: 0 seeds\n");
    let ran = project.command(["config", "check", "--format", "json"]).run();
    let checked: Value = serde_json::from_str(&ran.stdout_text()).unwrap();
    let instances = json!([{"name": "main", "seeds": 1}, {"name": "other", "seeds": 0}]);
    assert_eq!(checked, json!({"file": "[ROOT]/work/database.toml", "instances": instances}));
}

#[test]
fn a_file_that_a_seed_needs_and_that_is_not_there_is_named() {
    let project = project().file("database.toml", CONFIG);
    project.command(["config", "check"]).run().status(1).stdout("").stderr(
        "error: seed schema of main: no file db/schema.sql\nhint: paths start from the folder of the configuration\n",
    );
}

#[test]
fn what_is_wrong_is_shown_with_its_place() {
    let project = project().file("database.toml", "imagee = \"17\"\n");
    let ran = project.command(["config", "check"]).run();
    ran.status(1).stdout("");
    let text = ran.stderr_text();
    assert!(text.contains("database.toml:1:1") && text.contains("did you mean `image`?"), "{text}");
}

#[test]
fn without_a_file_the_defaults_hold() {
    project()
        .command(["config", "check"])
        .run()
        .status(0)
        .stdout("no database.toml: the defaults hold\nmain: 0 seeds\n");
}

#[test]
fn each_value_is_shown_with_the_place_it_comes_from() {
    let project = project().file("database.toml", CONFIG).file("db/schema.sql", "");
    let ran = project
        .command(["config", "show", "--parameter", "jit=off", "--cache-registry", "ghcr.io/acme"])
        .variable("OCIMAN_BACKEND", "podman")
        .run();
    ran.status(0).stderr("").stdout(
        "instance main, configuration [ROOT]/work/database.toml
 KEY                       VALUE         FROM
 image                     17            top level
 backend                   podman        OCIMAN_BACKEND
 cache_registry            ghcr.io/acme  command line
 wait_available_timeout    30s           default
 durability                false         default
 superuser                 postgres      default
 database                  shop          instance
 parameters.jit            off           command line
 parameters.log_statement  all           top level
 parameters.work_mem       2MB           instance
seed 1: schema (sql-file)
",
    );
}

#[test]
fn values_and_their_places_are_machine_readable() {
    let project = project().file("database.toml", CONFIG).file("db/schema.sql", "");
    let ran = project.command(["config", "show", "--format", "json"]).run();
    let shown: Value = serde_json::from_str(&ran.stdout_text()).unwrap();
    assert_eq!(shown["settings"]["database"], json!({"value": "shop", "origin": "instance"}));
    assert_eq!(shown["parameters"]["work_mem"], json!({"value": "2MB", "origin": "instance"}));
    assert_eq!(shown["seeds"], json!([{"name": "schema", "type": "sql-file"}]));
    assert_eq!(shown["folder"], "[ROOT]/work");
}

#[test]
fn the_schema_is_the_committed_one() {
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/database.schema.json");
    project().command(["config", "schema"]).run().status(0).stderr("").stdout(&fs::read_to_string(committed).unwrap());
}

#[test]
fn init_writes_a_file_that_means_the_same_as_none_and_never_over_another() {
    let project = project();
    project.command(["init"]).run().status(0).stdout("").stderr("wrote database.toml\n");
    let path = project.folder().join("database.toml");
    let written = fs::read_to_string(&path).unwrap();
    project.command(["config", "check"]).run().status(0).stderr("");
    fs::write(&path, format!("{written}# mine\n")).unwrap();
    project
        .command(["init"])
        .run()
        .status(1)
        .stdout("")
        .stderr("error: database.toml is there already\nhint: --config-file names another file to write\n");
    assert!(fs::read_to_string(&path).unwrap().ends_with("# mine\n"));
    project.command(["init", "-q", "--config-file", "other.toml"]).run().status(0).stdout("").stderr("");
    assert_eq!(fs::read_to_string(project.folder().join("other.toml")).unwrap(), written);
}
