use std::hash::{BuildHasher, RandomState};

use proptest::prelude::*;

use super::*;

fn name(text: &str) -> ParameterName {
    text.parse().unwrap()
}

fn value(text: &str) -> ParameterValue {
    text.parse().unwrap()
}

fn parameters(assignments: &[&str]) -> Parameters {
    assignments.iter().map(|text| text.parse::<ParameterAssignment>().unwrap()).collect()
}

fn written(parameters: &Parameters) -> Vec<String> {
    parameters.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

#[test]
fn valid_names_are_accepted() {
    for text in ["a", "_", "work_mem", "DateStyle", "auto_explain.log_min_duration", "a1.", "a..b"] {
        assert_eq!(name(text).as_str(), text);
    }
}

#[test]
fn each_fault_in_a_name_has_its_own_error() {
    let first = |character| ParameterNameError::FirstCharacter { character };
    let later = |character, offset| ParameterNameError::Character { character, offset };
    for (text, error) in [
        ("", ParameterNameError::Empty),
        ("1a", first('1')),
        (".a", first('.')),
        ("é", first('é')),
        ("work mem", later(' ', 4)),
        ("work-mem", later('-', 4)),
        ("aé", later('é', 1)),
        ("a\0", later('\0', 1)),
    ] {
        assert_eq!(text.parse::<ParameterName>(), Err(error), "{text:?}");
    }
}

#[test]
fn names_are_compared_without_case_and_keep_their_spelling() {
    assert_eq!(name("DateStyle"), name("datestyle"));
    assert_eq!(name("DateStyle").cmp(&name("DATESTYLE")), Ordering::Equal);
    assert_eq!(name("DateStyle").to_string(), "DateStyle");
    assert_eq!(name("DateStyle").to_ascii_lowercase(), "datestyle");
    assert_ne!(name("a"), name("aa"));
}

#[test]
fn literals_are_checked_at_compile_time() {
    const NAME: ParameterName = ParameterName::from_static("fsync");
    const VALUE: ParameterValue = ParameterValue::from_static("off");
    assert_eq!((NAME, VALUE), (name("fsync"), value("off")));
}

#[test]
fn a_value_is_any_text_without_nul() {
    for text in ["", "on", "a, b", "it's \"quoted\"", "two\nlines", "größe"] {
        assert_eq!(value(text).as_str(), text);
    }
    assert_eq!("a\0".parse::<ParameterValue>(), Err(ParameterValueError::Nul { offset: 1 }));
}

#[test]
fn the_first_equals_sign_of_an_assignment_ends_the_name() {
    let assignment: ParameterAssignment = "app.x=a=b ".parse().unwrap();
    assert_eq!((assignment.name, assignment.value), (name("app.x"), value("a=b ")));
    assert_eq!("x=".parse::<ParameterAssignment>().unwrap().value, value(""));
}

#[test]
fn an_error_in_an_assignment_says_which_part_is_wrong() {
    for (text, message) in [
        ("work_mem", "parameter has no `=` between name and value"),
        ("", "parameter has no `=` between name and value"),
        ("=4MB", "parameter name is empty"),
        ("work_mem =4MB", "parameter name has ' ' at byte 8, allowed are ASCII letters, digits, `_` and `.`"),
        ("1=a", "parameter name starts with '1', not with an ASCII letter or `_`"),
        ("a=\0", "parameter value has NUL at byte 0"),
    ] {
        assert_eq!(text.parse::<ParameterAssignment>().unwrap_err().to_string(), message);
    }
}

#[test]
fn parameters_are_ordered_by_name_without_case() {
    assert_eq!(written(&parameters(&["b=1", "C=2", "A=3"])), ["A=3", "b=1", "C=2"]);
}

#[test]
fn inserting_a_name_again_replaces_its_value_and_spelling() {
    let mut parameters = parameters(&["work_mem=1MB"]);
    assert_eq!(parameters.insert(name("Work_Mem"), value("2MB")), Some(value("1MB")));
    assert_eq!(parameters.insert(name("a"), value("1")), None);
    assert_eq!(written(&parameters), ["a=1", "Work_Mem=2MB"]);
    assert_eq!(parameters.get(&name("WORK_MEM")), Some(&value("2MB")));
}

#[test]
fn merging_overrides_per_name() {
    let mut merged = parameters(&["log_statement=all", "work_mem=1MB"]);
    merged.merge(&parameters(&["WORK_MEM=2MB", "jit=off"]));
    assert_eq!(written(&merged), ["jit=off", "log_statement=all", "WORK_MEM=2MB"]);
    assert_eq!(merged.len(), 3);
    assert!(!merged.is_empty());
}

#[test]
fn serde_goes_through_the_string_and_checks_it() {
    let parsed: (ParameterName, ParameterValue) = serde_json::from_str(r#"["Work_Mem","1MB"]"#).unwrap();
    assert_eq!(serde_json::to_string(&parsed).unwrap(), r#"["Work_Mem","1MB"]"#);
    assert!(serde_json::from_str::<ParameterName>(r#""work mem""#).is_err());
    assert!(serde_json::from_str::<ParameterValue>(r#""\u0000""#).is_err());
}

/// The rule for names, written independently of the code under test.
fn is_name(text: &str) -> bool {
    let rest = text.strip_prefix(|first: char| first.is_ascii_alphabetic() || first == '_');
    rest.is_some_and(|rest| rest.chars().all(|inner| inner.is_ascii_alphanumeric() || "_.".contains(inner)))
}

/// Generates a name, and the same name with the case of some letters changed.
fn recased() -> impl Strategy<Value = (String, String)> {
    ("[A-Za-z_][A-Za-z0-9_.]{0,12}", proptest::collection::vec(any::<bool>(), 13)).prop_map(|(text, flips)| {
        let flip = |(character, flip): (char, bool)| match (flip, character.is_ascii_uppercase()) {
            (true, true) => character.to_ascii_lowercase(),
            (true, false) => character.to_ascii_uppercase(),
            (false, _) => character,
        };
        let other = text.chars().zip(flips).map(flip).collect();
        (text, other)
    })
}

proptest! {
    #[test]
    fn only_valid_names_are_accepted(text in prop_oneof![any::<String>(), "[A-Za-z0-9_.]{0,9}"]) {
        match text.parse::<ParameterName>() {
            Ok(name) => {
                prop_assert!(is_name(&text));
                prop_assert_eq!(name.to_string(), text);
            }
            Err(error) => prop_assert!(!is_name(&text), "{}", error),
        }
    }

    #[test]
    fn names_that_differ_in_case_are_equal_in_every_respect((one, other) in recased()) {
        let (one, other) = (name(&one), name(&other));
        let hashes = RandomState::new();
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(one.cmp(&other), Ordering::Equal);
        prop_assert_eq!(hashes.hash_one(&one), hashes.hash_one(&other));
        prop_assert_eq!(one.to_ascii_lowercase(), other.to_ascii_lowercase());
    }

    #[test]
    fn order_equality_and_lower_case_agree(one in "[A-Ca-c_.]{1,4}", other in "[A-Ca-c_.]{1,4}") {
        if let (Ok(one), Ok(other)) = (one.parse::<ParameterName>(), other.parse::<ParameterName>()) {
            let by_text = one.to_ascii_lowercase().cmp(&other.to_ascii_lowercase());
            prop_assert_eq!(one.cmp(&other), by_text);
            prop_assert_eq!(one == other, by_text == Ordering::Equal);
        }
    }

    #[test]
    fn an_assignment_displays_as_it_was_written(text in prop_oneof![any::<String>(), "[a-z_][a-z.]{0,5}=[^\0]{0,9}"]) {
        if let Ok(assignment) = text.parse::<ParameterAssignment>() {
            prop_assert_eq!(assignment.to_string(), text);
        }
    }

    #[test]
    fn merging_prefers_the_overriding_value(
        below in proptest::collection::vec("[a-cA-C]=[0-9]", 0..6),
        above in proptest::collection::vec("[a-cA-C]=[0-9]", 0..6),
    ) {
        let read = |texts: &[String]| texts.iter().map(|text| text.parse().unwrap()).collect::<Parameters>();
        let (below, above) = (read(&below), read(&above));
        let mut merged = below.clone();
        merged.merge(&above);
        for letter in ["a", "b", "c"] {
            let letter = name(letter);
            prop_assert_eq!(merged.get(&letter), above.get(&letter).or(below.get(&letter)));
        }
    }
}
