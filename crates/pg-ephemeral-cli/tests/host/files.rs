//! Tests of `files` of seeds: which changes run a script or a command again, and the warning about files outside the
//! key.

use std::fs;

use crate::support::markdown::Document;
use crate::support::{make_executable, on_host, warm_project};
use pg_ephemeral_testkit::Project;

/// Returns the configuration with the seed `migrate` from `docs/seeds.md`.
fn configuration_of_the_page() -> String {
    let page = Document::read("docs/seeds.md");
    let mut blocks = page.blocks().filter(|block| block.language == "toml");
    blocks.find(|block| block.text.contains("[instances.main.seeds.migrate]")).unwrap().text.clone()
}

/// Creates the project of that page. Each migration records its file name in the table `done`.
fn project_of_the_page() -> Project {
    let project = warm_project()
        .file("database.toml", configuration_of_the_page())
        .file("schema.sql", "create table countries (code text, name text);\ncreate table done (file text);\n")
        .file("countries.csv", "code,name\nde,Germany\n")
        .file("migrations/1.sql", "select 1;\n")
        .file("migrations/2.sql", "select 2;\n");
    write_migrate(&project, "");
    project
}

fn write_migrate(project: &Project, note: &str) {
    let script = format!(
        "#!/bin/sh\nset -e\nfor file in migrations/*.sql; do\n    psql -qXAt -v ON_ERROR_STOP=1 -f \"$file\" >/dev/null\n    \
         psql -qXc \"insert into done values ('$file{note}')\"\ndone\n"
    );
    project.write("migrate.sh", script);
    make_executable(&project.folder().join("migrate.sh"));
}

const RUNS: &str = "pg-ephemeral: seed 3 of 3: migrate\n";

#[track_caller]
fn assert_populate(project: &Project, stderr: &str) {
    on_host(project, &["cache", "populate"]).run().status(0).stdout("").stderr(stderr);
}

#[track_caller]
fn assert_done(project: &Project, files: &str) {
    let query = "select file from done order by file";
    on_host(project, &["host", "psql", "-XAtc", query]).run().status(0).stdout(files).stderr("");
}

#[test]
fn a_command_seed_runs_again_when_its_script_or_a_migration_changes() {
    let project = project_of_the_page();
    on_host(&project, &["config", "check"]).run().status(0).stderr("");
    assert_populate(&project, &format!("...\n{RUNS}"));
    assert_done(&project, "migrations/1.sql\nmigrations/2.sql\n");
    assert_populate(&project, "");

    write_migrate(&project, " again");
    assert_populate(&project, RUNS);
    assert_done(&project, "migrations/1.sql again\nmigrations/2.sql again\n");

    let migrations = project.folder().join("migrations");
    fs::rename(migrations.join("2.sql"), migrations.join("3.sql")).unwrap();
    assert_populate(&project, RUNS);
    assert_done(&project, "migrations/1.sql again\nmigrations/3.sql again\n");

    project.write("migrations/3.sql", "select 3;\n");
    assert_populate(&project, RUNS);
    project.write("migrations/README", "not a migration\n");
    assert_populate(&project, "");
    project.assert_nothing_left();
}

const SCRIPT: &str = r#"
[instances.main.seeds.shelf]
type = "script"
script = "psql -qX -v ON_ERROR_STOP=1 -f seed.sql"
"#;

fn shelf(rows: &str) -> String {
    format!("create table shelf (id int);\ncopy shelf from stdin;\n{rows}\\.\n")
}

#[test]
fn a_script_seed_runs_again_when_a_file_in_files_changes() {
    let project = warm_project()
        .file("database.toml", format!("{SCRIPT}files = [\"seed.sql\"]\n"))
        .file("seed.sql", shelf("1\n"));
    let query = ["-q", "host", "psql", "-XAtc", "select id from shelf order by id"];
    on_host(&project, &query).run().status(0).stdout("1\n").stderr("");
    project.write("seed.sql", shelf("1\n2\n"));
    on_host(&project, &query).run().status(0).stdout("1\n2\n").stderr("");
    project.assert_nothing_left();
}

#[test]
fn the_first_start_warns_of_a_file_that_no_key_covers_and_the_next_does_not() {
    let project = warm_project().file("database.toml", SCRIPT).file("seed.sql", shelf("1\n"));
    let query = ["host", "psql", "-XAtc", "select id from shelf"];
    on_host(&project, &query).run().status(0).stdout("1\n").stderr(
        "...\nwarning: seed \"shelf\" of instance main uses seed.sql, which is not part of its cache key; \
         the seed does not run again when it changes\n\
         hint: add this line to the seed: files = [\"seed.sql\"]\n\
         pg-ephemeral: seed 1 of 1: shelf\n",
    );
    on_host(&project, &query).run().status(0).stdout("1\n").stderr("");

    on_host(&project, &["-q", "cache", "reset"]).run().status(0);
    on_host(&project, &["-q", "cache", "populate"]).run().status(0).stdout("").stderr("");
    project.assert_nothing_left();
}

#[test]
fn a_glob_that_matches_no_file_stops_the_start_and_names_the_seed() {
    let project = warm_project().file("database.toml", format!("{SCRIPT}files = [\"*.sql\"]\n"));
    on_host(&project, &["cache", "populate"]).run().status(1).stdout("").stderr(
        "error: failed to read seed \"shelf\"\n\
         caused by: no file matches \"*.sql\"\n\
         hint: globs start from the folder of database.toml, and match hidden files only where they name the leading dot\n",
    );
    project.assert_nothing_left();
}
