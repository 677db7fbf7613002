//! What an image of the host backend is: a folder of files and a [`HostImageConfig`] that says what runs on them.

use std::path::PathBuf;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::command::UserIds;
use crate::label::Labels;

/// How containers of an image of the host backend run.
///
/// ```
/// use ociman::host::HostImageConfig;
/// let mut config = HostImageConfig::new(["/usr/bin/env"]);
/// config.environment.push(("DATA".to_owned(), "{root}/data".to_owned()));
/// assert_eq!(config.stop_signal, "SIGTERM");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostImageConfig {
    /// Program and first arguments, passed on as they are.
    pub entrypoint: Vec<String>,
    /// Further arguments, unless the caller brings some.
    pub command: Vec<String>,
    /// Variables. `{root}` in a value stands for the container's root folder, as its process sees it.
    pub environment: Vec<(String, String)>,
    /// Labels, which its containers have too.
    pub labels: Labels,
    /// Working directory; `/` by default. Other than by `/`, it must be one that the user of [`RunAs`] can reach.
    pub folder: Option<PathBuf>,
    /// What asks the process to end in an orderly way, such as `SIGINT`.
    pub stop_signal: String,
    /// What makes the process end at once with all its children, such as `SIGQUIT`. It is also what the process gets
    /// when its owner dies.
    pub removal_signal: String,
    /// Names the content: every commit adds one. The caller chooses those of a base image.
    pub diff_ids: Vec<String>,
    /// Whose process it is.
    pub run_as: RunAs,
}

impl HostImageConfig {
    /// An image that runs a program and is stopped by SIGTERM and removed by SIGKILL.
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

/// Whose processes the containers of an image are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunAs {
    /// The caller's.
    Caller,
    /// This user's, which only root can have; the files of the image are theirs too.
    User(#[serde(with = "UserIdsRecord")] UserIds),
}

/// How [`UserIds`] stand in a file.
#[derive(Serialize, Deserialize)]
#[serde(remote = "UserIds")]
struct UserIdsRecord {
    uid: u32,
    gid: u32,
}

/// An image as it stands in its folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ImageRecord {
    pub(crate) id: String,
    pub(crate) config: HostImageConfig,
    /// Bytes in all files.
    pub(crate) size: u64,
    /// Files, folders and links, without the root.
    pub(crate) entries: usize,
    /// When it was made.
    #[serde(default)]
    pub(crate) created: Option<SystemTime>,
}

impl ImageRecord {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries == 0
    }
}
