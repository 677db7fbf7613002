use proptest::prelude::*;

use super::*;

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

fn value(text: &str) -> Value {
    text.parse().unwrap()
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, text)| (key(name), value(text))).collect()
}

#[test]
fn keys_that_engines_can_tell_apart_are_accepted() {
    for text in ["a", "pg-ephemeral.ssl.ca-cert-pem", "org.opencontainers.image.title", "a/b", "\"", "größe", "🐘"]
    {
        assert_eq!(key(text).as_str(), text);
    }
}

#[test]
fn an_empty_key_is_refused() {
    assert_eq!("".parse::<Key>(), Err(KeyError::Empty));
}

#[test]
fn the_longest_key_has_255_bytes() {
    assert!("k".repeat(255).parse::<Key>().is_ok());
    assert_eq!("k".repeat(256).parse::<Key>(), Err(KeyError::TooLong { length: 256 }));
}

#[test]
fn a_bad_character_in_a_key_is_named_with_its_byte_offset() {
    for (text, character, offset) in [
        ("a=b", '=', 1),
        ("é,b", ',', 2),
        ("a b", ' ', 1),
        ("\n", '\n', 0),
        ("a\0", '\0', 1),
        ("a\u{85}", '\u{85}', 1),
        ("a\u{2003}b", '\u{2003}', 1),
    ] {
        assert_eq!(text.parse::<Key>(), Err(KeyError::Character { character, offset }));
    }
}

#[test]
fn a_literal_key_is_checked_at_compile_time() {
    const OWNER: Key = Key::from_static("pg-ephemeral.owner");
    assert_eq!(OWNER, key("pg-ephemeral.owner"));
    const { assert!(Key::check("a\u{3000}b").is_err()) };
}

#[test]
fn json_certificates_and_non_ascii_text_are_valid_values() {
    let certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    for text in ["", "a,b=c", r#"[{"name":"sch\u0000ema"}]"#, certificate, "größe 🐘", "'\"`$\\"] {
        assert_eq!(value(text).as_str(), text);
    }
}

#[test]
fn a_value_with_nul_is_refused() {
    let refused = "ab\0c\0".parse::<Value>().unwrap_err();
    assert_eq!(refused, ValueError::Nul { offset: 2 });
    assert_eq!(refused.to_string(), "label value has NUL at byte 2");
}

#[test]
fn a_filter_displays_as_engines_expect_it() {
    assert_eq!(Filter::key_only(&key("a.b")).to_string(), "a.b");
    assert_eq!(Filter::exact(&key("a.b"), &value("c=d,e")).to_string(), "a.b=c=d,e");
}

#[test]
fn a_key_filter_matches_whatever_the_value_is() {
    let filter = Filter::key_only(&key("a"));
    assert!(filter.matches(&labels(&[("a", "1"), ("b", "2")])));
    assert!(filter.matches(&labels(&[("a", "")])));
    assert!(!filter.matches(&labels(&[("ab", "1")])));
    assert!(!filter.matches(&Labels::new()));
}

#[test]
fn a_value_filter_matches_the_exact_value_only() {
    let filter = Filter::exact(&key("a"), &value("1"));
    assert!(filter.matches(&labels(&[("a", "1")])));
    assert!(!filter.matches(&labels(&[("a", "11")])));
    assert!(!filter.matches(&labels(&[("b", "1")])));
    assert!(!Filter::exact(&key("a"), &value("")).matches(&labels(&[("a", "1")])));
}

#[test]
fn labels_are_found_by_key_and_by_text() {
    let labels = labels(&[("b", "2"), ("a", "1")]);
    assert_eq!(labels.get("a"), Some(&value("1")));
    assert_eq!(labels.get(&key("b")), Some(&value("2")));
    assert_eq!(labels.get(&key("c")), None);
    assert_eq!(labels.len(), 2);
    assert_eq!(labels.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn inserting_again_replaces_and_gives_back_the_old_value() {
    let mut labels = Labels::new();
    assert_eq!(labels.insert(key("a"), value("1")), None);
    assert_eq!(labels.insert(key("a"), value("2")), Some(value("1")));
    assert_eq!(labels.get("a"), Some(&value("2")));
}

#[test]
fn labels_serialise_as_a_map_of_strings() {
    let labels = labels(&[("b", "x,y"), ("a", "1")]);
    let json = serde_json::to_string(&labels).unwrap();
    assert_eq!(json, r#"{"a":"1","b":"x,y"}"#);
    assert_eq!(serde_json::from_str::<Labels>(&json).unwrap(), labels);
}

#[test]
fn deserialising_refuses_a_bad_key() {
    let refused = serde_json::from_str::<Labels>(r#"{"a b":"1"}"#).unwrap_err();
    assert!(refused.to_string().starts_with("label key has ' ' at byte 1"), "{refused}");
}

#[test]
fn invalid_labels_from_an_engine_are_left_out() {
    let found =
        [("a", "1"), ("", "2"), ("b c", "3"), ("d", "\0")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(Labels::from_untrusted(found), labels(&[("a", "1")]));
}

proptest! {
    #[test]
    fn exactly_the_valid_keys_are_accepted(text in prop_oneof![any::<String>(), ".{0,300}", "[ -~]{0,40}"]) {
        let bad = |character: char| "=,".contains(character) || character.is_control() || character.is_whitespace();
        let allowed = (1..=255).contains(&text.len()) && !text.contains(bad);
        prop_assert_eq!(text.parse::<Key>().is_ok(), allowed);
    }

    #[test]
    fn keys_and_values_display_as_they_were_written(text in any::<String>()) {
        if let Ok(key) = text.parse::<Key>() {
            prop_assert_eq!(key.to_string(), text.as_str());
        }
        match text.parse::<Value>() {
            Ok(value) => prop_assert_eq!(value.to_string(), text),
            Err(ValueError::Nul { offset }) => prop_assert_eq!(text.find('\0'), Some(offset)),
        }
    }

    #[test]
    fn a_filter_splits_back_into_its_parts_at_the_first_equals_sign(name in "[a-z.]{1,9}", text in "[^\0]{0,9}") {
        let filter = Filter::exact(&key(&name), &value(&text)).to_string();
        prop_assert_eq!(filter.split_once('='), Some((name.as_str(), text.as_str())));
    }
}
