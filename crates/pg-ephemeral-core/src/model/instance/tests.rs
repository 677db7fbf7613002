use proptest::prelude::*;

use super::*;

fn refuse(name: &str) -> NameError {
    name.parse::<InstanceName>().unwrap_err()
}

/// The rule for names, written independently of the code under test.
fn is_name(name: &str) -> bool {
    let words: Vec<&str> = name.split('-').collect();
    let is_word_character = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=63).contains(&name.len())
        && name.replace('-', "").bytes().all(is_word_character)
        && !words.first().unwrap().is_empty()
        && !words.last().unwrap().is_empty()
}

#[test]
fn names_of_letters_digits_and_inner_dashes_are_accepted() {
    for name in ["a", "7", "main", "billing-2", "a--b", "0-0"] {
        assert_eq!(name.parse::<InstanceName>().unwrap().as_str(), name);
        assert_eq!(name.parse::<SeedName>().unwrap().as_str(), name);
    }
}

#[test]
fn each_fault_in_a_name_has_its_own_error() {
    let character = |character, offset| NameError::Character { character, offset };
    for (name, error) in [
        ("", NameError::Empty),
        ("-", NameError::LeadingDash),
        ("-a", NameError::LeadingDash),
        ("a-", NameError::TrailingDash),
        ("Main", character('M', 0)),
        ("my_db", character('_', 2)),
        ("a.b", character('.', 1)),
        ("a/b", character('/', 1)),
        ("a b", character(' ', 1)),
        ("größe", character('ö', 2)),
        ("-A", character('A', 1)),
    ] {
        assert_eq!(refuse(name), error, "{name:?}");
        assert_eq!(name.parse::<SeedName>(), Err(error), "{name:?}");
    }
}

#[test]
fn the_longest_name_has_63_bytes() {
    assert!("a".repeat(63).parse::<InstanceName>().is_ok());
    assert_eq!(refuse(&"a".repeat(64)), NameError::TooLong { length: 64 });
}

#[test]
fn an_error_says_what_was_found_and_what_is_allowed() {
    assert_eq!(
        refuse("my_db").to_string(),
        "name has '_' at byte 2, allowed are lower-case ASCII letters, digits and inner dashes"
    );
    assert_eq!(refuse(&"a".repeat(70)).to_string(), "name is 70 bytes long, at most 63 are allowed");
}

#[test]
fn the_default_instance_is_main() {
    assert_eq!(InstanceName::default(), InstanceName::main());
    assert_eq!(Ok(InstanceName::main()), "main".parse());
}

#[test]
fn serde_goes_through_the_string_and_checks_it() {
    let name: SeedName = serde_json::from_str(r#""schema""#).unwrap();
    assert_eq!(serde_json::to_string(&name).unwrap(), r#""schema""#);
    let refused = serde_json::from_str::<SeedName>(r#""a_b""#).unwrap_err();
    assert!(refused.to_string().starts_with("name has '_' at byte 1"), "{refused}");
}

proptest! {
    #[test]
    fn only_valid_names_are_accepted(
        name in prop_oneof![any::<String>(), "[a-z0-9-]{0,65}", "[aA0_-]{0,6}"],
    ) {
        prop_assert_eq!(name.parse::<InstanceName>().is_ok(), is_name(&name));
    }

    #[test]
    fn a_name_displays_as_it_was_written(name in "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?") {
        prop_assert_eq!(name.parse::<InstanceName>().unwrap().to_string(), name.as_str());
        prop_assert_eq!(name.parse::<SeedName>().unwrap().to_string(), name);
    }

    #[test]
    fn a_name_fits_into_image_paths_and_container_names(name in "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?") {
        prop_assert!(name.parse::<InstanceName>().is_ok());
        prop_assert!(name.parse::<ociman::PathComponent>().is_ok());
        prop_assert!(name.parse::<ociman::ContainerName>().is_ok());
    }
}
