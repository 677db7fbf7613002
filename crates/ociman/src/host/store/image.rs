//! The images of the host backend: an image is a folder of files and a [`HostImageConfig`], which defines what runs on
//! them.

use std::path::PathBuf;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::command::UserIds;
use crate::label::Labels;

/// The configuration of a host image: how its containers run.
///
/// ```
/// use ociman::host::HostImageConfig;
/// let mut config = HostImageConfig::new(["/usr/bin/env"]);
/// config.environment.push(("DATA".to_owned(), "{root}/data".to_owned()));
/// assert_eq!(config.stop_signal, "SIGTERM");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostImageConfig {
    /// The program and its first arguments, passed on unchanged.
    pub entrypoint: Vec<String>,
    /// Further arguments, unless the caller gives other ones.
    pub command: Vec<String>,
    /// Variables. `{root}` in a value is replaced by the container's root folder, as its process sees it.
    pub environment: Vec<(String, String)>,
    /// Labels, which the image's containers have too.
    pub labels: Labels,
    /// The working directory; `/` by default. The user of [`RunAs`] must be able to enter it.
    pub folder: Option<PathBuf>,
    /// The signal that asks the process to shut down cleanly, such as `SIGINT`.
    pub stop_signal: String,
    /// The signal that makes the process end at once together with all its children, such as `SIGQUIT`. The process
    /// also receives it when its owner dies.
    pub removal_signal: String,
    /// The IDs of the layers of the content. Every commit adds one. The caller chooses those of a base image.
    pub diff_ids: Vec<String>,
    /// The user that the process runs as.
    pub run_as: RunAs,
}

impl HostImageConfig {
    /// Creates a configuration that runs a program. It is stopped by SIGTERM, removed by SIGKILL, and runs as the
    /// caller.
    pub fn new<A: Into<String>>(entrypoint: impl IntoIterator<Item = A>) -> Self {
        Self {
            entrypoint: entrypoint.into_iter().map(Into::into).collect(),
            command: Vec::new(),
            environment: Vec::new(),
            labels: Labels::default(),
            folder: None,
            stop_signal: "SIGTERM".to_owned(),
            removal_signal: "SIGKILL".to_owned(),
            diff_ids: Vec::new(),
            run_as: RunAs::Caller,
        }
    }
}

/// The user that the containers of an image run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunAs {
    /// The user of the calling process.
    Caller,
    /// This user, who also owns the files of the image. Only root can use this.
    User(#[serde(with = "UserIdsRecord")] UserIds),
}

/// The stored form of [`UserIds`].
#[derive(Serialize, Deserialize)]
#[serde(remote = "UserIds")]
struct UserIdsRecord {
    uid: u32,
    gid: u32,
}

/// An image as stored in its folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ImageRecord {
    pub(crate) id: String,
    pub(crate) config: HostImageConfig,
    /// The total size of all files, in bytes.
    pub(crate) size: u64,
    /// The number of files, folders and links, without the root.
    pub(crate) entries: usize,
    /// When the image was created.
    #[serde(default)]
    pub(crate) created: Option<SystemTime>,
}

impl ImageRecord {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries == 0
    }
}
