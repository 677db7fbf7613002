use proptest::prelude::*;

use super::grammar::{is_digest, is_reference};
use super::*;

// Patterns for the parts of a reference, which cover the variety that the grammar allows.
const DOMAIN: &str = r"(?x)
    ( [a-zA-Z0-9]([a-zA-Z0-9-]{0,4}[a-zA-Z0-9])?(\.[a-zA-Z0-9]{1,3}){0,2}
    | localhost
    | \[::[0-9a-fA-F]{1,4}\]
    )(:[0-9]{1,6})?";
const PATH: &str = r"(?x)
    [a-z0-9]{1,4}((\.|_|__|-{1,3})[a-z0-9]{1,3}){0,2}
    (/[a-z0-9]{1,4}((\.|_|__|-{1,3})[a-z0-9]{1,3}){0,2}){0,2}";
const TAG: &str = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,12}";
const DIGEST: &str = r"(?x)
    sha256:[0-9a-f]{64}
    | sha512:[0-9a-f]{128}
    | [A-Za-z][A-Za-z0-9]{0,4}([+._-][A-Za-z][A-Za-z0-9]{0,2}){0,2}:[0-9a-fA-F]{32,40}";

fn well_formed() -> impl Strategy<Value = String> {
    let part = |before: &'static str, rule: &'static str, after: &'static str| {
        let written = Strategy::prop_map(rule, move |text| format!("{before}{text}{after}"));
        proptest::option::of(written).prop_map(Option::unwrap_or_default)
    };
    let domain = part("", DOMAIN, "/");
    let (tag, digest) = (part(":", TAG, ""), part("@", DIGEST, ""));
    (domain, PATH, tag, digest).prop_map(|(domain, path, tag, digest)| format!("{domain}{path}{tag}{digest}"))
}

/// Generates near misses: well-formed references with one character overwritten.
fn damaged() -> impl Strategy<Value = String> {
    (well_formed(), any::<prop::sample::Index>(), r"[ -~é]{0,2}").prop_map(|(text, place, patch)| {
        let place = place.index(text.len());
        format!("{}{patch}{}", &text[..place], &text[place + 1..])
    })
}

fn anything() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), well_formed(), damaged(), r"[aA0.:/@_\-\[\]]{0,12}"]
}

/// Returns `true` if an error is about one of the rules that [`Reference`] documents in addition to the grammar.
fn is_beyond_the_grammar(error: ReferenceError) -> bool {
    matches!(
        error,
        ReferenceError::TooLong { .. }
            | ReferenceError::Port { .. }
            | ReferenceError::Ipv6Address
            | ReferenceError::Tag(TagError::TooLong { .. })
            | ReferenceError::Digest(DigestError::Length { .. } | DigestError::UpperCase { .. })
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn whatever_is_accepted_is_in_the_grammar(text in anything()) {
        if Reference::parse(&text).is_ok() {
            prop_assert!(is_reference(&text));
        }
    }

    #[test]
    fn whatever_is_in_the_grammar_is_accepted_up_to_the_documented_limits(text in anything()) {
        match Reference::parse(&text) {
            Err(error) if !is_beyond_the_grammar(error) => prop_assert!(!is_reference(&text), "{}", error),
            _ => {}
        }
    }

    #[test]
    fn a_reference_displays_as_it_was_written(text in anything()) {
        if let Ok(reference) = Reference::parse(&text) {
            prop_assert_eq!(reference.to_string(), text);
        }
    }

    #[test]
    fn the_name_consists_of_domain_and_path(text in well_formed()) {
        if let Ok(reference) = Reference::parse(&text) {
            let name = match reference.domain() {
                Some(domain) => format!("{domain}/{}", reference.path()),
                None => reference.path().to_owned(),
            };
            prop_assert_eq!(reference.name(), name);
            let bare = reference.clone().without_tag().without_digest();
            prop_assert_eq!(bare.to_string(), reference.name());
        }
    }

    #[test]
    fn the_canonical_form_is_a_reference_and_its_own_canonical_form(text in anything()) {
        if let Ok(reference) = Reference::parse(&text) {
            let canonical = reference.canonical();
            prop_assert!(canonical.domain().is_some());
            prop_assert_eq!(Reference::parse(&canonical.to_string()), Ok(canonical.clone()));
            prop_assert_eq!(canonical.canonical(), canonical);
        }
    }

    #[test]
    fn digests_follow_the_grammar_and_the_rules_of_registered_algorithms(
        text in prop_oneof![any::<String>(), DIGEST, "[aA0+.:_-]{0,6}:[0-9a-fA-F]{30,34}"],
    ) {
        match text.parse::<Digest>() {
            Ok(digest) => {
                prop_assert!(is_digest(&text));
                prop_assert_eq!(digest.to_string(), text.as_str());
                prop_assert_eq!(format!("{}:{}", digest.algorithm(), digest.hash()), text);
            }
            Err(DigestError::Length { .. } | DigestError::UpperCase { .. }) => {}
            Err(error) => prop_assert!(!is_digest(&text), "{}", error),
        }
    }

    #[test]
    fn a_tag_displays_as_it_was_written(text in TAG) {
        prop_assert_eq!(text.parse::<Tag>().unwrap().to_string(), text);
    }

    #[test]
    fn a_path_component_by_itself_is_a_reference(text in prop_oneof![any::<String>(), PATH, "[a0._-]{0,8}"]) {
        if let Ok(component) = text.parse::<PathComponent>() {
            let reference = parse(&text);
            prop_assert_eq!(reference.path(), component.as_str());
        }
    }
}
