//! The environment of a container's processes: clean and small, so that nothing of the caller's own leaks in.

use std::path::Path;

use super::store::container_record::ContainerRecord;
use crate::Variable;

/// Names the root folder of the container, as its processes see it.
const ROOT: &str = "OCIMAN_ROOT";
/// Stands for the root folder in values of an image's environment.
const PLACEHOLDER: &str = "{root}";
/// What a process gets from the caller.
const PASSED_ON: [&str; 2] = ["PATH", "TZ"];
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// All variables of a process of a container: a few of the caller's, then the image's, the container's and `more`, of
/// which the later ones win.
pub(super) fn of(record: &ContainerRecord, more: &[Variable], root: &Path) -> Vec<(String, String)> {
    let root = root.to_string_lossy();
    let mut variables = vec![("PATH".to_owned(), DEFAULT_PATH.to_owned()), ("HOME".to_owned(), "/".to_owned())];
    for name in PASSED_ON {
        variables.extend(std::env::var(name).ok().map(|value| (name.to_owned(), value)));
    }
    for (name, value) in &record.image.environment {
        variables.push((name.clone(), value.replace(PLACEHOLDER, &root)));
    }
    variables.push((ROOT.to_owned(), root.into_owned()));
    variables.extend(record.environment.iter().cloned());
    variables.extend(more.iter().map(|variable| (variable.name.clone(), variable.expose().to_owned())));
    variables
}

/// The variables of a container as its makers gave them, as `NAME=VALUE`; the later of two wins.
pub(super) fn given(record: &ContainerRecord) -> Vec<String> {
    let mut given: Vec<(&str, &str)> = Vec::new();
    for (name, value) in record.image.environment.iter().chain(&record.environment) {
        given.retain(|(known, _)| known != name);
        given.push((name, value));
    }
    given.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}
