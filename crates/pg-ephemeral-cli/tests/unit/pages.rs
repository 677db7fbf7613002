//! Tests that the configurations and commands in README.md and in the book are valid. The host tier runs the commands.

use std::collections::BTreeSet;

use crate::support::markdown::Document;
use crate::support::{pages, project};

#[test]
fn each_configuration_that_a_page_shows_is_valid() {
    let mut checked = 0;
    for page in pages::all() {
        for block in Document::read(&page).blocks().filter(|block| block.language == "toml") {
            if block.note.as_deref() == Some("not a database.toml") {
                continue;
            }
            let project = project().database_toml(&block.text);
            let ran = project.command(["config", "show"]).run();
            assert_eq!(ran.code(), 0, "{}:{}: {}", page.display(), block.line, ran.stderr_text());
            checked += 1;
        }
    }
    assert!(checked > 10, "{checked}");
}

/// Returns the command and its subcommand from the text after `pg-ephemeral `. Every option before the command is
/// expected to have a value.
fn subcommands(arguments: &str) -> Vec<&str> {
    let mut words = arguments.split_whitespace().peekable();
    while words.next_if(|word| word.starts_with("--")).is_some() {
        words.next();
    }
    let is_name = |word: &&str| word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-');
    words.take_while(|word| is_name(word) && !word.starts_with('-')).take(2).collect()
}

#[test]
fn each_command_that_a_page_shows_exists() {
    let mut commands = BTreeSet::new();
    for page in pages::all() {
        for block in Document::read(&page).blocks().filter(|block| block.language == "sh") {
            let lines = block.text.lines().filter_map(|line| line.trim_start().strip_prefix("pg-ephemeral "));
            commands.extend(lines.map(|line| subcommands(line).join(" ")));
        }
    }
    assert!(commands.len() > 30, "{commands:?}");
    let project = project();
    for command in commands {
        project.command(command.split(' ').chain(["--help"])).run().status(0);
    }
}
