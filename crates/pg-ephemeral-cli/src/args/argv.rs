//! Decides which options after `psql`, `schema-dump` and `pgbench` are pg-ephemeral's. Its long options may stand there. Everything else,
//! such as `-v` and `-q`, which psql has too, is passed to the tool, as if `--` stood before it.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};

use clap::CommandFactory;

use super::Arguments;

/// Commands that pass unknown options to a tool.
const TOOLS: [&str; 3] = ["psql", "schema-dump", "pgbench"];
/// Commands that stand before another command.
const PREFIXES: [&str; 3] = ["host", "container", "session"];

/// Inserts `--` before the first argument that belongs to the tool.
pub(crate) fn separate_tool_arguments(argv: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut argv: Vec<OsString> = argv.into_iter().collect();
    if let Some(index) = index_of_tool_arguments(&argv) {
        argv.insert(index, OsString::from("--"));
    }
    argv
}

fn index_of_tool_arguments(argv: &[OsString]) -> Option<usize> {
    let options = long_options();
    let mut is_behind_tool = false;
    let mut index = 1;
    while let Some(word) = argv.get(index).and_then(|word| word.to_str()) {
        if let Some(length) = length_of_option(word, &options) {
            index += length;
        } else if is_behind_tool {
            break;
        } else if TOOLS.contains(&word) {
            is_behind_tool = true;
            index += 1;
        } else if PREFIXES.contains(&word) || (word.starts_with('-') && word != "--") {
            index += 1;
        } else {
            return None;
        }
    }
    let own = argv.get(index..).unwrap_or_default();
    let asks_for_help = own.first().is_some_and(|word| word == "--help") || own == [OsStr::new("-h")];
    let is_apart = own.is_empty() || own.first().is_some_and(|word| word == "--");
    (is_behind_tool && !is_apart && !asks_for_help).then_some(index)
}

/// Returns pg-ephemeral's long options with the number of words that each takes if its value does not follow a `=`.
fn long_options() -> HashMap<String, usize> {
    let command = Arguments::command();
    let sessions = command.find_subcommand("session").into_iter().flat_map(clap::Command::get_arguments);
    let global = command.get_arguments().chain(sessions).filter(|argument| argument.is_global_set());
    let with_length = |argument: &clap::Arg| {
        let length = if argument.get_action().takes_values() { 2 } else { 1 };
        argument.get_long().map(|name| (name.to_owned(), length))
    };
    global.filter_map(with_length).collect()
}

fn length_of_option(word: &str, options: &HashMap<String, usize>) -> Option<usize> {
    let name = word.strip_prefix("--")?;
    match name.split_once('=') {
        Some((name, _)) => options.get(name).map(|_| 1),
        None => options.get(name).copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> String {
        let argv = separate_tool_arguments(line.split(' ').map(OsString::from));
        let argv: Vec<String> = argv.into_iter().map(|argument| argument.into_string().unwrap()).collect();
        argv.join(" ")
    }

    #[test]
    fn short_options_after_a_tool_belong_to_the_tool() {
        assert_eq!(split("x psql -v A=1 -q"), "x psql -- -v A=1 -q");
        assert_eq!(split("x -q host psql -q"), "x -q host psql -- -q");
        assert_eq!(split("x --instance psql container pgbench -i"), "x --instance psql container pgbench -- -i");
        assert_eq!(split("x --image=17 schema-dump --no-owner"), "x --image=17 schema-dump -- --no-owner");
        assert_eq!(split("x psql mydb"), "x psql -- mydb");
    }

    #[test]
    fn long_options_of_pg_ephemeral_may_stand_before_those_of_the_tool() {
        assert_eq!(split("x psql --backend host -c 1"), "x psql --backend host -- -c 1");
        assert_eq!(split("x psql --backend=host --timings"), "x psql --backend=host --timings");
        assert_eq!(split("x psql -c 1 --backend host"), "x psql -- -c 1 --backend host");
        assert_eq!(split("x psql --quiet -q"), "x psql --quiet -- -q");
        assert_eq!(split("x session psql --name a -At"), "x session psql --name a -- -At");
    }

    #[test]
    fn a_command_line_with_a_separator_or_another_command_is_not_changed() {
        for line in
            ["x", "x psql", "x psql -- -q", "x psql -h", "x psql --help", "x run-env -q psql", "x list -q", "x -- a"]
        {
            assert_eq!(split(line), line);
        }
        assert_eq!(split("x psql -h elsewhere"), "x psql -- -h elsewhere");
    }
}
