//! Reports containers and images in the types that all backends share.

use super::environment;
use super::store::container_store::StoredContainer;
use super::store::image::ImageRecord;
use crate::command::ExitStatus;
use crate::label::{Key, Labels};
use crate::{ContainerInfo, ContainerName, ContainerState, ContainerSummary, ImageInfo, Reference};

/// Returns a container for a listing, with those of its labels that were requested.
pub(super) fn summary(container: &StoredContainer, labels: &[Key]) -> ContainerSummary {
    let record = &container.record;
    let wanted = labels.iter().filter_map(|key| Some((key.clone(), record.labels.get(key)?.clone())));
    ContainerSummary {
        id: record.id.clone(),
        name: container.name.clone(),
        labels: Labels::from_iter(wanted),
        state: container.state(),
        ports: record.bindings(),
    }
}

/// Returns the details of a container.
pub(super) fn container(container: &StoredContainer, name: ContainerName) -> ContainerInfo {
    let record = &container.record;
    let state = container.state();
    let exit = container.start.as_ref().and_then(|start| start.exit).filter(|_| state == ContainerState::Exited);
    ContainerInfo {
        id: record.id.clone(),
        name,
        labels: record.labels.clone(),
        state,
        exit_code: exit.map(ExitStatus::code),
        ports: record.bindings(),
        environment: environment::given(record),
        image_id: record.image_id.clone(),
    }
}

/// Returns the details of an image, given the names of all images.
pub(super) fn image(image: ImageRecord, names: &[(Reference, String)]) -> ImageInfo {
    let of_this = names.iter().filter(|(_, id)| *id == image.id);
    let environment = image.config.environment.iter().map(|(name, value)| format!("{name}={value}"));
    ImageInfo {
        diff_ids: image.config.diff_ids.clone(),
        os: std::env::consts::OS.to_owned(),
        architecture: architecture().to_owned(),
        labels: image.config.labels.clone(),
        environment: environment.collect(),
        names: of_this.map(|(name, _)| name.to_string()).collect(),
        volumes: Vec::new(),
        size: image.size,
        created: image.created,
        id: image.id,
    }
}

/// Returns this machine's architecture, by the name that images use for it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}
