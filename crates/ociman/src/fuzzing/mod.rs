//! Properties that hold for any text that a parser of this crate is given, as functions that panic if a property is
//! violated. Fuzz targets (`fuzz/` in the repository) and property tests call the same functions. This is not a public
//! interface: it exists only in tests and with the feature `fuzzing`, and may change at any time.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::label::{Key, KeyError, Value, ValueError};
use crate::text::character_at;
use crate::{ContainerName, ContainerNameError, Digest, PathComponent, Reference, Tag};

pub use crate::engine::fuzzing::{
    containers, docker_images, docker_list, images, message, podman_images, podman_list, version,
};

#[cfg(test)]
mod generate;
#[cfg(test)]
mod tests;

/// Checks that a valid text displays as it was written and survives a round trip through JSON.
fn round_trip<T>(text: &str)
where
    T: FromStr + Display + Debug + PartialEq + Serialize + DeserializeOwned,
{
    let json = serde_json::Value::from(text);
    let Ok(value) = text.parse::<T>() else {
        assert!(serde_json::from_value::<T>(json).is_err(), "JSON takes {text:?}");
        return;
    };
    assert_eq!(value.to_string(), text);
    assert_eq!(serde_json::to_value(&value).ok(), Some(json.clone()));
    assert_eq!(serde_json::from_value::<T>(json).ok(), Some(value));
}

/// Checks that the offset in an error is the first byte of the character that the error names.
fn is_at(text: &str, offset: usize, character: char) {
    assert!(text.is_char_boundary(offset), "{offset} in {text:?}");
    assert!(text[offset..].starts_with(character), "{character:?} at {offset} in {text:?}");
}

/// Checks the parsers of a reference to an image and of each of its parts.
pub fn reference(text: &str) {
    round_trip::<Reference>(text);
    for part in text.split(['/', ':', '@']) {
        if part.parse::<Tag>().is_ok() {
            assert_eq!(part.parse::<Tag>().map(|tag| tag.to_string()).as_deref(), Ok(part));
        }
        if part.parse::<PathComponent>().is_ok() {
            assert_eq!(Reference::parse(part).map(|reference| reference.path().to_owned()).as_deref(), Ok(part));
        }
    }
    if let Some((_, digest)) = text.split_once('@') {
        assert!(digest.parse::<Digest>().is_ok() || Reference::parse(text).is_err(), "{text:?}");
    }
    let Ok(reference) = Reference::parse(text) else { return };
    let canonical = reference.canonical();
    assert!(canonical.domain().is_some(), "{canonical}");
    assert_eq!(Reference::parse(&canonical.to_string()).as_ref(), Ok(&canonical));
    assert_eq!(canonical.canonical(), canonical);
    assert_eq!(reference.without_tag().without_digest().to_string(), reference_name(text));
}

/// Returns what stands before the tag and the digest.
fn reference_name(text: &str) -> &str {
    let tagged = text.split_once('@').map_or(text, |(tagged, _)| tagged);
    match tagged.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => tagged,
    }
}

/// Checks the parser of container names.
pub fn container_name(text: &str) {
    round_trip::<ContainerName>(text);
    match text.parse::<ContainerName>() {
        Ok(_) => assert!(text.is_ascii() && !text.is_empty() && text.len() <= ContainerName::MAX_LENGTH),
        Err(ContainerNameError::Empty) => assert!(text.is_empty()),
        Err(ContainerNameError::TooLong { length }) => assert_eq!(length, text.len()),
        Err(ContainerNameError::FirstCharacter { character }) => is_at(text, 0, character),
        Err(ContainerNameError::Character { character, offset }) => is_at(text, offset, character),
    }
}

/// Checks the parsers of a label's key and value.
pub fn label(text: &str) {
    round_trip::<Key>(text);
    round_trip::<Value>(text);
    match text.parse::<Key>() {
        Ok(key) => assert!(key.as_str().len() <= Key::MAX_LENGTH),
        Err(KeyError::Empty) => assert!(text.is_empty()),
        Err(KeyError::TooLong { length }) => assert_eq!(length, text.len()),
        Err(KeyError::Character { character, offset }) => is_at(text, offset, character),
    }
    if let Err(ValueError::Nul { offset }) = text.parse::<Value>() {
        assert_eq!(text.find('\0'), Some(offset));
    }
    for (offset, character) in text.char_indices() {
        assert_eq!(character_at(text, offset), character);
    }
}
