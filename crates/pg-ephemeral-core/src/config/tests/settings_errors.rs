//! Errors in the settings of the top level and of instances.

use super::errors;

#[test]
fn an_invalid_image_is_an_error() {
    insta::assert_snapshot!(errors("image = 'not an image'\n"), @r#"
    database.toml:1:9: invalid value for `image`: image "not an image" is neither a version of the official image nor a full reference
      |
    1 | image = 'not an image'
      |         ^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(errors("image = 17\n"), @r#"
    database.toml:1:9: `image` must be a string, not an integer
      |
    1 | image = 17
      |         ^^
      = hint: quote it: "17"
    "#);
}

#[test]
fn an_unknown_backend_is_shown_with_the_valid_ones() {
    insta::assert_snapshot!(errors("backend = 'dokcer'\n"), @"
    database.toml:1:11: unknown value `dokcer` for `backend`
      |
    1 | backend = 'dokcer'
      |           ^^^^^^^^
      = hint: did you mean `docker`? valid values: auto, docker, podman, host
    ");
    insta::assert_snapshot!(errors("backend = true\n"), @"
    database.toml:1:11: `backend` must be a string, not a boolean
      |
    1 | backend = true
      |           ^^^^
    ");
}

#[test]
fn an_invalid_cache_registry_is_an_error() {
    insta::assert_snapshot!(errors("cache_registry = 'acme/layers'\n"), @"
    database.toml:1:18: invalid value for `cache_registry`: it must start with a registry: a host with a dot or a port, or `localhost`
      |
    1 | cache_registry = 'acme/layers'
      |                  ^^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(errors("cache_registry = 'https://ghcr.io/acme'\n"), @"
    database.toml:1:18: invalid value for `cache_registry`: no image can be kept there: image reference has a URL scheme (`://` at byte 5), it starts with the registry's host name instead
      |
    1 | cache_registry = 'https://ghcr.io/acme'
      |                  ^^^^^^^^^^^^^^^^^^^^^^
    ");
}

#[test]
fn a_timeout_is_more_than_zero_and_at_most_a_day() {
    insta::assert_snapshot!(errors("wait_available_timeout = '0s'\n"), @"
    database.toml:1:26: invalid value for `wait_available_timeout`: it must be more than zero
      |
    1 | wait_available_timeout = '0s'
      |                          ^^^^
    ");
    insta::assert_snapshot!(errors("wait_available_timeout = '2days'\n"), @"
    database.toml:1:26: invalid value for `wait_available_timeout`: it must be at most a day
      |
    1 | wait_available_timeout = '2days'
      |                          ^^^^^^^
    ");
    insta::assert_snapshot!(errors("wait_available_timeout = '30 bananas'\n"), @r#"
    database.toml:1:26: invalid value for `wait_available_timeout`: unknown time unit "bananas", supported units: ns, us/µs, ms, sec, min, hours, days, weeks, months, years (and few variations)
      |
    1 | wait_available_timeout = '30 bananas'
      |                          ^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(errors("wait_available_timeout = 30\n"), @r#"
    database.toml:1:26: `wait_available_timeout` must be a string such as "30s", not an integer
      |
    1 | wait_available_timeout = 30
      |                          ^^
    "#);
}

#[test]
fn durability_is_a_boolean() {
    insta::assert_snapshot!(errors("durability = 'off'\n"), @"
    database.toml:1:14: `durability` must be a boolean, not a string
      |
    1 | durability = 'off'
      |              ^^^^^
    ");
}

#[test]
fn a_superuser_is_a_name_that_postgresql_accepts() {
    insta::assert_snapshot!(errors("superuser = ''\n"), @"
    database.toml:1:13: invalid value for `superuser`: a PostgreSQL name can't be empty
      |
    1 | superuser = ''
      |             ^^
    ");
    insta::assert_snapshot!(errors("superuser = 'pg_boss'\n"), @"
    database.toml:1:13: invalid value for `superuser`: PostgreSQL reserves `public`, `none` and role names that start with `pg_`
      |
    1 | superuser = 'pg_boss'
      |             ^^^^^^^^^
    ");
}

#[test]
fn a_database_is_a_name_that_postgresql_accepts() {
    insta::assert_snapshot!(errors(&format!("database = '{}'\n", "x".repeat(64))), @"
    database.toml:1:12: invalid value for `database`: a PostgreSQL name has at most 63 bytes, this one has 64
      |
    1 | database = 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(errors("database = \"a\\u0000b\"\n"), @r#"
    database.toml:1:12: invalid value for `database`: a PostgreSQL name can't hold the NUL character (at byte 1)
      |
    1 | database = "a\u0000b"
      |            ^^^^^^^^^^
    "#);
    insta::assert_snapshot!(errors("[instances.main]\ndatabase = 'template0'\n"), @"
    database.toml:2:12: invalid value for `database`: PostgreSQL allows no connections to `template0`
      |
    2 | database = 'template0'
      |            ^^^^^^^^^^^
    ");
}

#[test]
fn a_locale_and_an_encoding_are_names_that_need_no_quoting() {
    insta::assert_snapshot!(errors("locale = 'en US'\n"), @"
    database.toml:1:10: invalid value for `locale`: the name of a locale has ASCII letters, digits and `_` `.` `@` `+` `-`, not ' '
      |
    1 | locale = 'en US'
      |          ^^^^^^^
    ");
    insta::assert_snapshot!(errors("[instances.main]\nencoding = '$(id)'\n"), @"
    database.toml:2:12: invalid value for `encoding`: the name of an encoding starts with an ASCII letter or a digit
      |
    2 | encoding = '$(id)'
      |            ^^^^^^^
    ");
    insta::assert_snapshot!(errors("locale_provider = 'icu'\nicu_locale = 'de;rm'\n"), @"
    database.toml:2:14: invalid value for `icu_locale`: the name of an ICU locale has ASCII letters, digits and `_` `-` `@` `=`, not ';'
      |
    2 | icu_locale = 'de;rm'
      |              ^^^^^^^
    ");
    insta::assert_snapshot!(errors("locale = ''\nencoding = 8\n"), @r#"
    database.toml:1:10: invalid value for `locale`: the name of a locale can't be empty
      |
    1 | locale = ''
      |          ^^

    database.toml:2:12: `encoding` must be a string, not an integer
      |
    2 | encoding = 8
      |            ^
      = hint: quote it: "8"
    "#);
}

#[test]
fn an_unknown_locale_provider_is_shown_with_the_valid_ones() {
    insta::assert_snapshot!(errors("locale_provider = 'ICU'\n"), @"
    database.toml:1:19: unknown value `ICU` for `locale_provider`
      |
    1 | locale_provider = 'ICU'
      |                   ^^^^^
      = hint: did you mean `icu`? valid values: libc, icu, builtin
    ");
}

#[test]
fn ssl_config_is_a_table_with_a_host_name() {
    insta::assert_snapshot!(errors("ssl_config = true\n"), @"
    database.toml:1:14: `ssl_config` must be a table, not a boolean
      |
    1 | ssl_config = true
      |              ^^^^
    ");
    insta::assert_snapshot!(errors("ssl_config = {}\n"), @"
    database.toml:1:14: missing key `hostname` in [ssl_config]
      |
    1 | ssl_config = {}
      |              ^^
    ");
    insta::assert_snapshot!(errors("[ssl_config]\nhost = 'localhost'\n"), @"
    database.toml:1:1: missing key `hostname` in [ssl_config]
      |
    1 | [ssl_config]
      | ^^^^^^^^^^^^

    database.toml:2:1: unknown key `host` in [ssl_config]
      |
    2 | host = 'localhost'
      | ^^^^
      = hint: valid keys: hostname
    ");
    insta::assert_snapshot!(errors("ssl_config = { hostname = 'my_host' }\n"), @"
    database.toml:1:27: invalid value for `hostname`: a host name has letters, digits, `-` and `.`, not '_'
      |
    1 | ssl_config = { hostname = 'my_host' }
      |                           ^^^^^^^^^
    ");
}

#[test]
fn a_parameter_is_a_string_a_number_or_a_boolean() {
    insta::assert_snapshot!(errors("[parameters]\na = 1979-05-27\nb = [1]\nc = {}\n"), @"
    database.toml:2:5: `a` must be a string, a number or a boolean, not a date or time
      |
    2 | a = 1979-05-27
      |     ^^^^^^^^^^

    database.toml:3:5: `b` must be a string, a number or a boolean, not an array
      |
    3 | b = [1]
      |     ^^^

    database.toml:4:5: `c` must be a string, a number or a boolean, not a table
      |
    4 | c = {}
      |     ^^
    ");
    insta::assert_snapshot!(errors("[parameters]\na = 99999999999999999999\nb = inf\n"), @"
    database.toml:2:5: invalid value for `a`: it does not fit into 64 bits
      |
    2 | a = 99999999999999999999
      |     ^^^^^^^^^^^^^^^^^^^^

    database.toml:3:5: invalid value for `b`: it is not a finite number
      |
    3 | b = inf
      |     ^^^
    ");
    insta::assert_snapshot!(errors("[parameters]\na = \"x\\u0000\"\n"), @r#"
    database.toml:2:5: invalid value for `a`: parameter value has NUL at byte 1
      |
    2 | a = "x\u0000"
      |     ^^^^^^^^^
    "#);
}

#[test]
fn a_parameter_name_with_a_dot_must_be_quoted() {
    insta::assert_snapshot!(errors("[parameters]\nauto_explain.log_min_duration = 0\n"), @r#"
    database.toml:2:1: `auto_explain` must be a string, a number or a boolean, not a table
      |
    2 | auto_explain.log_min_duration = 0
      | ^^^^^^^^^^^^
      = hint: quote a name that has a dot: "auto_explain.log_min_duration" = …
    "#);
}

#[test]
fn a_bad_parameter_name_is_an_error() {
    insta::assert_snapshot!(errors("[parameters]\nwork-mem = '1MB'\n"), @"
    database.toml:2:1: invalid parameter name `work-mem`: parameter name has '-' at byte 4, allowed are ASCII letters, digits, `_` and `.`
      |
    2 | work-mem = '1MB'
      | ^^^^^^^^
    ");
}

#[test]
fn parameters_that_differ_only_in_case_are_an_error() {
    insta::assert_snapshot!(errors("[parameters]\nwork_mem = '1MB'\nother = 1\nWork_Mem = '2MB'\n"), @"
    database.toml:4:1: parameter `Work_Mem` is the same as `work_mem` on line 2
      |
    4 | Work_Mem = '2MB'
      | ^^^^^^^^
    ");
}

#[test]
fn an_ssl_parameter_beside_ssl_config_is_an_error_in_any_letter_case() {
    let text = "ssl_config = { hostname = 'localhost' }\nparameters = { SSL_Cert_File = '/x' }\n";
    insta::assert_snapshot!(errors(text), @"
    database.toml:2:16: parameter `SSL_Cert_File` can't be set beside `ssl_config`, which sets SSL up
      |
    2 | parameters = { SSL_Cert_File = '/x' }
      |                ^^^^^^^^^^^^^
    ");
}

#[test]
fn an_ssl_parameter_of_an_instance_beside_ssl_config_of_the_top_level_is_an_error() {
    let text = "ssl_config = { hostname = 'localhost' }\n[instances.main.parameters]\nssl = true\n";
    insta::assert_snapshot!(errors(text), @"
    database.toml:3:1: parameter `ssl` can't be set beside `ssl_config`, which sets SSL up
      |
    3 | ssl = true
      | ^^^
    ");
}

#[test]
fn an_ssl_parameter_of_the_top_level_beside_ssl_config_of_an_instance_is_an_error() {
    let text = "parameters = { ssl = 'on' }\n[instances.main]\nssl_config = { hostname = 'localhost' }\n";
    insta::assert_snapshot!(errors(text), @"
    database.toml:1:16: parameter `ssl` can't be set beside `ssl_config`, which sets SSL up
      |
    1 | parameters = { ssl = 'on' }
      |                ^^^
    ");
}

#[test]
fn a_default_instance_that_does_not_exist_is_an_error() {
    insta::assert_snapshot!(errors("default_instance = 'mian'\n[instances.main]\n"), @"
    database.toml:1:20: invalid value for `default_instance`: there is no such instance: there is main
      |
    1 | default_instance = 'mian'
      |                    ^^^^^^
    ");
    insta::assert_snapshot!(errors("default_instance = 1\n"), @r#"
    database.toml:1:20: `default_instance` must be a string, not an integer
      |
    1 | default_instance = 1
      |                    ^
      = hint: quote it: "1"
    "#);
    insta::assert_snapshot!(errors("[instances.main]\ndefault_instance = 'main'\n"), @"
    database.toml:2:1: `default_instance` can't be set in [instances.main]: it chooses among the instances, so it belongs to the top level
      |
    2 | default_instance = 'main'
      | ^^^^^^^^^^^^^^^^
    ");
}
