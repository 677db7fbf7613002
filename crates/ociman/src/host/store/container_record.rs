//! What the host backend stores when it creates a container: how the container runs.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::image::{HostImageConfig, ImageRecord, RunAs};
use crate::command::UserIds;
use crate::error::HostError;
use crate::host::process::{signal, user};
use crate::label::Labels;
use crate::{Lifetime, PortBinding, RunSpec, VariableValue};

/// How a container runs: everything that is needed to start it, also again. Secret values are not part of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ContainerRecord {
    pub(crate) id: String,
    pub(crate) image_id: String,
    /// The configuration of the container's image, for a commit.
    pub(crate) image: HostImageConfig,
    pub(crate) labels: Labels,
    /// The program and its arguments.
    #[serde(rename = "words")]
    pub(crate) argv: Vec<String>,
    /// Variables in addition to the image's.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) folder: PathBuf,
    /// The user and group to change to.
    pub(crate) user: Option<(u32, u32)>,
    pub(crate) stop_signal: String,
    pub(crate) ports: Vec<(u16, SocketAddr)>,
    pub(crate) dies_with_owner: bool,
}

impl ContainerRecord {
    pub(crate) fn new(id: String, spec: &RunSpec, image: &ImageRecord) -> Result<Self, HostError> {
        let config = &image.config;
        let argv = argv(spec, config);
        if argv.first().is_none_or(String::is_empty) {
            let (container, image) = (spec.name.to_string(), spec.image.to_string());
            return Err(HostError::NoProgram { container, image });
        }
        let stop_signal = spec.stop_signal.clone().unwrap_or_else(|| config.stop_signal.clone());
        // An invalid signal is reported now rather than when it has to be sent.
        signal::parse(&stop_signal)?;
        signal::parse(&config.removal_signal)?;
        Ok(Self {
            id,
            image_id: image.id.clone(),
            image: config.clone(),
            labels: merge_labels(&config.labels, &spec.labels),
            argv,
            environment: open_variables(spec),
            folder: spec.folder.clone().or_else(|| config.folder.clone()).unwrap_or_else(|| PathBuf::from("/")),
            user: user_of(spec, config)?.map(|ids| (ids.uid, ids.gid)),
            stop_signal,
            ports: ports(spec),
            dies_with_owner: spec.lifetime == Lifetime::Owner,
        })
    }

    pub(crate) fn user(&self) -> Option<UserIds> {
        self.user.map(|(uid, gid)| UserIds { uid, gid })
    }

    pub(crate) fn bindings(&self) -> Vec<PortBinding> {
        self.ports.iter().map(|&(container, published)| PortBinding { container, published }).collect()
    }
}

fn argv(spec: &RunSpec, config: &HostImageConfig) -> Vec<String> {
    // As with engines, another entrypoint makes the image's command meaningless.
    let (entrypoint, command) = match &spec.entrypoint {
        Some(entrypoint) => (entrypoint, &[][..]),
        None => (&config.entrypoint, config.command.as_slice()),
    };
    let arguments = if spec.arguments.is_empty() { command } else { &spec.arguments };
    entrypoint.iter().chain(arguments).cloned().collect()
}

fn open_variables(spec: &RunSpec) -> Vec<(String, String)> {
    let open = spec.environment.iter().filter_map(|variable| match &variable.value {
        VariableValue::Plain(value) => Some((variable.name.clone(), value.clone())),
        VariableValue::Secret(_) => None,
    });
    open.collect()
}

fn user_of(spec: &RunSpec, config: &HostImageConfig) -> Result<Option<UserIds>, HostError> {
    let wanted = match (&spec.user, config.run_as) {
        (Some(text), _) => user::parse(text)?,
        (None, RunAs::User(ids)) => ids,
        (None, RunAs::Caller) => return Ok(None),
    };
    user::change_to(wanted)
}

fn ports(spec: &RunSpec) -> Vec<(u16, SocketAddr)> {
    let given = spec.ports.iter();
    given.filter_map(|port| Some((port.container, SocketAddr::new(port.address, port.port?)))).collect()
}

/// Returns the labels of `below`, overridden by those of `above`. A label with an empty value counts as absent.
pub(crate) fn merge_labels(below: &Labels, above: &Labels) -> Labels {
    let mut merged = below.clone();
    merged.extend(above.clone());
    merged.into_iter().filter(|(_, value)| !value.as_str().is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_with_an_empty_value_hides_the_one_below() {
        let label = |key: &str, value: &str| (key.parse().unwrap(), value.parse().unwrap());
        let below = Labels::from_iter([label("a", "1"), label("b", "2")]);
        let above = Labels::from_iter([label("a", ""), label("c", "3")]);
        assert_eq!(merge_labels(&below, &above), Labels::from_iter([label("b", "2"), label("c", "3")]));
    }
}
