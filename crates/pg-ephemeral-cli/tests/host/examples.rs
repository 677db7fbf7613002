//! Runs the commands in the READMEs of the examples and compares their output with the READMEs.

use std::fs;
use std::path::Path;

use crate::support::{readme, warm_project};

fn run(example: &str) {
    let project = warm_project();
    readme::copy(example, &project);
    readme::run(example, &project, "--backend host");
    project.assert_nothing_left();
}

#[test]
fn without_a_configuration() {
    run("no-configuration");
}

#[test]
fn a_dump_and_a_script_that_includes_another() {
    run("bring-your-data");
}

#[test]
fn rows_from_csv_files() {
    run("csv");
}

#[test]
fn several_instances() {
    run("instances");
}

#[test]
fn a_test_suite_under_run_env() {
    run("test-suite");
}

#[test]
fn a_rental_shop() {
    run("rental");
}

#[test]
fn a_session_that_is_put_back_to_a_snapshot() {
    run("sessions");
}

#[test]
fn every_example_is_listed_in_the_readme() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    for example in fs::read_dir(root.join("examples")).unwrap() {
        let name = example.unwrap().file_name().into_string().unwrap();
        assert!(readme.contains(&format!("examples/{name}")), "{name} is not in the README");
    }
}
