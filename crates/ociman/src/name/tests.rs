use proptest::prelude::*;

use super::*;

fn parse(name: &str) -> Result<ContainerName, ContainerNameError> {
    name.parse()
}

/// Returns `true` if `name` follows the rule. Written over characters and independently of the code under test.
fn is_container_name(name: &str) -> bool {
    let inner = |character: char| character.is_ascii_alphanumeric() || "_.-".contains(character);
    name.len() <= 255 && name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.chars().all(inner)
}

#[test]
fn names_that_engines_accept_are_accepted() {
    for name in ["a", "7", "Web", "a_b.c-d", "a-", "a.", "a__", "0x1F"] {
        assert_eq!(parse(name).unwrap().as_str(), name);
    }
}

#[test]
fn an_empty_name_is_refused() {
    assert_eq!(parse(""), Err(ContainerNameError::Empty));
}

#[test]
fn the_longest_name_has_255_bytes() {
    assert!(parse(&"a".repeat(255)).is_ok());
    assert_eq!(parse(&"a".repeat(256)), Err(ContainerNameError::TooLong { length: 256 }));
}

#[test]
fn a_name_starts_with_a_letter_or_a_digit() {
    for (name, character) in [("-a", '-'), ("_a", '_'), (".a", '.'), ("/a", '/'), ("é", 'é'), (" ", ' ')] {
        assert_eq!(parse(name), Err(ContainerNameError::FirstCharacter { character }));
    }
}

#[test]
fn a_bad_character_is_named_with_its_byte_offset() {
    for (name, character, offset) in
        [("a b", ' ', 1), ("ab/c", '/', 2), ("abé", 'é', 2), ("a\0", '\0', 1), ("a🐘é", '🐘', 1)]
    {
        assert_eq!(parse(name), Err(ContainerNameError::Character { character, offset }));
    }
}

#[test]
fn an_error_says_what_was_found_and_what_is_allowed() {
    let message = |name: &str| parse(name).unwrap_err().to_string();
    assert_eq!(message(""), "container name is empty");
    assert_eq!(message(&"a".repeat(300)), "container name is 300 bytes long, at most 255 are allowed");
    assert_eq!(message("-a"), "container name starts with '-', not with an ASCII letter or digit");
    assert_eq!(message("a b"), "container name has ' ' at byte 1, allowed are ASCII letters, digits, `_`, `.` and `-`");
}

#[test]
fn a_literal_is_checked_at_compile_time() {
    const NAME: ContainerName = ContainerName::from_static("main");
    assert_eq!(Ok(NAME), parse("main"));
    const { assert!(ContainerName::check("ma in").is_err()) };
}

#[test]
fn serde_uses_the_text_form_and_checks_it() {
    let name = parse("web-1").unwrap();
    assert_eq!(serde_json::to_string(&name).unwrap(), r#""web-1""#);
    assert_eq!(serde_json::from_str::<ContainerName>(r#""web-1""#).unwrap(), name);
    let refused = serde_json::from_str::<ContainerName>(r#""web 1""#).unwrap_err();
    assert!(refused.to_string().starts_with("container name has ' ' at byte 3"), "{refused}");
}

proptest! {
    #[test]
    fn exactly_the_names_of_the_grammar_are_accepted(name in prop_oneof![any::<String>(), "[A-Za-z0-9_.-]{0,260}"]) {
        prop_assert_eq!(parse(&name).is_ok(), is_container_name(&name));
    }

    #[test]
    fn a_name_displays_as_it_was_written(name in "[A-Za-z0-9][A-Za-z0-9_.-]{0,254}") {
        let parsed = parse(&name).unwrap();
        prop_assert_eq!(parsed.to_string(), name.as_str());
        prop_assert_eq!(parsed.to_string().parse::<ContainerName>(), Ok(parsed));
    }

    #[test]
    fn the_character_of_an_error_stands_at_its_offset(name in any::<String>()) {
        match parse(&name) {
            Err(ContainerNameError::Character { character, offset }) => {
                prop_assert!(name[offset..].starts_with(character));
            }
            Err(ContainerNameError::FirstCharacter { character }) => prop_assert!(name.starts_with(character)),
            _ => {}
        }
    }

    #[test]
    fn characters_are_decoded_as_the_standard_library_does(text in any::<String>()) {
        for (offset, character) in text.char_indices() {
            prop_assert_eq!(character_at(&text, offset), character);
        }
    }
}
