//! Properties of this crate's parsers that must hold for any input, as functions that panic if a property is violated.
//! They are called by the fuzz targets (`fuzz/` in the repository) and by property tests. This module is not public
//! API: it exists only in tests and with the feature `fuzzing`, and may change at any time.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::str::FromStr;

use ociman::label::{Key, Labels};

use crate::config::{Config, Diagnostic};
use crate::model::session::Name;
use crate::model::{Image, InstanceName, ParameterAssignment, SeedHash, SeedName, label};

pub use crate::seed::fuzzing::{csv_header, psql_script};

#[cfg(test)]
mod tests;

/// Parses `text` as `database.toml`. Checks that the place of every error is in the text, and that its line, column and
/// span, and the shown line, agree.
pub fn config(text: &str) {
    let Err(diagnostics) = Config::parse(text, "database.toml") else { return };
    diagnostics.iter().for_each(|diagnostic| check_diagnostic(text, diagnostic));
    let starts: Vec<usize> = diagnostics.iter().map(|diagnostic| diagnostic.span().start).collect();
    assert!(starts.is_sorted(), "{starts:?}");
}

fn check_diagnostic(text: &str, diagnostic: &Diagnostic) {
    let span = diagnostic.span();
    assert_eq!(text.get(span.clone()), Some(diagnostic.offending()));

    let position = diagnostic.position();
    assert!(position.line <= text.split('\n').count(), "{position}");
    let line = text.lines().nth(position.line - 1).unwrap_or_default();
    let line = if position.line == 1 { line.strip_prefix('\u{feff}').unwrap_or(line) } else { line };
    assert_eq!(line, diagnostic.line_text());
    assert!(position.column >= 1 && position.column <= line.chars().count() + 1, "{position} in {line:?}");

    let in_line: String = line.chars().skip(position.column - 1).collect();
    let first_line = diagnostic.offending().lines().next().unwrap_or_default();
    assert!(in_line.starts_with(first_line), "{in_line:?} starts with {first_line:?}");
    assert!(!diagnostic.to_string().is_empty());
}

/// Reads `text` as the value of a container's labels, which any program may have written. Checks that each label is
/// read or refused, and that a value that is read survives being written.
pub fn labels(text: &str) {
    let of = |key: Key| Labels::from_iter([(key, label::value(text))]);
    if let Ok(Some(owner)) = label::owner(&of(label::OWNER_KEY)) {
        let written = serde_json::to_string(&owner).unwrap_or_default();
        let labels = Labels::from_iter([(label::OWNER_KEY, label::value(&written))]);
        assert_eq!(label::owner(&labels).ok(), Some(Some(owner.clone())));
        let _ = owner.liveness();
    }
    if let Ok(end) = label::expires(&of(label::EXPIRES_KEY)) {
        let end = end.and_then(|end| end.duration_since(std::time::UNIX_EPOCH).ok());
        assert_eq!(end.map(|end| end.as_secs()), text.replace('\0', "").parse().ok());
    }
}

/// Returns the labels of a layer as this crate writes them, with the value of one label replaced.
fn with_label(key: Key, text: &str) -> Labels {
    let own = [
        (label::VERSION_KEY, env!("CARGO_PKG_VERSION")),
        (label::INSTANCE_KEY, "main"),
        (label::IMAGE_KEY, "docker.io/library/postgres:17"),
        (label::SEEDS_KEY, "[]"),
        (label::SUPERUSER_USER_KEY, "postgres"),
        (label::SUPERUSER_DATABASE_KEY, "postgres"),
    ];
    let own = own.into_iter().map(|(key, text)| (key, label::value(text)));
    own.chain([(key, label::value(text))]).collect()
}

/// Reads the labels of a layer with `text` as the value of each in turn. Checks that seeds that are read survive being
/// written.
pub fn metadata(text: &str) {
    for key in label::ALL {
        let labels = with_label(key, text);
        let _ = label::read_container(&labels);
        let Ok(read) = label::read_image(&labels) else { continue };
        let seeds = serde_json::to_string(&read.seeds).unwrap_or_default();
        let again = label::read_image(&with_label(label::SEEDS_KEY, &seeds));
        assert_eq!(again.map(|again| again.seeds).ok(), Some(read.seeds), "{seeds}");
    }
    if let Ok(anything) = serde_json::from_str::<BTreeMap<String, String>>(text) {
        let labels = Labels::from_untrusted(anything);
        let _ = (label::read_container(&labels), label::read_image(&labels));
    }
}

/// Checks that a value that is parsed from the text equals the value that is parsed from its own display.
fn displays_as_itself<T: FromStr + Display + Debug + PartialEq>(text: &str) {
    let Ok(value) = text.parse::<T>() else { return };
    let again = value.to_string().parse::<T>();
    assert_eq!(again.ok(), Some(value), "{text:?}");
}

/// Parses `text` as every kind of name that users write. Checks that a parsed name displays as text that parses to the
/// same name.
pub fn names(text: &str) {
    displays_as_itself::<InstanceName>(text);
    displays_as_itself::<SeedName>(text);
    displays_as_itself::<Name>(text);
    displays_as_itself::<SeedHash>(text);
    displays_as_itself::<Image>(text);
    displays_as_itself::<ParameterAssignment>(text);
    if let Ok(name) = text.parse::<Name>() {
        assert_eq!(name.container_name().as_str().strip_prefix(Name::OCI_PREFIX), Some(text));
    }
    if let Ok(image) = text.parse::<Image>() {
        let reference = image.reference().to_string();
        assert_eq!(reference.parse::<Image>().map(|image| image.reference().to_string()).ok(), Some(reference));
    }
}
