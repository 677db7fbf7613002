//! The commands in the READMEs of examples, as they stand there, and what they print.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::project;

/// The blocks of a README that are in a language, each with the block after it when that shows what it prints.
fn commands(readme: &str) -> Vec<(String, Option<String>)> {
    let blocks: Vec<(&str, &str)> =
        readme.split("```").skip(1).step_by(2).map(|block| block.split_once('\n').unwrap()).collect();
    let printed = |at: usize| blocks.get(at + 1).filter(|(language, _)| *language == "text");
    let with_output =
        |(at, (_, text)): (usize, &(&str, &str))| ((*text).to_owned(), printed(at).map(|(_, text)| (*text).to_owned()));
    blocks.iter().enumerate().filter(|(_, (language, _))| *language == "sh").map(with_output).collect()
}

/// Runs the commands of an example's README in a copy of it.
fn run(example: &str) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(example);
    let project = project();
    let copied = Command::new("cp").args(["-R", "--"]).arg(source.join(".")).arg(project.folder()).status();
    assert!(copied.unwrap().success());
    let readme = fs::read_to_string(source.join("README.md")).unwrap();
    let commands = commands(&readme);
    assert!(!commands.is_empty(), "{example} shows no command");
    for (script, printed) in commands {
        let script: String =
            script.lines().filter(|line| !line.starts_with("cd examples/")).map(|line| format!("{line}\n")).collect();
        let whole = format!(
            "set -e\npg-ephemeral() {{ '{}' --backend host -q \"$@\"; }}\n{script}",
            project.binary().display()
        );
        let ran = project.command(["-c", &whole]).program("/bin/bash").run();
        ran.status(0).stderr("");
        if let Some(printed) = printed {
            ran.stdout(&printed);
        }
    }
    project.assert_nothing_left();
}

#[test]
fn without_a_configuration() {
    run("no-configuration");
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
fn every_example_is_listed_in_the_readme() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    for example in fs::read_dir(root.join("examples")).unwrap() {
        let name = example.unwrap().file_name().into_string().unwrap();
        assert!(readme.contains(&format!("examples/{name}")), "{name} is not in the README");
    }
}
