//! Tags, digests and path components on their own.

use super::*;

fn refuse_digest(text: &str) -> DigestError {
    text.parse::<Digest>().unwrap_err()
}

#[test]
fn tags_of_the_grammar_are_accepted() {
    for text in ["latest", "17", "17.2-alpine", "_", "A_b.C-d", "1.", "1--"] {
        assert_eq!(text.parse::<Tag>().unwrap().as_str(), text);
    }
}

#[test]
fn the_longest_tag_has_128_bytes() {
    assert!("t".repeat(128).parse::<Tag>().is_ok());
    assert_eq!("t".repeat(129).parse::<Tag>(), Err(TagError::TooLong { length: 129 }));
}

#[test]
fn each_fault_in_a_tag_has_its_own_kind_of_error() {
    let first = |character| TagError::FirstCharacter { character, offset: 0 };
    let later = |character, offset| TagError::Character { character, offset };
    for (text, error) in [
        ("", TagError::Empty),
        (".1", first('.')),
        ("-1", first('-')),
        (" ", later(' ', 0)),
        ("1/2", later('/', 1)),
        ("1é", later('é', 1)),
        ("1\n", later('\n', 1)),
    ] {
        assert_eq!(text.parse::<Tag>(), Err(error), "{text:?}");
    }
}

#[test]
fn a_literal_tag_is_checked_at_compile_time() {
    const TAG: Tag = Tag::from_static("17");
    assert_eq!(Ok(TAG), "17".parse());
    const { assert!(Tag::check("1 7").is_err()) };
}

#[test]
fn digests_of_registered_algorithms_have_their_exact_length() {
    for (algorithm, expected) in [("sha256", 64), ("sha384", 96), ("sha512", 128), ("blake3", 64)] {
        let with = |length: usize| format!("{algorithm}:{}", "0f".repeat(length / 2));
        let digest: Digest = with(expected).parse().unwrap();
        assert_eq!((digest.algorithm(), digest.hash().len()), (algorithm, expected));
        for length in [0, expected - 2, expected + 2] {
            assert_eq!(refuse_digest(&with(length)), DigestError::Length { algorithm, expected, length });
        }
    }
}

#[test]
fn digests_of_registered_algorithms_are_lower_case() {
    let text = SHA256.replace("abc", "aBc");
    assert_eq!(refuse_digest(&text), DigestError::UpperCase { algorithm: "sha256", character: 'B', offset: 18 });
}

#[test]
fn digests_of_other_algorithms_have_at_least_32_digits() {
    for algorithm in ["sha256+b64", "tarsum.v1+sha256", "a-B_c.d+E5", "md5", "SHA256"] {
        let text = format!("{algorithm}:{}", "fF".repeat(16));
        let digest: Digest = text.parse().unwrap();
        assert_eq!((digest.algorithm(), digest.as_str()), (algorithm, text.as_str()));
    }
    assert_eq!(refuse_digest(&format!("md5:{}", "f".repeat(31))), DigestError::TooShort { length: 31 });
}

#[test]
fn each_fault_in_a_digest_has_its_own_kind_of_error() {
    let part = |offset| DigestError::AlgorithmPart { offset };
    for (text, error) in [
        ("", DigestError::Empty),
        ("sha256", DigestError::NoColon),
        (":0", part(0)),
        ("7z:0", part(0)),
        ("+a:0", part(0)),
        ("a++b:0", part(2)),
        ("a+:0", part(2)),
        ("a.7:0", part(2)),
        ("a/b:0", DigestError::AlgorithmCharacter { character: '/', offset: 1 }),
        ("sha256:0g", DigestError::HashCharacter { character: 'g', offset: 8 }),
        ("sha256:é", DigestError::HashCharacter { character: 'é', offset: 7 }),
        ("md5:0:1", DigestError::HashCharacter { character: ':', offset: 5 }),
    ] {
        assert_eq!(refuse_digest(text), error, "{text}");
    }
}

#[test]
fn path_components_of_the_grammar_are_accepted() {
    for text in ["a", "0", "a.b", "a_b", "a__b", "a-b", "a---b", "pg-ephemeral", "1.2_3__4-5"] {
        assert_eq!(text.parse::<PathComponent>().unwrap().as_str(), text);
    }
}

#[test]
fn a_path_component_contains_no_slash_and_is_not_empty() {
    let refused = "a/b".parse::<PathComponent>();
    assert_eq!(refused, Err(PathComponentError::Character { character: '/', offset: 1 }));
    assert_eq!("".parse::<PathComponent>(), Err(PathComponentError::Empty { offset: 0 }));
}

#[test]
fn the_longest_path_component_has_255_bytes() {
    assert!("a".repeat(255).parse::<PathComponent>().is_ok());
    assert_eq!("a".repeat(256).parse::<PathComponent>(), Err(PathComponentError::TooLong { length: 256 }));
}

#[test]
fn serde_uses_the_text_form_of_tags_and_digests() {
    let tag: Tag = serde_json::from_str(r#""17""#).unwrap();
    assert_eq!(serde_json::to_string(&tag).unwrap(), r#""17""#);
    let digest: Digest = serde_json::from_str(&format!("{SHA256:?}")).unwrap();
    assert_eq!(serde_json::to_string(&digest).unwrap(), format!("{SHA256:?}"));
    assert!(serde_json::from_str::<Tag>(r#""1 7""#).is_err());
    assert!(serde_json::from_str::<Digest>(r#""sha256:0""#).is_err());
}
