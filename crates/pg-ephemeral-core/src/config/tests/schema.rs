//! Checks that the JSON Schema and the reader accept the same keys.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::config::{Config, Problem, schema};
use crate::model::seed::spec::{CacheStrategy, SeedSpec};

/// Returns the keys that the reader accepts in the table that contains the key `nonsense`.
fn valid_keys(text: &str) -> BTreeSet<String> {
    let diagnostics = Config::parse(text, "database.toml").unwrap_err();
    let valid = diagnostics.iter().find_map(|diagnostic| match diagnostic.problem() {
        Problem::UnknownKey { key, valid, .. } if key == "nonsense" => Some(valid),
        _ => None,
    });
    valid.unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn the_committed_schema_is_the_current_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/database.schema.json");
    let committed: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(committed, schema(), "write it anew: pg-ephemeral config schema >docs/database.schema.json");
}

fn properties(schema: &Value) -> BTreeSet<String> {
    assert_eq!(schema["additionalProperties"], Value::Bool(false));
    schema["properties"].as_object().unwrap().keys().cloned().collect()
}

fn variant<'a>(schema: &'a Value, name: &str) -> &'a Value {
    let variants = schema["oneOf"].as_array().unwrap();
    variants.iter().find(|variant| variant["properties"]["type"]["const"] == name).unwrap()
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn the_schema_knows_the_keys_of_the_reader() {
    let schema = schema();
    let definitions = &schema["$defs"];
    assert_eq!(properties(&schema), valid_keys("nonsense = 1"));
    assert_eq!(properties(&definitions["instance"]), valid_keys("[instances.main]\nnonsense = 1"));
    assert_eq!(properties(&definitions["ssl_config"]), valid_keys("[ssl_config]\nnonsense = 1"));
}

#[test]
fn the_schema_knows_the_keys_of_every_seed() {
    let schema = schema();
    let seeds = &schema["$defs"]["seed"];
    assert_eq!(seeds["oneOf"].as_array().unwrap().len(), SeedSpec::TYPE_NAMES.len());
    for name in SeedSpec::TYPE_NAMES {
        let text = format!("[instances.main.seeds.x]\ntype = '{name}'\nnonsense = 1");
        assert_eq!(properties(variant(seeds, name)), valid_keys(&text), "{name}");
    }
    let csv_file = variant(seeds, "csv-file");
    let text = "[instances.main.seeds.x]\ntype = 'csv-file'\ntable = { nonsense = 1 }";
    assert_eq!(properties(&csv_file["properties"]["table"]), valid_keys(text));
}

#[test]
fn the_schema_knows_the_keys_of_every_cache_strategy() {
    let schema = schema();
    let strategies = &schema["$defs"]["cache"];
    assert_eq!(strategies["oneOf"].as_array().unwrap().len(), CacheStrategy::TYPE_NAMES.len());
    for name in CacheStrategy::TYPE_NAMES {
        let text = format!("[instances.main.seeds.x]\ntype = 'script'\ncache = {{ type = '{name}', nonsense = 1 }}");
        assert_eq!(properties(variant(strategies, name)), valid_keys(&text), "{name}");
    }
}

#[test]
fn every_reference_in_the_schema_has_a_target() {
    let schema = schema();
    let mut found = Vec::new();
    references(&schema, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(schema.pointer(pointer).is_some(), "{reference}");
    }
}
