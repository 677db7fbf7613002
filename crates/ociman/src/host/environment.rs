//! The environment of a container's processes. It is built from scratch and small, so that nothing of the caller's own
//! environment leaks in.

use std::path::Path;

use super::store::container_record::ContainerRecord;
use crate::Variable;

/// The variable with the root folder of the container, as its processes see it.
const ROOT: &str = "OCIMAN_ROOT";
/// The placeholder for the root folder in values of an image's environment.
const PLACEHOLDER: &str = "{root}";
/// The variables that a process gets from the caller.
const PASSED_ON: [&str; 2] = ["PATH", "TZ"];
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Returns all variables of a container's process: a few of the caller's, then the image's, the container's and `more`.
/// Later variables override earlier ones.
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

/// Returns the variables that the image and the run request set, as `NAME=VALUE`. Later variables override earlier
/// ones.
pub(super) fn given(record: &ContainerRecord) -> Vec<String> {
    let mut given: Vec<(&str, &str)> = Vec::new();
    for (name, value) in record.image.environment.iter().chain(&record.environment) {
        given.retain(|(known, _)| known != name);
        given.push((name, value));
    }
    given.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}
