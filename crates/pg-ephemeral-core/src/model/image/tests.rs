use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

const SHA256: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn parse(text: &str) -> Image {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refuse(text: &str) -> ImageError {
    text.parse::<Image>().unwrap_err()
}

#[test]
fn a_version_is_a_tag_of_the_official_image() {
    for (text, major) in [
        ("17", Some(17)),
        ("17.2", Some(17)),
        ("9.6.24", Some(9)),
        ("17-alpine", Some(17)),
        ("17.2-alpine3.21", Some(17)),
        ("18beta1", Some(18)),
        ("19alpha2", Some(19)),
        ("18rc1-bookworm", Some(18)),
        ("9.5rc1", Some(9)),
        ("latest", None),
    ] {
        let image = parse(text);
        assert_eq!(image.reference().to_string(), format!("docker.io/library/postgres:{text}"));
        assert_eq!(image.official_major(), major, "{text}");
        assert_eq!(image.is_latest(), text == "latest", "{text}");
        assert_eq!(image.to_string(), text);
    }
}

#[test]
fn a_version_can_be_pinned_by_a_digest() {
    for tag in ["17", "17-alpine", "latest"] {
        let image = parse(&format!("{tag}@{SHA256}"));
        assert_eq!(image.reference().to_string(), format!("docker.io/library/postgres:{tag}@{SHA256}"));
        assert_eq!(image.is_latest(), tag == "latest");
    }
    let refused = refuse("17@sha256:0f");
    assert_eq!(refused, ImageError::Digest(DigestError::Length { algorithm: "sha256", expected: 64, length: 2 }));
    assert!(refused.hint().is_some());
}

#[test]
fn text_with_a_slash_is_a_full_reference() {
    for (text, canonical, major) in [
        ("docker.io/library/postgres:17", "docker.io/library/postgres:17", Some(17)),
        ("library/postgres:16-alpine", "docker.io/library/postgres:16-alpine", Some(16)),
        ("index.docker.io/postgres:15.1", "docker.io/library/postgres:15.1", Some(15)),
        ("docker.io/library/postgres:trixie", "docker.io/library/postgres:trixie", None),
        ("ghcr.io/acme/postgres:17", "ghcr.io/acme/postgres:17", None),
        ("postgis/postgis:17-3.5", "docker.io/postgis/postgis:17-3.5", None),
        ("localhost/mine", "localhost/mine:latest", None),
        ("localhost:5000/library/postgres:17", "localhost:5000/library/postgres:17", None),
    ] {
        let image = parse(text);
        assert_eq!(image.reference().to_string(), canonical);
        assert_eq!(image.official_major(), major, "{text}");
        assert_eq!(image.to_string(), text);
    }
}

#[test]
fn a_reference_without_tag_and_digest_is_latest() {
    assert!(parse("docker.io/library/postgres").is_latest());
    assert!(parse("docker.io/library/postgres:latest").is_latest());
    assert!(!parse("ghcr.io/acme/postgres").is_latest());

    let pinned = parse(&format!("docker.io/library/postgres@{SHA256}"));
    assert_eq!(pinned.reference().tag(), None);
    assert!(!pinned.is_latest());
    assert_eq!(pinned.official_major(), None);
}

#[test]
fn text_without_a_slash_that_is_not_a_version_is_refused_with_a_hint() {
    for text in [
        "postgres",
        "postgres:17",
        "ubuntu",
        "alpine",
        "Latest",
        "latest-alpine",
        "v17",
        "017",
        "0",
        "17.",
        "17..2",
        ".17",
        "17x",
        "17rc",
        "17rc1beta1",
        "17-",
        "17--alpine",
        "17_alpine",
        "17 ",
        " 17",
        "1７",
        "99999999999",
        "@",
    ] {
        let refused = refuse(text);
        assert_eq!(refused, ImageError::BareName { text: text.to_owned() }, "{text}");
        assert!(refused.hint().unwrap().contains("docker.io/library/postgres:17"));
    }
    assert_eq!(
        refuse("postgres").to_string(),
        r#"image "postgres" is neither a version of the official image nor a full reference"#
    );
}

#[test]
fn an_empty_image_is_refused() {
    assert_eq!(refuse(""), ImageError::Empty);
}

#[test]
fn the_error_of_an_invalid_reference_says_what_is_wrong() {
    let refused = refuse("ghcr.io/Acme");
    assert!(matches!(refused, ImageError::Reference(ReferenceError::Path(_))));
    assert_eq!(refused.to_string(), "path of the image has upper-case 'A' at byte 8, its letters are lower-case");
}

#[test]
fn the_default_is_the_newest_official_image() {
    let image = Image::default();
    assert_eq!(image.to_string(), Image::DEFAULT);
    assert_eq!(image, parse(Image::DEFAULT));
    assert!(image.is_latest());
}

#[test]
fn images_with_the_same_reference_are_equal() {
    let short = parse("17");
    let long = parse("docker.io/library/postgres:17");
    assert_eq!(short, long);
    assert_eq!(HashSet::from([short.clone(), long]).len(), 1);
    assert_ne!(short, parse("17.0"));
}

#[test]
fn serde_goes_through_the_string_as_written() {
    let image: Image = serde_json::from_str(r#""library/postgres:17""#).unwrap();
    assert_eq!(serde_json::to_string(&image).unwrap(), r#""library/postgres:17""#);
    let refused = serde_json::from_str::<Image>(r#""postgres""#).unwrap_err();
    assert!(refused.to_string().starts_with(r#"image "postgres" is neither"#), "{refused}");
}

/// The syntax of versions in the documentation of `Image`.
const VERSION: &str = r"[1-9][0-9]{0,3}(\.[0-9]{1,2}){0,2}((alpha|beta|rc)[0-9]{1,2})?(-[a-z0-9][a-z0-9._-]{0,9})?";

proptest! {
    #[test]
    fn the_major_number_of_every_version_is_found(version in VERSION) {
        let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
        prop_assert_eq!(parse(&version).official_major(), digits.parse().ok());
    }

    #[test]
    fn an_image_displays_as_it_was_written(
        text in prop_oneof![any::<String>(), VERSION, "[a-z0-9./:@-]{0,12}", "[a-z0-9]{1,3}/[a-z]{1,3}:[a-z0-9]{1,3}"],
    ) {
        if let Ok(image) = text.parse::<Image>() {
            prop_assert_eq!(image.to_string(), text);
        }
    }

    #[test]
    fn the_reference_of_an_image_means_the_same_image(
        text in prop_oneof![VERSION, "[a-z0-9]{1,3}/[a-z]{1,3}(:[a-z0-9]{1,3})?"],
    ) {
        let image = parse(&text);
        prop_assert_eq!(parse(&image.reference().to_string()), image);
    }
}
