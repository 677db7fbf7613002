//! [`State`]: the state of a fake engine. It consists of plain values that can be stored in a file.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::image::{Program, ServerImage};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct State {
    pub(super) images: Vec<Image>,
    pub(super) containers: Vec<Container>,
    /// Images that a pull can fetch.
    pub(super) registry: Vec<Image>,
    pub(super) faults: Vec<Fault>,
    /// The number of calls of each operation, by the operation's name.
    pub(super) calls: BTreeMap<String, usize>,
}

/// The configuration of a container, or the default configuration of an image's containers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Config {
    /// The environment variables, each as `NAME=VALUE`.
    pub(super) environment: Vec<String>,
    pub(super) entrypoint: Vec<String>,
    pub(super) command: Vec<String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) volumes: Vec<String>,
    pub(super) exposed: Vec<u16>,
    pub(super) stop_signal: Option<String>,
    pub(super) user: String,
    pub(super) folder: String,
    /// The fake programs that replace programs of this machine, by their names.
    pub(super) programs: BTreeMap<String, Program>,
    /// Set if the containers run real PostgreSQL servers.
    pub(super) server: Option<ServerImage>,
}

impl Config {
    /// Sets a variable, replacing an earlier value.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|entry| entry.split_once('=').is_none_or(|(known, _)| known != name));
        self.environment.push(format!("{name}={value}"));
    }

    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        let entries = self.environment.iter().filter_map(|entry| entry.split_once('='));
        entries.into_iter().find_map(|(known, value)| (known == name).then_some(value))
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Image {
    /// 64 hexadecimal digits.
    pub(super) id: String,
    /// Full names with tags.
    pub(super) names: Vec<String>,
    /// Full names with digests.
    pub(super) digests: Vec<String>,
    pub(super) parent: String,
    pub(super) layers: Vec<String>,
    pub(super) created: u64,
    pub(super) config: Config,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Container {
    /// 64 hexadecimal digits.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) image: String,
    pub(super) image_name: String,
    pub(super) created: u64,
    pub(super) config: Config,
    pub(super) ports: Vec<Port>,
    /// The paths that a commit leaves out, relative to the container's root.
    pub(super) mounts: Vec<PathBuf>,
    pub(super) has_network: bool,
    pub(super) life: Life,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Port {
    pub(super) inside: u16,
    pub(super) published: SocketAddr,
}

/// The state of a container's first process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Life {
    /// The process was never started.
    Created,
    /// A process of this machine. Its exit status is recorded beside the container's files.
    Process,
    /// A fake process that does nothing until it is stopped.
    Idle,
    /// The process has ended with this exit status.
    Ended(i32),
}

impl State {
    /// Returns the container with this name, or with an ID that starts with this text.
    pub(super) fn container(&self, name: &str) -> Option<&Container> {
        let by_id = |container: &&Container| name.len() >= 4 && container.id.starts_with(name);
        let by_name = self.containers.iter().find(|container| container.name == name);
        by_name.or_else(|| self.containers.iter().find(by_id))
    }

    pub(super) fn container_mut(&mut self, name: &str) -> Option<&mut Container> {
        let id = self.container(name)?.id.clone();
        self.containers.iter_mut().find(|container| container.id == id)
    }
}

/// Returns a new unique ID of 64 hexadecimal digits.
pub(super) fn new_id() -> String {
    let word = || {
        // Each `RandomState` has different keys, which are random for the first one of a thread.
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        hasher.write_u128(nanoseconds());
        hasher.finish()
    };
    format!("{:016x}{:016x}{:016x}{:016x}", word(), word(), word(), word())
}

fn nanoseconds() -> u128 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_nanos())
}

/// Returns the current time in seconds since the Unix epoch.
pub(super) fn now() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs())
}
