//! Tests of the output of the cache commands on the host backend.

use crate::support::{on_host, project};
use pg_ephemeral_testkit::Project;
use serde_json::{Value, json};

const CONFIG: &str = r#"
[instances.main.seeds.schema]
type = "sql-file"
path = "schema.sql"
[instances.main.seeds.notes]
type = "script"
script = "echo from the script >&2; echo and its errors >&2; psql -qc 'insert into t values (1)'"
[instances.main.seeds.clock]
type = "script"
script = "true"
cache = { type = "none" }
"#;

fn seeded() -> Project {
    project().file("database.toml", CONFIG).file("schema.sql", "create table t (a int);\n")
}

fn json(project: &Project, words: &[&str]) -> Value {
    let ran = on_host(project, &[words, &["--format", "json"]].concat()).run();
    ran.status(0);
    serde_json::from_slice(ran.stdout_bytes()).unwrap()
}

#[test]
fn populate_prints_seed_output_on_standard_error_and_nothing_when_quiet() {
    let project = seeded();
    on_host(&project, &["cache", "populate"]).run().status(0).stdout("").stderr(
        "pg-ephemeral: initialise the base layer\npg-ephemeral: seed 1 of 3: schema\n\
         pg-ephemeral: seed 2 of 3: notes\nfrom the script\nand its errors\n",
    );
    on_host(&project, &["cache", "populate"]).run().status(0).stdout("").stderr("");
    on_host(&project, &["cache", "reset", "-q"]).run().status(0).stderr("");
    on_host(&project, &["-q", "cache", "populate"]).run().status(0).stdout("").stderr("");
    project.assert_nothing_left();
}

#[test]
fn cache_status_says_which_layers_a_start_would_use() {
    let project = seeded();
    on_host(&project, &["cache", "status"]).run().status(0).stderr("").stdout(
        "main on [..]postgres:[..]: 3 seeds, 0 hit, 2 miss, 1 uncacheable\n SEED [..] TYPE [..] STATUS [..] CACHE IMAGE [..] REASON\n \
         - [..] base layer [..] miss [..] pg-ephemeral/main:[..]\n schema [..] sql-file [..] miss [..] pg-ephemeral/main:[..]\n \
         notes [..] script [..] miss [..] pg-ephemeral/main:[..]\n clock [..] script [..] uncacheable [..] its cache is `none`\n",
    );
    on_host(&project, &["-q", "cache", "populate"]).run().status(0);
    let status = json(&project, &["cache", "status"]);
    let keys: Vec<_> = status.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["base_image", "instance", "seeds", "summary", "version"]);
    assert_eq!(status["summary"], json!({"total": 3, "hits": 2, "misses": 0, "uncacheable": 1}));
    let words: Vec<_> = status["seeds"].as_array().unwrap().iter().map(|seed| &seed["status"]).collect();
    assert_eq!(words, ["hit", "hit", "uncacheable"]);
}

#[test]
fn a_layer_that_the_status_names_can_be_inspected() {
    let project = seeded();
    on_host(&project, &["-q", "cache", "populate"]).run().status(0);
    let status = json(&project, &["cache", "status"]);
    let image = status["seeds"][0]["cache_image"].as_str().unwrap();
    let layer = json(&project, &["cache", "inspect", image]);
    assert_eq!(layer["instance"], "main");
    assert_eq!(layer["base_image"], status["base_image"]);
    assert_eq!(layer["seeds"].as_array().unwrap().len(), 1);
    assert_eq!(layer["seeds"][0]["description"], "schema.sql");
    on_host(&project, &["cache", "inspect", image]).run().status(0).stderr("").stdout(&format!(
        "layer: {image}\nid: [..]\ncreated: 20[..]Z\nsize: [..]\nmade by: pg-ephemeral [..]\ninstance: main\n\
         base image: [..]\nuser: postgres\ndatabase: postgres\nseeds:\n NAME [..] TYPE [..] DESCRIPTION [..] HASH\n \
         schema [..] sql-file [..] schema.sql [..]\n"
    ));
    on_host(&project, &["cache", "inspect", "no/such:1"]).run().status(1).stdout("").stderr(
        "error: there is no image no/such:1\nhint: `pg-ephemeral cache status` names the layers of an instance\n",
    );
}

#[test]
fn cache_credentials_prints_those_of_a_seed_or_of_the_deepest_layer() {
    let project = seeded();
    on_host(&project, &["cache", "credentials"]).run().status(1).stdout("").stderr(
        "error: there is no layer of the instance main\nhint: `pg-ephemeral cache populate` builds what is missing\n",
    );
    on_host(&project, &["-q", "cache", "populate"]).run().status(0);
    on_host(&project, &["cache", "credentials"])
        .run()
        .status(0)
        .stderr("")
        .stdout("layer: pg-ephemeral/main:[..]\nuser: postgres\ndatabase: postgres\npassword: [..]\n");
    let schema = json(&project, &["cache", "credentials", "--seed-name", "schema"]);
    let deepest = json(&project, &["cache", "credentials"]);
    assert_ne!(schema["password"], deepest["password"]);
    assert_eq!(deepest["password"].as_str().unwrap().len(), 64);
    let uncached = on_host(&project, &["cache", "credentials", "--seed-name", "clock"]).run();
    uncached.status(1).stdout("").stderr("error: seed clock has no layer: its cache is `none`\n");
}

#[test]
fn cache_reset_prints_the_removed_layers_or_that_there_were_none() {
    let project = seeded();
    on_host(&project, &["cache", "reset"]).run().status(0).stdout("").stderr("there was no layer\n");
    on_host(&project, &["-q", "cache", "populate"]).run().status(0);
    let removed = "removed pg-ephemeral/main:[..]\n".repeat(3);
    on_host(&project, &["cache", "reset"]).run().status(0).stdout(&removed).stderr("");
    assert_eq!(json(&project, &["cache", "reset"]), json!({"removed": [], "in_use": [], "servers": []}));
}

#[test]
fn cache_reset_fails_if_a_layer_is_in_use() {
    let project = seeded();
    let command = "cache reset --backend host -q; echo status $?";
    let inner = format!("\"{}\" {command}", project.binary().display());
    let ran = on_host(&project, &["-q", "run-env", "--", "sh", "-c", &inner]).run();
    ran.status(0).stdout("removed pg-ephemeral/main:[..]\nremoved pg-ephemeral/main:[..]\nstatus 1\n");
    ran.stderr(
        "error: servers run on pg-ephemeral/main:[..]\nhint: stop them (`pg-ephemeral list` shows them), or `cache reset \
         --force` removes them with the layers\n",
    );
}

#[test]
fn cache_prune_selects_layers_by_age_and_by_number() {
    let project = seeded();
    on_host(&project, &["-q", "cache", "populate"]).run().status(0);
    on_host(&project, &["cache", "prune"]).run().status(0).stdout("").stderr("nothing was to be removed\n");
    let young = on_host(&project, &["cache", "prune", "--older-than", "1h", "--keep", "0"]).run();
    young.status(0).stdout("").stderr("nothing was to be removed\n");
    let pruned = json(&project, &["cache", "prune", "--keep", "1"]);
    assert_eq!((pruned["removed"].as_array().unwrap().len(), &pruned["in_use"]), (2, &json!([])));
    let wrong = on_host(&project, &["cache", "prune", "--older-than", "old"]).run();
    wrong.status(2).stdout("").stderr("error: invalid value 'old' for '--older-than <DURATION>': [..]\n...\n");
}

#[test]
fn pull_and_push_need_a_registry_and_an_engine() {
    let project = seeded();
    on_host(&project, &["cache", "push"]).run().status(1).stdout("").stderr(
        "error: no registry is set for layers\nhint: set cache_registry in database.toml, or --cache-registry\n",
    );
    for word in ["push", "pull"] {
        let ran = on_host(&project, &["cache", word, "--cache-registry", "127.0.0.1:5000"]).run();
        let message = format!("error: the host backend can't {word} layers\nhint: use docker or podman\n");
        ran.status(1).stdout("").stderr(&message);
    }
}
