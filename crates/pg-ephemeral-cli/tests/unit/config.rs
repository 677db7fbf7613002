//! Tests of `config …` and `init`. No test here starts a server.

use std::fs;
use std::os::unix::fs::PermissionsExt;

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
fn config_check_summarises_a_valid_configuration() {
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
    assert_eq!(checked, json!({"file": "[ROOT]/work/database.toml", "instances": instances, "warnings": []}));
}

#[test]
fn config_check_names_a_missing_seed_file() {
    let project = project().file("database.toml", CONFIG);
    project.command(["config", "check"]).run().status(1).stdout("").stderr(
        "error: seed schema of main: no file db/schema.sql\nhint: paths start from the folder of the configuration\n",
    );
}

#[test]
fn a_configuration_from_a_pipe_is_refused_with_a_hint() {
    let project = project();
    let script = format!("{} --config-file <(printf 'image = \"17\"') config check", project.binary().display());
    project.command(["-c", &script]).program("bash").run().status(1).stdout("").stderr(
        "error: the configuration /dev/fd/[..] is a pipe, not a file\n\
         hint: relative paths start from the folder of the configuration, which a pipe does not have: write it to a file and \
         name that by --config-file\n",
    );
}

const SCRIPTS: &str = r#"
[instances.main.seeds.migrate]
type = "command"
command = "./migrate.sh"
[instances.main.seeds.load]
type = "script"
script = "psql -f data.sql"
files = ["data.sql"]
"#;

#[test]
fn a_seed_file_outside_the_cache_key_is_a_warning_with_the_line_to_add() {
    let project = project().file("database.toml", SCRIPTS).file("migrate.sh", "").file("data.sql", "");
    let stdout = "[ROOT]/work/database.toml: valid\nmain: 2 seeds\n";
    let message = "seed \"migrate\" of instance main uses migrate.sh, which is not part of its cache key; \
                   the seed does not run again when it changes";
    let line = "files = [\"migrate.sh\"]";
    let stderr = format!("warning: {message}\nhint: add this line to the seed: {line}\n");
    project.command(["config", "check"]).run().status(0).stdout(stdout).stderr(&stderr);
    project.command(["-q", "config", "check"]).run().status(0).stdout(stdout).stderr("");

    let ran = project.command(["config", "check", "--format", "json"]).run();
    ran.status(0).stderr("");
    let checked: Value = serde_json::from_str(&ran.stdout_text()).unwrap();
    let warning =
        json!({"instance": "main", "seed": "migrate", "named": ["migrate.sh"], "message": message, "line": line});
    assert_eq!(checked["warnings"], json!([warning]));

    project.write("database.toml", SCRIPTS.replace("\"./migrate.sh\"", &format!("\"./migrate.sh\"\n{line}")));
    project.command(["config", "check"]).run().status(0).stdout(stdout).stderr("");
}

#[test]
fn a_glob_that_matches_no_file_is_an_error_that_names_it() {
    let project = project().file("database.toml", SCRIPTS).file("migrate.sh", "");
    project.command(["config", "check"]).run().status(1).stdout("").stderr(
        "error: seed load of main: no file matches data.sql\nhint: paths start from the folder of the configuration\n",
    );
    let ran = project.command(["config", "show"]).run();
    ran.status(0);
    assert!(ran.stdout_text().ends_with("seed 1: migrate (command)\nseed 2: load (script), files data.sql\n"));
}

#[test]
fn config_check_shows_a_mistake_with_its_position() {
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
fn config_show_prints_each_value_with_its_origin() {
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
 locale                    en_US.utf8    default
 encoding                  UTF8          default
 locale_provider           libc          default
 parameters.jit            off           command line
 parameters.log_statement  all           top level
 parameters.work_mem       2MB           instance
seed 1: schema (sql-file)
",
    );
}

#[test]
fn config_show_prints_values_and_origins_as_json() {
    let project = project().file("database.toml", CONFIG).file("db/schema.sql", "");
    let ran = project.command(["config", "show", "--format", "json"]).run();
    let shown: Value = serde_json::from_str(&ran.stdout_text()).unwrap();
    assert_eq!(shown["settings"]["database"], json!({"value": "shop", "origin": "instance"}));
    assert_eq!(shown["parameters"]["work_mem"], json!({"value": "2MB", "origin": "instance"}));
    assert_eq!(shown["seeds"], json!([{"name": "schema", "type": "sql-file", "files": []}]));
    assert_eq!(shown["folder"], "[ROOT]/work");
}

#[test]
fn config_schema_prints_the_committed_schema() {
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/database.schema.json");
    project().command(["config", "schema"]).run().status(0).stderr("").stdout(&fs::read_to_string(committed).unwrap());
}

#[test]
fn init_writes_a_file_with_the_defaults_and_overwrites_no_file() {
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

#[test]
fn a_single_instance_is_chosen_by_default_and_several_need_a_choice() {
    let project = project().file("database.toml", "[instances.shop]\n");
    let shown = |first: &str| format!("instance {first}, configuration [ROOT]/work/database.toml\n...\n");
    project.command(["config", "show"]).run().status(0).stdout(&shown("shop"));

    project.write("database.toml", "[instances.shop]\n[instances.reports]\n");
    project.command(["config", "show"]).run().status(1).stdout("").stderr(
        "error: no instance is selected: there are shop, reports\n\
         hint: choose one by --instance, PG_EPHEMERAL_INSTANCE, or default_instance at the top level of the configuration\n",
    );
    project.command(["config", "show", "--instance", "reports"]).run().status(0).stdout(&shown("reports"));

    project.write("database.toml", "default_instance = \"shop\"\n[instances.shop]\n[instances.reports]\n");
    let with = |name: &str| project.command(["config", "show"]).variable("PG_EPHEMERAL_INSTANCE", name).run();
    with("").status(0).stdout(&shown("shop"));
    with("reports").status(0).stdout(&shown("reports"));
    with("No").status(1).stdout("").stderr(
        "error: PG_EPHEMERAL_INSTANCE is \"No\"\n\
         caused by: name has 'N' at byte 0, allowed are lower-case ASCII letters, digits and inner dashes\n\
         hint: set it to the name of an instance, or unset it\n",
    );
}

#[test]
fn a_configuration_in_a_parent_folder_that_others_can_write_is_refused_unless_named_explicitly() {
    let project = project().file("database.toml", CONFIG).file("db/schema.sql", "");
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(project.folder(), open).unwrap();
    let inner = project.folder().join("db");
    let refusal = "error: refused to use [ROOT]/work/database.toml, which was found in a parent folder\n\
                   caused by: other users can write to [ROOT]/work (mode 777)\n\
                   hint: if you trust it, name it: `--config-file [ROOT]/work/database.toml`; \
                   `--no-config-file` does without it\n";
    for words in ["", "run-env true", "list", "gc", "session list", "cache status", "config check", "meta info"] {
        let ran = project.command(words.split_whitespace()).folder(&inner).run();
        let status = if words.is_empty() || words.starts_with("run-env") { 125 } else { 1 };
        ran.status(status).stdout("").stderr(refusal);
    }
    project.command(["config", "check", "--config-file", "../database.toml"]).folder(&inner).run().status(0);
    project.command(["config", "show", "--no-config-file"]).folder(&inner).run().status(0);
    project.command(["config", "check"]).run().status(0);
    let doctor = project.command(["doctor"]).folder(&inner).run();
    assert!(doctor.stdout_text().contains(
        "missing: configuration: [ROOT]/work/database.toml: refused to use [ROOT]/work/database.toml, which was found \
         in a parent folder: other users can write to [ROOT]/work (mode 777); if you trust it, name it"
    ));
}

#[test]
fn a_command_with_arguments_and_a_folder_in_place_of_a_file_are_errors_with_hints() {
    let seed = |body: &str| format!("[instances.main.seeds.it]\n{body}\n");
    let command = seed("type = \"command\"\ncommand = \"npx prisma migrate deploy\"");
    let project = project().file("database.toml", &command).file("db/a.sql", "");
    project.command(["config", "check"]).run().status(1).stdout("").stderr(
        "error: seed it of main: no program \"npx prisma migrate deploy\"\n\
         hint: `command` names a program alone; its arguments go into `arguments`, or a whole command line into a script\n",
    );
    project.write("database.toml", seed("type = \"script\"\nscript = \"true\"\nfiles = [\"db\"]"));
    project.command(["config", "check"]).run().status(1).stdout("").stderr(
        "error: seed it of main: no file matches db\n\
         hint: the glob names a folder; add `/**/*` to it for all files in the folder\n",
    );
    project.write("database.toml", seed("type = \"sql-file\"\npath = \"db\""));
    project.command(["config", "check"]).run().status(1).stdout("").stderr(
        "error: seed it of main: db is a folder, not a file\n\
         hint: name a file in it; a folder that pg_dump wrote is for a seed of type dump\n",
    );
}
