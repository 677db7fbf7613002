//! What a backend reports of containers and images. Plain values, the same for every backend.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::label::Labels;
use crate::{ContainerName, Reference};

/// The state of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContainerState {
    /// Created but never started, or about to start.
    Created,
    /// The container's process is running.
    Running,
    /// The container's process is paused.
    Paused,
    /// The container's process has ended.
    Exited,
    /// Half removed, or in a state that this crate does not know.
    Unknown,
}

/// A port of a container and the address at which it is reached from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PortBinding {
    /// The port in the container.
    pub container: u16,
    /// The address on which the port is published.
    pub published: SocketAddr,
}

/// One container in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerSummary {
    /// The engine's ID of the container.
    pub id: String,
    /// The container's name, as the backend reports it. On an engine, it may not be a valid [`ContainerName`].
    pub name: String,
    /// Those of the requested labels that the container has. A label with an empty value counts as absent.
    pub labels: Labels,
    /// The container's state.
    pub state: ContainerState,
    /// Published ports.
    pub ports: Vec<PortBinding>,
}

/// The details of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerInfo {
    /// The engine's ID of the container.
    pub id: String,
    /// The container's name.
    pub name: ContainerName,
    /// All labels of the container.
    pub labels: Labels,
    /// The container's state.
    pub state: ContainerState,
    /// The exit code of the container's process, if it has ended and the code is known.
    pub exit_code: Option<i32>,
    /// Published ports.
    pub ports: Vec<PortBinding>,
    /// The environment with which the container was created, as `NAME=VALUE`.
    pub environment: Vec<String>,
    /// The ID of the container's image.
    pub image_id: String,
}

/// The details of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageInfo {
    /// The engine's ID of the image. It differs between image stores.
    pub id: String,
    /// The digests of the image's file system layers, lowest first. The same content has the same list on every engine.
    pub diff_ids: Vec<String>,
    /// The operating system, such as `linux`.
    pub os: String,
    /// The processor architecture, such as `amd64`.
    pub architecture: String,
    /// The image's labels.
    pub labels: Labels,
    /// The image's environment, as `NAME=VALUE`.
    pub environment: Vec<String>,
    /// The folders that become anonymous volumes in every container, and so are never part of a commit.
    pub volumes: Vec<String>,
    /// The image's names, as the engine writes them.
    pub names: Vec<String>,
    /// The size in bytes; 0 if the engine does not report it.
    pub size: u64,
    /// When the image's content was created, as recorded by the program that built it; `None` if it recorded no time.
    pub created: Option<SystemTime>,
}

impl ImageInfo {
    /// Returns the value of a variable in the image's environment.
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
    /// The engine's ID of the image.
    pub id: String,
    /// The name and tag, in canonical form.
    pub reference: Reference,
}

/// The set-up of an engine, as far as the engine reports it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct EngineInfo {
    /// The folder on the engine's machine in which the engine keeps images and containers.
    pub storage: Option<PathBuf>,
    /// Whether the engine runs without root privileges.
    pub is_rootless: bool,
    /// The address of the engine's service; `None` for Podman without a service.
    pub endpoint: Option<String>,
}

/// The version of a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The version of the client program, or of this crate on the host backend.
    pub client: String,
    /// The version of the engine, if it is separate from the client.
    pub server: Option<String>,
}
