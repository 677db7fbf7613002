//! Runs the commands in the README of an example, unchanged, in a copy of the example.

use std::path::{Path, PathBuf};
use std::process::Command;

use pg_ephemeral_testkit::Project;

use super::AMPLE;
use super::markdown::{Block, Document};

/// Returns the folder of an example.
pub fn folder(example: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(example)
}

/// Copies an example into a project's folder.
#[track_caller]
pub fn copy(example: &str, project: &Project) {
    let copied = Command::new("cp").args(["-R", "--"]).arg(folder(example).join(".")).arg(project.folder()).status();
    assert!(copied.unwrap().success());
}

/// Returns the blocks of commands in a README, each with the expected output if the block after it shows one.
fn commands(readme: &Document) -> Vec<(String, Option<String>)> {
    let blocks: Vec<&Block> = readme.blocks().collect();
    let printed = |at: usize| blocks.get(at + 1).filter(|block| block.language == "text");
    let with_output = |(at, block): (usize, &&Block)| (block.text.clone(), printed(at).map(|block| block.text.clone()));
    blocks.iter().enumerate().filter(|(_, block)| block.language == "sh").map(with_output).collect()
}

/// Runs the commands of an example's README in its copy. Each `pg-ephemeral` gets `options`.
#[track_caller]
pub fn run(example: &str, project: &Project, options: &str) {
    let commands = commands(&Document::read(folder(example).join("README.md")));
    assert!(!commands.is_empty(), "{example} shows no command");
    for (script, printed) in commands {
        let script: String =
            script.lines().filter(|line| !line.starts_with("cd examples/")).map(|line| format!("{line}\n")).collect();
        let binary = project.binary().display();
        let whole = format!("set -e\npg-ephemeral() {{ '{binary}' {options} -q \"$@\"; }}\n{script}");
        let ran = project.command(["-c", &whole]).program("/bin/bash").limit(2 * AMPLE).run();
        ran.status(0).stderr("");
        if let Some(printed) = printed {
            ran.stdout(&printed);
        }
    }
}
