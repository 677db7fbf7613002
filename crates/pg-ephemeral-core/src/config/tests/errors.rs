//! The display of errors, and the errors that any file can have: invalid TOML, unknown and duplicate keys, invalid
//! names.

use super::errors;
use crate::config::{Config, Diagnostics, Position, Problem};

#[test]
fn invalid_toml_is_shown_with_its_place() {
    insta::assert_snapshot!(errors("image = \"17\ndatabase = 'x'\n"), @r#"
    database.toml:1:12: invalid basic string, expected `"`
      |
    1 | image = "17
      |            ^
    "#);
}

#[test]
fn an_unexpected_end_of_file_is_shown_after_the_last_character() {
    insta::assert_snapshot!(errors("image = '17'\nparameters = {\n\n"), @"
    database.toml:2:15: unclosed inline table, expected `}`
      |
    2 | parameters = {
      |               ^
    ");
}

#[test]
fn each_invalid_line_is_reported_once() {
    insta::assert_snapshot!(errors("image = \nbackend auto\nunknown = 1\n"), @"
    database.toml:1:9: string values must be quoted, expected literal string
      |
    1 | image =
      |         ^

    database.toml:2:9: key with no value, expected `=`
      |
    2 | backend auto
      |         ^
    ");
}

#[test]
fn a_duplicate_key_is_an_error() {
    insta::assert_snapshot!(errors("image = '17'\nimage = '18'\n"), @"
    database.toml:2:1: `image` is set twice
      |
    2 | image = '18'
      | ^^^^^
    ");
}

#[test]
fn a_duplicate_seed_is_an_error() {
    let text = "[instances.main.seeds.schema]\n[instances.main.seeds.other]\n[instances.main.seeds.schema]\n";
    insta::assert_snapshot!(errors(text), @"
    database.toml:3:23: `schema` is set twice
      |
    3 | [instances.main.seeds.schema]
      |                       ^^^^^^
    ");
}

#[test]
fn an_unknown_key_is_shown_with_the_closest_and_all_valid_keys() {
    insta::assert_snapshot!(errors("imgae = '17'\n"), @"
    database.toml:1:1: unknown key `imgae` at the top level
      |
    1 | imgae = '17'
      | ^^^^^
      = hint: did you mean `image`? valid keys: image, wait_available_timeout, durability, superuser, database, locale, encoding, locale_provider, icu_locale, ssl_config, parameters, backend, cache_registry, default_instance, instances
    ");
}

#[test]
fn an_unknown_key_without_a_similar_one_is_shown_with_all_valid_keys() {
    insta::assert_snapshot!(errors("[instances.main]\nport = 5432\n"), @"
    database.toml:2:1: unknown key `port` in [instances.main]
      |
    2 | port = 5432
      | ^^^^
      = hint: valid keys: image, wait_available_timeout, durability, superuser, database, locale, encoding, locale_provider, icu_locale, ssl_config, parameters, seeds
    ");
}

#[test]
fn all_errors_of_a_file_are_found_at_once_in_file_order() {
    let text = "databse = 'x'\ndurability = 'yes'\n\n[instances.main.seeds.a]\ntype = 'sql-file'\npth = 'a.sql'\n";
    insta::assert_snapshot!(errors(text), @"
    database.toml:1:1: unknown key `databse` at the top level
      |
    1 | databse = 'x'
      | ^^^^^^^
      = hint: did you mean `database`? valid keys: image, wait_available_timeout, durability, superuser, database, locale, encoding, locale_provider, icu_locale, ssl_config, parameters, backend, cache_registry, default_instance, instances

    database.toml:2:14: `durability` must be a boolean, not a string
      |
    2 | durability = 'yes'
      |              ^^^^^

    database.toml:4:1: missing key `path` in [instances.main.seeds.a]
      |
    4 | [instances.main.seeds.a]
      | ^^^^^^^^^^^^^^^^^^^^^^^^

    database.toml:6:1: unknown key `pth` in [instances.main.seeds.a]
      |
    6 | pth = 'a.sql'
      | ^^^
      = hint: did you mean `path`? valid keys: type, path, git_revision, files
    ");
}

#[test]
fn a_backend_of_one_instance_is_refused_with_the_reason() {
    insta::assert_snapshot!(errors("[instances.main]\nbackend = 'host'\n"), @"
    database.toml:2:1: `backend` can't be set in [instances.main]: it is the same for all instances, so it belongs to the top level
      |
    2 | backend = 'host'
      | ^^^^^^^
    ");
}

#[test]
fn a_cache_registry_of_one_instance_is_refused_with_the_reason() {
    insta::assert_snapshot!(errors("instances.main.cache_registry = 'ghcr.io/acme'\n"), @"
    database.toml:1:16: `cache_registry` can't be set in [instances.main]: it is the same for all instances, so it belongs to the top level
      |
    1 | instances.main.cache_registry = 'ghcr.io/acme'
      |                ^^^^^^^^^^^^^^
    ");
}

#[test]
fn seeds_outside_an_instance_are_refused_with_a_note_of_where_they_belong() {
    insta::assert_snapshot!(errors("[seeds.schema]\ntype = 'sql-file'\n"), @"
    database.toml:1:2: `seeds` can't be set at the top level: seeds belong to an instance, as in [instances.main.seeds.schema]
      |
    1 | [seeds.schema]
      |  ^^^^^
    ");
}

#[test]
fn a_bad_instance_name_is_an_error() {
    insta::assert_snapshot!(errors("[instances.Main]\n"), @"
    database.toml:1:12: invalid instance name `Main`: name has 'M' at byte 0, allowed are lower-case ASCII letters, digits and inner dashes
      |
    1 | [instances.Main]
      |            ^^^^
    ");
}

#[test]
fn a_bad_seed_name_is_an_error() {
    insta::assert_snapshot!(errors("[instances.main.seeds.\"a b\"]\ntype = 'script'\nscript = 'true'\n"), @r#"
    database.toml:1:23: invalid seed name `a b`: name has ' ' at byte 1, allowed are lower-case ASCII letters, digits and inner dashes
      |
    1 | [instances.main.seeds."a b"]
      |                       ^^^^^
    "#);
}

#[test]
fn a_value_of_another_type_in_place_of_a_table_is_an_error() {
    insta::assert_snapshot!(errors("instances = 1\n"), @"
    database.toml:1:13: `instances` must be a table, not an integer
      |
    1 | instances = 1
      |             ^
    ");
    insta::assert_snapshot!(errors("[[instances]]\n"), @"
    database.toml:1:1: `instances` must be a table, not an array
      |
    1 | [[instances]]
      | ^^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(errors("[instances]\nmain = '17'\n"), @"
    database.toml:2:8: `main` must be a table, not a string
      |
    2 | main = '17'
      |        ^^^^
    ");
    insta::assert_snapshot!(errors("[instances.main]\nseeds = []\n"), @"
    database.toml:2:9: `seeds` must be a table, not an array
      |
    2 | seeds = []
      |         ^^
    ");
    insta::assert_snapshot!(errors("[instances.main.seeds]\na = 'a.sql'\n"), @"
    database.toml:2:5: `a` must be a table, not a string
      |
    2 | a = 'a.sql'
      |     ^^^^^^^
    ");
}

#[test]
fn a_column_counts_characters() {
    insta::assert_snapshot!(errors("parameters = { x = 'äöü', ß = 1 }"), @"
    database.toml:1:27: invalid unquoted key, expected letters, numbers, `-`, `_`
      |
    1 | parameters = { x = 'äöü', ß = 1 }
      |                           ^
    ");
}

#[test]
fn a_byte_order_mark_is_not_counted() {
    insta::assert_snapshot!(errors("\u{feff}imgae = 1\r\n"), @"
    database.toml:1:1: unknown key `imgae` at the top level
      |
    1 | imgae = 1
      | ^^^^^
      = hint: did you mean `image`? valid keys: image, wait_available_timeout, durability, superuser, database, locale, encoding, locale_provider, icu_locale, ssl_config, parameters, backend, cache_registry, default_instance, instances
    ");
}

#[test]
fn control_characters_never_reach_the_terminal() {
    let text = errors("\"a\u{7f}\\u001b[31m\" = 1\n")
        + &errors("a\u{1b}[31m = 1\n")
        + &errors("wait_available_timeout = \"3\\u001b[31m\"\n");
    assert!(!text.contains(['\u{7f}', '\u{1b}']), "{text:?}");
}

#[test]
fn the_number_of_reported_errors_is_limited() {
    let text = "\0 garbage ]\n".repeat(50_000);
    let diagnostics = Config::parse(&text, "database.toml").unwrap_err();
    assert_eq!(diagnostics.iter().count(), Diagnostics::MAX);
    assert_eq!(diagnostics.omitted(), 50_000 - Diagnostics::MAX);
    assert!(diagnostics.to_string().ends_with("\n\nand 49980 more"));
}

#[test]
fn a_diagnostic_has_all_data_that_a_front_end_needs_to_draw_it() {
    let text = "image = '17'\n  imgae = '18'\n";
    let diagnostics = Config::parse(text, "x/database.toml").unwrap_err();
    let first = diagnostics.first();
    assert_eq!(first.path().to_str(), Some("x/database.toml"));
    assert_eq!(first.position(), Position { line: 2, column: 3 });
    assert_eq!(first.span(), 15..20);
    assert_eq!(first.line_text(), "  imgae = '18'");
    assert_eq!(first.offending(), "imgae");
    assert!(matches!(first.problem(), Problem::UnknownKey { closest: Some("image"), .. }));
    assert_eq!(first.problem().to_string(), "unknown key `imgae` at the top level");
    assert!(first.hint().unwrap().starts_with("did you mean `image`?"));
}
