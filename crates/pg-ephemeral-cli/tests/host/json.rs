//! Tests that `--format json` prints exactly the fields that `docs/json.md` documents.

use crate::support::{on_host, warm_project};
use pg_ephemeral_testkit::Project;
use serde_json::Value;

const CONFIG: &str = r#"
[instances.main.parameters]
work_mem = "16MB"
[instances.main.seeds.schema]
type = "sql-statement"
statement = "create table t (a int)"
[instances.main.seeds.clock]
type = "script"
script = "true"
cache = { type = "none" }
"#;

/// Returns each command of the document and its example, in the order of the document.
fn documented() -> Vec<(String, Value)> {
    let text = include_str!("../../../../docs/json.md");
    let section = |section: &str| {
        let (command, rest) = section.split_once('`').unwrap();
        let (_, example) = rest.split_once("```json\n").unwrap();
        let (example, _) = example.split_once("```").unwrap();
        (command.to_owned(), serde_json::from_str(example).unwrap_or_else(|error| panic!("{command}: {error}")))
    };
    text.split("\n## `").skip(1).map(section).collect()
}

/// Compares the names and the nesting of fields. `null` on either side matches any value. Of two arrays, only the first
/// elements are compared.
fn assert_same_fields(place: &str, example: &Value, printed: &Value) {
    match (example, printed) {
        (Value::Object(example), Value::Object(printed)) => {
            let (promised, there): (Vec<_>, Vec<_>) = (example.keys().collect(), printed.keys().collect());
            assert_eq!(promised, there, "the fields of {place} in docs/json.md, and those that are printed");
            for (key, value) in example {
                assert_same_fields(&format!("{place} {key}"), value, &printed[key]);
            }
        }
        (Value::Array(example), Value::Array(printed)) => {
            if let (Some(example), Some(printed)) = (example.first(), printed.first()) {
                assert_same_fields(place, example, printed);
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        (example, printed) => {
            let same = std::mem::discriminant(example) == std::mem::discriminant(printed);
            assert!(same, "{place} is {printed}, and {example} in docs/json.md");
        }
    }
}

fn print(project: &Project, words: &[&str]) -> Value {
    let ran = on_host(project, &[&["-q", "--format", "json"], words].concat()).run();
    ran.status(0);
    serde_json::from_slice(ran.stdout_bytes()).unwrap()
}

/// Leaves a server for `gc` to remove, by killing the command that started it.
fn leave_a_server(project: &Project) {
    let mut started =
        on_host(project, &["-q", "psql", "-At"]).input("select 'ready';\nselect pg_sleep(1000);\n").start();
    started.wait_for("ready");
    started.signal(rustix::process::Signal::KILL);
    started.wait();
}

#[test]
fn every_command_prints_the_fields_that_are_documented() {
    let project = warm_project().file("database.toml", CONFIG);
    on_host(&project, &["-q", "cache", "populate"]).run().status(0);
    let documented = documented();
    assert!(documented.len() > 12, "{}", documented.len());
    for (command, example) in documented {
        let layer = || print(&project, &["cache", "status"])["seeds"][0]["cache_image"].as_str().unwrap().to_owned();
        let words: Vec<String> = command
            .split(' ')
            .map(|word| match word {
                "REF" => layer(),
                "NAME" => "review".to_owned(),
                word => word.to_owned(),
            })
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        assert_same_fields(&command, &example, &print(&project, &words));
    }
    project.assert_nothing_left();
}

#[test]
fn gc_prints_the_documented_fields_of_removed_servers() {
    let project = warm_project();
    leave_a_server(&project);
    let (_, example) = documented().into_iter().find(|(command, _)| command == "gc").unwrap();
    let removed = print(&project, &["gc"]);
    assert_eq!(removed.as_array().unwrap().len(), 1, "{removed}");
    assert_same_fields("gc", &example, &removed);
}
