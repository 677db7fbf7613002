//! The pages for users: README.md and the pages of the book. Comments in a page tell the tests how to treat it:
//!
//! - `<!-- not run: REASON -->` before a block of commands: the block is not run.
//! - `<!-- file: NAME -->` before a block: the block is written to a file of this name.
//! - `<!-- setup: COMMANDS -->`: the commands are run, and their output is ignored.
//! - `<!-- not a database.toml -->` before a block of TOML: the block is not checked as a configuration.

use std::path::{Path, PathBuf};

use pg_ephemeral_testkit::Project;

use super::AMPLE;
use super::markdown::{self, Block, Document, Part};

/// Returns the paths of all pages, relative to the repository.
pub fn all() -> Vec<PathBuf> {
    let book = markdown::files(&markdown::repository().join("docs"));
    std::iter::once(PathBuf::from("README.md")).chain(book.iter().map(|page| Path::new("docs").join(page))).collect()
}

/// Returns `true` if a block has commands that are run.
pub fn is_run(block: &Block) -> bool {
    block.language == "sh" && !is_noted(block, "not run:")
}

fn is_noted(block: &Block, start: &str) -> bool {
    block.note.as_deref().is_some_and(|note| note.starts_with(start))
}

/// Separates the output of one block from that of the next.
const SEPARATOR: char = '\u{1e}';

/// Returns a script of all commands of a page, and for each block the expected output if the page shows it.
fn script(page: &Document) -> (String, Vec<Option<String>>) {
    let mut script = "set -e\n".to_owned();
    let mut printed = Vec::new();
    let mut parts = page.parts.iter().peekable();
    while let Some(part) = parts.next() {
        match part {
            Part::Comment(comment) => {
                let Some(commands) = comment.strip_prefix("setup:") else { continue };
                script.push_str(&format!("{{ {commands}\n}} >/dev/null\n"));
            }
            Part::Block(block) if is_run(block) => {
                script.push_str(&format!("echo '{SEPARATOR}'\n{}", block.text));
                let next = match parts.peek() {
                    Some(Part::Block(next)) if next.language == "text" => Some(next.text.clone()),
                    _ => None,
                };
                printed.push(next);
            }
            Part::Block(block) => {
                let Some(name) = block.note.as_deref().and_then(|note| note.strip_prefix("file:")) else { continue };
                script.push_str(&format!("cat >'{}' <<'END OF FILE'\n{}END OF FILE\n", name.trim(), block.text));
            }
        }
    }
    (script, printed)
}

/// Runs all commands of a page in one shell in a project, on the host backend.
#[track_caller]
pub fn run(page: &str, project: &Project) {
    let (script, printed) = script(&Document::read(page));
    let programs = project.root().join("programs");
    std::fs::create_dir(&programs).unwrap();
    std::os::unix::fs::symlink(project.binary(), programs.join("pg-ephemeral")).unwrap();
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{}:{path}", programs.display(), project.folder().join("bin").display());
    let ran = project
        .command(["-c", &script])
        .program("/bin/bash")
        .variable("PATH", path)
        .variable("OCIMAN_BACKEND", "host")
        .limit(4 * AMPLE)
        .run();
    ran.status(0);
    let text = ran.stdout_text();
    let outputs: Vec<&str> = text.split(&format!("{SEPARATOR}\n")).skip(1).collect();
    assert_eq!(outputs.len(), printed.len(), "{text}");
    for (output, printed) in outputs.into_iter().zip(printed) {
        if let Some(printed) = printed {
            assert_eq!(output, printed, "{page} shows another output");
        }
    }
}
