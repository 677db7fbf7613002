//! Properties that hold for any output of an engine; see [`crate::fuzzing`].

use super::dialect::{DOCKER, PODMAN, Subject};
use super::{MESSAGE_LENGTH, parse};
use crate::engine::message::shorten;
use crate::label::Key;
use crate::{ContainerState, ContainerSummary, ImageSummary};

/// The labels that listings request.
pub(crate) const KEYS: [Key; 2] = [Key::from_static("pg-ephemeral.version"), Key::from_static("pg-ephemeral.seeds")];

/// Checks that blanks around an output make no difference.
fn same_with_blanks<T: PartialEq>(text: &str, read: impl Fn(&str) -> T) {
    assert!(read(text) == read(&format!("\n {text} \n")), "blanks matter around {text:?}");
}

/// Checks the parser of `version --format '{{json .}}'`.
pub fn version(text: &str) {
    same_with_blanks(text, parse::version);
}

/// Checks that containers have only requested labels, and that a label without a value counts as absent.
fn check_list(containers: &[ContainerSummary]) {
    for container in containers {
        for (key, value) in &container.labels {
            assert!(KEYS.contains(key), "{key}");
            assert!(!value.as_str().is_empty(), "{key}");
        }
    }
}

/// Parses the output of Docker's `ps`.
#[cfg(test)]
pub(crate) fn read_docker_list(text: &str) -> Option<Vec<ContainerSummary>> {
    parse::docker_list(text, &KEYS)
}

/// Parses the output of Podman's `ps`.
#[cfg(test)]
pub(crate) fn read_podman_list(text: &str) -> Option<Vec<ContainerSummary>> {
    parse::podman_list(text, &KEYS)
}

/// Checks the parser of Docker's `ps`, which prints one line of JSON for each container.
pub fn docker_list(text: &str) {
    let Some(containers) = parse::docker_list(text, &KEYS) else { return };
    check_list(&containers);
    assert_eq!(containers.len(), text.lines().filter(|line| !line.trim().is_empty()).count());
    let twice = parse::docker_list(&format!("{text}\n{text}"), &KEYS).unwrap_or_default();
    assert_eq!(twice, [containers.clone(), containers].concat());
}

/// Checks the parser of Podman's `ps`, which prints an array.
pub fn podman_list(text: &str) {
    check_list(&parse::podman_list(text, &KEYS).unwrap_or_default());
    same_with_blanks(text, |text| parse::podman_list(text, &KEYS));
}

/// Checks the parser of `container inspect` for both engines.
pub fn containers(text: &str) {
    for container in parse::containers(text).unwrap_or_default() {
        assert!(container.exit_code.is_none() || container.state == ContainerState::Exited, "{container:?}");
    }
    same_with_blanks(text, parse::containers);
}

/// Checks the parser of `image inspect` for both engines.
pub fn images(text: &str) {
    for image in parse::images(text).unwrap_or_default() {
        for entry in &image.environment {
            if let Some((name, _)) = entry.split_once('=') {
                assert!(image.variable(name).is_some(), "{name}");
            }
        }
        for name in &image.names {
            // The answer does not matter here, only that there is one.
            let _ = (DOCKER.names(&image, name), PODMAN.names(&image, name));
        }
    }
    same_with_blanks(text, parse::images);
}

fn check_images(images: &[ImageSummary]) {
    for image in images {
        assert_eq!(image.reference.canonical(), image.reference);
    }
}

/// Checks the parser of Docker's `images`, which prints one line of JSON for each name.
pub fn docker_images(text: &str) {
    let Some(images) = parse::docker_images(text) else { return };
    check_images(&images);
    assert!(images.len() <= text.lines().count());
}

/// Checks the parser of Podman's `images`, which prints an array with an entry for each name.
pub fn podman_images(text: &str) {
    let Some(images) = parse::podman_images(text) else { return };
    check_images(&images);
    assert!(images.is_sorted_by(|one, other| one.reference <= other.reference));
    same_with_blanks(text, parse::podman_images);
}

/// Checks how an engine's error message is classified and shortened.
pub fn message(text: &str) {
    let subject = Subject { container: "c", image: "i" };
    for dialect in [&DOCKER, &PODMAN] {
        let same = [dialect.classify("p", text, subject), dialect.classify("p", &text.to_uppercase(), subject)]
            .map(|error| error.map(|error| std::mem::discriminant(&error)));
        assert!(!text.is_ascii() || same[0] == same[1], "case matters in {text:?}");
        let _ = (dialect.is_own_message(text), dialect.is_being_removed(text));
    }
    for limit in [0, 1, 5, MESSAGE_LENGTH] {
        let shown = shorten(text, limit);
        let kept = shown.strip_prefix('…').unwrap_or(&shown);
        assert!(text.contains(kept), "{shown:?}");
        assert!(kept.chars().count() <= limit, "{shown:?} has more than {limit} characters");
    }
}
