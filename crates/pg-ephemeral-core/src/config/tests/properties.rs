//! Properties that hold for any text.

use proptest::prelude::*;

use crate::config::{Config, template};
use crate::fuzzing::config as check;

/// Pieces of files. Most texts that are made of them pass the TOML parser, and some are valid configurations.
const PIECES: [&str; 40] = [
    "image",
    "backend",
    "parameters",
    "instances",
    "main",
    "seeds",
    "type",
    "path",
    "cache",
    "ssl_config",
    "hostname",
    "work_mem",
    "ssl",
    "wait_available_timeout",
    "durability",
    " = ",
    ".",
    "[",
    "]",
    "[[",
    "{ ",
    " }",
    ", ",
    "\"",
    "'",
    "\"\"\"",
    "\n",
    "\r\n",
    "#",
    "'17'",
    "'sql-file'",
    "'a'",
    "true",
    "-5",
    "0xff",
    "1.5",
    "nan",
    "1979-05-27",
    "\t",
    "ü\u{feff}",
];

fn pieces() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40).prop_map(|pieces| pieces.concat())
}

/// Generates a valid file in which a few characters are replaced by others.
fn damaged() -> impl Strategy<Value = String> {
    let valid: Vec<char> = template().replace("\n#", "\n").chars().collect();
    (0..valid.len(), 0..20_usize, "\\PC{0,3}").prop_map(move |(start, count, inserted)| {
        let end = (start + count).min(valid.len());
        let before: String = valid[..start].iter().collect();
        let after: String = valid[end..].iter().collect();
        format!("{before}{inserted}{after}")
    })
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic_and_error_positions_are_inside_it(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn any_pieces_of_a_file_are_read_without_a_panic(text in pieces()) {
        check(&text);
    }

    #[test]
    fn a_damaged_file_is_read_without_a_panic(text in damaged()) {
        check(&text);
    }

    #[test]
    fn any_parameter_is_read_without_a_panic(name in any::<String>(), value in any::<String>()) {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        check(&format!("[instances.main.parameters]\n{} = {}", quoted(&name), quoted(&value)));
    }
}

#[test]
fn deeply_nested_tables_are_an_error_and_do_not_crash() {
    for text in ["a.".repeat(100_000) + "a = 1", "a = ".to_owned() + &"[".repeat(100_000), "{".repeat(100_000)] {
        assert!(Config::parse(&text, "database.toml").is_err());
    }
}
