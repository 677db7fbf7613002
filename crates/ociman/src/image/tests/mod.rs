use super::*;

mod grammar;
mod parts;
mod properties;

const SHA256: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn parse(text: &str) -> Reference {
    Reference::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refuse(text: &str) -> ReferenceError {
    match Reference::parse(text) {
        Ok(reference) => panic!("{text} was read as {reference:?}"),
        Err(error) => error,
    }
}

#[test]
fn every_part_is_found() {
    let reference = parse(&format!("registry.example.com:5000/acme/app:1.2@{SHA256}"));
    assert_eq!(reference.domain(), Some("registry.example.com:5000"));
    assert_eq!(reference.path(), "acme/app");
    assert_eq!(reference.name(), "registry.example.com:5000/acme/app");
    assert_eq!(reference.tag().map(Tag::as_str), Some("1.2"));
    assert_eq!(reference.digest().map(Digest::as_str), Some(SHA256));
}

#[test]
fn a_bare_name_is_a_path_without_domain() {
    let reference = parse("postgres");
    assert_eq!((reference.domain(), reference.path(), reference.name()), (None, "postgres", "postgres"));
    assert_eq!((reference.tag(), reference.digest()), (None, None));
}

#[test]
fn the_first_component_is_the_domain_when_it_looks_like_a_registry() {
    for (text, domain, path) in [
        ("test.com:8080", None, "test.com"),
        ("test.com/app", Some("test.com"), "app"),
        ("test:5000/app", Some("test:5000"), "app"),
        ("localhost/app", Some("localhost"), "app"),
        ("localhost", None, "localhost"),
        ("Acme/app", Some("Acme"), "app"),
        ("acme/app", None, "acme/app"),
        ("acme/localhost", None, "acme/localhost"),
        ("127.0.0.1/app", Some("127.0.0.1"), "app"),
        ("127.0.0.1:5000/a/b/c", Some("127.0.0.1:5000"), "a/b/c"),
        ("[::1]/app", Some("[::1]"), "app"),
        ("[2001:DB8::1]:5000/app", Some("[2001:DB8::1]:5000"), "app"),
        ("xn--n3h.com/app", Some("xn--n3h.com"), "app"),
        ("a-b.c-d:1/app", Some("a-b.c-d:1"), "app"),
        ("foo_bar.com/app", None, "foo_bar.com/app"),
        ("foo/foo_bar.com", None, "foo/foo_bar.com"),
        ("b.gcr.io/test.example.com/my-app", Some("b.gcr.io"), "test.example.com/my-app"),
    ] {
        let reference = parse(text);
        assert_eq!((reference.domain(), reference.path()), (domain, path), "{text}");
        assert_eq!(reference.to_string(), text);
    }
}

#[test]
fn a_colon_after_the_last_slash_starts_the_tag() {
    let reference = parse("foo_bar.com:8080");
    assert_eq!((reference.domain(), reference.path()), (None, "foo_bar.com"));
    assert_eq!(reference.tag().map(Tag::as_str), Some("8080"));
    assert_eq!(parse("lowercase:Uppercase").tag().map(Tag::as_str), Some("Uppercase"));
}

#[test]
fn an_error_has_the_kind_and_the_position_of_the_fault() {
    use PathComponentError::{Character, Empty, Separator, UpperCase};
    let path = ReferenceError::Path;
    for (text, error) in [
        ("", ReferenceError::Empty),
        ("https://ghcr.io/app", ReferenceError::Scheme { offset: 5 }),
        (":tag", path(Empty { offset: 0 })),
        ("/app", path(Empty { offset: 0 })),
        ("a//b", path(Empty { offset: 2 })),
        ("ghcr.io/", path(Empty { offset: 8 })),
        ("Uppercase:tag", path(UpperCase { character: 'U', offset: 0 })),
        ("ghcr.io/a/Bc", path(UpperCase { character: 'B', offset: 10 })),
        ("ghcr.io/a b", path(Character { character: ' ', offset: 9 })),
        ("[::1]:5000", path(Character { character: '[', offset: 0 })),
        ("a/é", path(Character { character: 'é', offset: 2 })),
        ("ghcr.io/-a", path(Separator { offset: 8 })),
        ("a..b", path(Separator { offset: 1 })),
        ("aa/a_", path(Separator { offset: 4 })),
        ("a/b___c", path(Separator { offset: 3 })),
        ("a/b.-c", path(Separator { offset: 3 })),
        ("gh!cr.io/app", ReferenceError::HostCharacter { character: '!', offset: 2 }),
        ("Foo_bar/app", ReferenceError::HostCharacter { character: '_', offset: 3 }),
        ("ghcr..io/app", ReferenceError::HostPart { offset: 5 }),
        ("-test.com/app", ReferenceError::HostPart { offset: 0 }),
        ("test-.com/app", ReferenceError::HostPart { offset: 0 }),
        (".test/app", ReferenceError::HostPart { offset: 0 }),
        (":80/app", ReferenceError::HostPart { offset: 0 }),
        ("test:/app", ReferenceError::Port { offset: 5 }),
        ("test:x/app", ReferenceError::Port { offset: 5 }),
        ("test:+80/app", ReferenceError::Port { offset: 5 }),
        ("test:65536/app", ReferenceError::Port { offset: 5 }),
        ("[::1]80/app", ReferenceError::Port { offset: 5 }),
        ("[::1/app", ReferenceError::Ipv6Address),
        ("[::1::]/app", ReferenceError::Ipv6Address),
        ("[fe80::1%eth0]/app", ReferenceError::Ipv6Address),
        ("[::ffff:1.2.3.4]/app", ReferenceError::Ipv6Address),
        ("app:", ReferenceError::Tag(TagError::Empty)),
        ("app:-1", ReferenceError::Tag(TagError::FirstCharacter { character: '-', offset: 4 })),
        ("a/app:x:y", ReferenceError::Tag(TagError::Character { character: ':', offset: 7 })),
        ("app@", ReferenceError::Digest(DigestError::Empty)),
        ("app@sha256", ReferenceError::Digest(DigestError::NoColon)),
        ("app:1@sha256:xy", ReferenceError::Digest(DigestError::HashCharacter { character: 'x', offset: 13 })),
    ] {
        assert_eq!(refuse(text), error, "{text}");
    }
}

#[test]
fn the_leftmost_fault_is_reported() {
    assert!(matches!(refuse("A:-@"), ReferenceError::Path(_)));
    assert!(matches!(refuse("a:-@"), ReferenceError::Tag(_)));
}

#[test]
fn an_error_says_what_was_found_and_where() {
    for (text, message) in [
        ("Postgres", "path of the image has upper-case 'P' at byte 0, its letters are lower-case"),
        ("test:x/app", "registry of the image has no port number (up to 65535) at byte 5"),
        ("app:a+b", "tag has '+' at byte 5, allowed are ASCII letters, digits, `_`, `.` and `-`"),
        ("app@sha256:00", "hash of the digest has 2 digits, sha256 has 64"),
    ] {
        assert_eq!(refuse(text).to_string(), message);
    }
}

#[test]
fn the_longest_name_has_255_bytes() {
    let nested = format!("{}a", "a/".repeat(127));
    assert_eq!(parse(&format!("{nested}:{}", "t".repeat(128))).name().len(), 255);
    assert_eq!(refuse(&format!("{nested}b")), ReferenceError::TooLong { length: 256 });
    assert_eq!(refuse(&"a".repeat(256)), ReferenceError::TooLong { length: 256 });
    assert_eq!(refuse(&format!("ghcr.io/{}", "a".repeat(248))), ReferenceError::TooLong { length: 256 });
}

#[test]
fn the_longest_name_stays_valid_when_it_becomes_canonical() {
    for text in ["a".repeat(255), format!("{}/b", "a".repeat(253)), format!("index.docker.io/{}", "a".repeat(239))] {
        let canonical = parse(&text).canonical();
        assert_eq!(parse(&canonical.to_string()), canonical);
    }
}

#[test]
fn the_canonical_name_is_the_name_that_docker_uses() {
    for (text, canonical) in [
        ("postgres", "docker.io/library/postgres"),
        ("postgres:17", "docker.io/library/postgres:17"),
        ("acme/app", "docker.io/acme/app"),
        ("library/postgres", "docker.io/library/postgres"),
        ("docker.io/postgres", "docker.io/library/postgres"),
        ("index.docker.io/postgres:17", "docker.io/library/postgres:17"),
        ("index.docker.io/acme/app", "docker.io/acme/app"),
        ("docker.io/library/postgres", "docker.io/library/postgres"),
        ("docker.io/acme/app", "docker.io/acme/app"),
        ("docker.io:443/postgres", "docker.io:443/postgres"),
        ("localhost/app", "localhost/app"),
        ("ghcr.io/app", "ghcr.io/app"),
        ("foo_bar.com/app", "docker.io/foo_bar.com/app"),
    ] {
        assert_eq!(parse(text).canonical().to_string(), canonical);
    }
}

#[test]
fn the_canonical_form_keeps_tag_and_digest() {
    let text = format!("app:1@{SHA256}");
    assert_eq!(parse(&text).canonical().to_string(), format!("docker.io/library/{text}"));
}

#[test]
fn tag_and_digest_can_be_set_and_removed() {
    let digest: Digest = SHA256.parse().unwrap();
    let plain = parse("ghcr.io/app");
    let tagged = plain.clone().with_tag(Tag::from_static("1"));
    let pinned = tagged.clone().with_digest(digest);
    assert_eq!(tagged.to_string(), "ghcr.io/app:1");
    assert_eq!(pinned.to_string(), format!("ghcr.io/app:1@{SHA256}"));
    assert_eq!(pinned.clone().with_tag(Tag::from_static("2")).to_string(), format!("ghcr.io/app:2@{SHA256}"));
    assert_eq!(pinned.clone().without_digest(), tagged);
    assert_eq!(pinned.without_tag().without_digest(), plain);
}

#[test]
fn an_official_image_is_the_canonical_form_of_its_bare_name() {
    let official = Reference::docker_official_image(PathComponent::from_static("postgres"));
    assert_eq!(official, parse("postgres").canonical());
    assert_eq!(official, parse(&official.to_string()));
}

#[test]
fn serde_uses_the_text_form_and_checks_it() {
    let reference = parse("ghcr.io/app:1");
    assert_eq!(serde_json::to_string(&reference).unwrap(), r#""ghcr.io/app:1""#);
    assert_eq!(serde_json::from_str::<Reference>(r#""ghcr.io/app:1""#).unwrap(), reference);
    let refused = serde_json::from_str::<Reference>(r#""app:""#).unwrap_err();
    assert!(refused.to_string().starts_with("tag is empty"), "{refused}");
}
