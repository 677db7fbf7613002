//! What a backend tells of containers and images. Plain values, the same for every backend.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::label::Labels;
use crate::{ContainerName, Reference};

/// Where a container is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContainerState {
    /// Made, never started, or about to start.
    Created,
    /// Its process runs.
    Running,
    /// Its process is frozen.
    Paused,
    /// Its process has ended.
    Exited,
    /// Half removed, or in a state this crate does not know.
    Unknown,
}

/// A port of a container and the address at which it is reached from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PortBinding {
    /// The port in the container.
    pub container: u16,
    /// Where it is published.
    pub published: SocketAddr,
}

/// One container of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerSummary {
    /// The engine's identifier.
    pub id: String,
    /// Its name. An engine's container may have a name that this crate would not give; then this is what the engine said.
    pub name: String,
    /// The labels that were asked for, as far as the container has them. A label with an empty value counts as absent.
    pub labels: Labels,
    /// Where it is in its life.
    pub state: ContainerState,
    /// Published ports.
    pub ports: Vec<PortBinding>,
}

/// Everything a backend tells of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerInfo {
    /// The engine's identifier.
    pub id: String,
    /// Its name.
    pub name: ContainerName,
    /// All its labels.
    pub labels: Labels,
    /// Where it is in its life.
    pub state: ContainerState,
    /// The status its process ended with, once it has.
    pub exit_code: Option<i32>,
    /// Published ports.
    pub ports: Vec<PortBinding>,
    /// The environment it was made with, as `NAME=VALUE`.
    pub environment: Vec<String>,
    /// Identifier of its image.
    pub image_id: String,
}

/// Everything a backend tells of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageInfo {
    /// The engine's identifier; it differs between stores.
    pub id: String,
    /// Digests of its file system layers, lowest first: the same content has the same list on every engine.
    pub diff_ids: Vec<String>,
    /// Operating system, such as `linux`.
    pub os: String,
    /// Processor architecture, such as `amd64`.
    pub architecture: String,
    /// Its labels.
    pub labels: Labels,
    /// Its environment, as `NAME=VALUE`.
    pub environment: Vec<String>,
    /// The folders that are anonymous volumes of every container, and so never part of a commit.
    pub volumes: Vec<String>,
    /// Its names, as the engine writes them.
    pub names: Vec<String>,
    /// Size in bytes, as far as the engine tells.
    pub size: u64,
    /// When its content was made, by whoever made it; `None` when that is not told.
    pub created: Option<SystemTime>,
}

impl ImageInfo {
    /// The value of a variable of the image's environment.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment
            .iter()
            .filter_map(|entry| entry.split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
    }
}

/// One name of an image in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageSummary {
    /// The engine's identifier.
    pub id: String,
    /// The name and tag, in canonical form.
    pub reference: Reference,
}

/// What an engine tells of its own set-up, as far as it does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct EngineInfo {
    /// Where the engine keeps images and containers, on its machine.
    pub storage: Option<PathBuf>,
    /// Whether it runs without root's rights.
    pub is_rootless: bool,
    /// Where its service is reached; Podman without a service has none.
    pub endpoint: Option<String>,
}

/// What kind of backend, and which version of it, answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Version of the client program, or of this crate on the host backend.
    pub client: String,
    /// Version of the engine, where it is apart from the client.
    pub server: Option<String>,
}
