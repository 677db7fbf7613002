//! Errors in seeds.

use super::errors;

fn seed_errors(body: &str) -> String {
    errors(&format!("[instances.main.seeds.one]\n{body}\n"))
}

#[test]
fn a_seed_needs_a_type() {
    insta::assert_snapshot!(seed_errors("path = 'a.sql'"), @"
    database.toml:1:1: missing key `type` in [instances.main.seeds.one]
      |
    1 | [instances.main.seeds.one]
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^
      = hint: valid values: sql-file, sql-statement, dump, csv-file, script, command, container-script
    ");
    insta::assert_snapshot!(seed_errors("type = 1"), @r#"
    database.toml:2:8: `type` must be a string, not an integer
      |
    2 | type = 1
      |        ^
      = hint: quote it: "1"
    "#);
}

#[test]
fn an_unknown_type_of_seed_is_shown_with_the_valid_ones() {
    insta::assert_snapshot!(seed_errors("type = 'sqlfile'"), @"
    database.toml:2:8: unknown value `sqlfile` for `type`
      |
    2 | type = 'sqlfile'
      |        ^^^^^^^^^
      = hint: did you mean `sql-file`? valid values: sql-file, sql-statement, dump, csv-file, script, command, container-script
    ");
}

#[test]
fn a_seed_without_a_required_key_is_an_error() {
    for (type_name, key) in [
        ("sql-file", "path"),
        ("sql-statement", "statement"),
        ("csv-file", "path"),
        ("csv-file", "table"),
        ("script", "script"),
        ("command", "command"),
        ("container-script", "script"),
    ] {
        let text = seed_errors(&format!("type = '{type_name}'"));
        let message = format!("database.toml:1:1: missing key `{key}` in [instances.main.seeds.one]\n");
        assert!(text.contains(&message), "{text}");
    }
}

#[test]
fn a_key_of_another_type_of_seed_is_unknown() {
    insta::assert_snapshot!(seed_errors("type = 'sql-file'\npath = 'a.sql'\nscript = 'true'"), @"
    database.toml:4:1: unknown key `script` in [instances.main.seeds.one]
      |
    4 | script = 'true'
      | ^^^^^^
      = hint: valid keys: type, path, git_revision, files
    ");
}

#[test]
fn a_seed_that_can_not_have_a_cache_strategy_refuses_it() {
    let bodies = [
        ("sql-file", "path = 'a'"),
        ("sql-statement", "statement = 'a'"),
        ("csv-file", "path = 'a'\ntable = { schema = 'a', table = 'b' }"),
        ("container-script", "script = 'a'"),
    ];
    for (type_name, body) in bodies {
        let text = seed_errors(&format!("type = '{type_name}'\ncache = {{ type = 'none' }}\n{body}"));
        let message = "database.toml:3:1: `cache` can't be set in [instances.main.seeds.one]: ";
        assert!(text.starts_with(message), "{text}");
        assert!(!text.contains("\n\n"), "{text}");
    }
    insta::assert_snapshot!(seed_errors("type = 'container-script'\nscript = 'a'\ncache = { type = 'none' }"), @"
    database.toml:4:1: `cache` can't be set in [instances.main.seeds.one]: only seeds of type script and command have one
      |
    4 | cache = { type = 'none' }
      | ^^^^^
    ");
}

#[test]
fn a_path_or_script_can_not_be_empty_or_contain_nul() {
    insta::assert_snapshot!(seed_errors("type = 'sql-file'\npath = ''"), @"
    database.toml:3:8: invalid value for `path`: it can't be empty
      |
    3 | path = ''
      |        ^^
    ");
    insta::assert_snapshot!(seed_errors("type = 'script'\nscript = \"a\\u0000b\""), @r#"
    database.toml:3:10: invalid value for `script`: it can't hold the NUL character
      |
    3 | script = "a\u0000b"
      |          ^^^^^^^^^^
    "#);
}

#[test]
fn a_git_revision_can_not_be_an_option_of_git() {
    insta::assert_snapshot!(seed_errors("type = 'sql-file'\npath = 'a'\ngit_revision = '--output=x'"), @"
    database.toml:4:16: invalid value for `git_revision`: a git revision can't start with `-`
      |
    4 | git_revision = '--output=x'
      |                ^^^^^^^^^^^^
    ");
}

#[test]
fn a_csv_file_needs_a_whole_table_and_a_delimiter_of_one_character() {
    insta::assert_snapshot!(
        seed_errors("type = 'csv-file'\npath = 'a'\ntable = { schema = '', name = 'x' }\ndelimiter = '||'"),
        @"
    database.toml:4:9: missing key `table` in [instances.main.seeds.one.table]
      |
    4 | table = { schema = '', name = 'x' }
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^

    database.toml:4:20: invalid value for `schema`: a PostgreSQL name can't be empty
      |
    4 | table = { schema = '', name = 'x' }
      |                    ^^

    database.toml:4:24: unknown key `name` in [instances.main.seeds.one.table]
      |
    4 | table = { schema = '', name = 'x' }
      |                        ^^^^
      = hint: valid keys: schema, table

    database.toml:5:13: invalid value for `delimiter`: a delimiter is exactly one ASCII character
      |
    5 | delimiter = '||'
      |             ^^^^
    "
    );
    insta::assert_snapshot!(seed_errors("type = 'csv-file'\npath = 'a'\ntable = 'public.users'"), @"
    database.toml:4:9: `table` must be a table, not a string
      |
    4 | table = 'public.users'
      |         ^^^^^^^^^^^^^^
    ");
}

#[test]
fn arguments_are_strings() {
    insta::assert_snapshot!(seed_errors("type = 'command'\ncommand = 'a'\narguments = ['b', 1, \"\\u0000\"]"), @r#"
    database.toml:4:19: `arguments` must be an array of strings, not an integer
      |
    4 | arguments = ['b', 1, "\u0000"]
      |                   ^

    database.toml:4:22: invalid value for `arguments`: it can't hold the NUL character
      |
    4 | arguments = ['b', 1, "\u0000"]
      |                      ^^^^^^^^
    "#);
    insta::assert_snapshot!(seed_errors("type = 'command'\ncommand = 'a'\narguments = 'b'"), @"
    database.toml:4:13: `arguments` must be an array of strings, not a string
      |
    4 | arguments = 'b'
      |             ^^^
    ");
}

#[test]
fn a_cache_strategy_is_a_table_with_a_type() {
    let script = |cache: &str| seed_errors(&format!("type = 'script'\nscript = 'a'\ncache = {cache}"));
    insta::assert_snapshot!(script("'none'"), @"
    database.toml:4:9: `cache` must be a table, not a string
      |
    4 | cache = 'none'
      |         ^^^^^^
    ");
    insta::assert_snapshot!(script("{}"), @"
    database.toml:4:9: missing key `type` in [instances.main.seeds.one.cache]
      |
    4 | cache = {}
      |         ^^
      = hint: valid values: command-hash, none, key-command, key-script
    ");
    insta::assert_snapshot!(script("{ type = 'key-scirpt' }"), @"
    database.toml:4:18: unknown value `key-scirpt` for `type`
      |
    4 | cache = { type = 'key-scirpt' }
      |                  ^^^^^^^^^^^^
      = hint: did you mean `key-script`? valid values: command-hash, none, key-command, key-script
    ");
    insta::assert_snapshot!(script("{ type = 'key-script' }"), @"
    database.toml:4:9: missing key `script` in [instances.main.seeds.one.cache]
      |
    4 | cache = { type = 'key-script' }
      |         ^^^^^^^^^^^^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(script("{ type = 'key-command', arguments = ['a'] }"), @"
    database.toml:4:9: missing key `command` in [instances.main.seeds.one.cache]
      |
    4 | cache = { type = 'key-command', arguments = ['a'] }
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(script("{ type = 'none', script = 'a' }"), @"
    database.toml:4:26: unknown key `script` in [instances.main.seeds.one.cache]
      |
    4 | cache = { type = 'none', script = 'a' }
      |                          ^^^^^^
      = hint: valid keys: type
    ");
}

#[test]
fn a_bad_glob_is_shown_with_its_place() {
    let files = |files: &str| seed_errors(&format!("type = 'script'\nscript = 'a'\nfiles = {files}"));
    insta::assert_snapshot!(files("['a.sql', 'migrations/']"), @"
    database.toml:4:19: invalid value for `files`: a glob names files, not a folder; add `**/*` for all files in the folder
      |
    4 | files = ['a.sql', 'migrations/']
      |                   ^^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(files("'a.sql'"), @"
    database.toml:4:9: `files` must be an array of strings, not a string
      |
    4 | files = 'a.sql'
      |         ^^^^^^^
    ");
    for (glob, reason) in [
        ("''", "a glob can't be empty"),
        ("'a**/*.sql'", "recursive wildcards must form a single path component (at byte 0)"),
        ("1", "`files` must be an array of strings, not an integer"),
    ] {
        let text = files(&format!("[{glob}]"));
        assert!(text.contains(reason), "{text}");
    }
}

#[test]
fn a_value_of_several_lines_is_marked_on_its_first_line() {
    insta::assert_snapshot!(seed_errors("type = 'sql-file'\npath = [\n  'a',\n]"), @"
    database.toml:3:8: `path` must be a string, not an array
      |
    3 | path = [
      |        ^
    ");
}
