//! [`Machine`]: a fake engine with its state, its files and its processes. It computes the answer to a command; the
//! caller executes the answer and connects its streams.

use std::io;
use std::path::PathBuf;

use serde_json::Value;

use super::process::{Processes, Supervisor};
use super::reply::Reply;
use super::speech::Speech;
use super::state::{Container, Life};
use super::store::Store;
use super::{shapes, template};

/// A result whose error is a problem of the fake itself, such as with its files, and not an error that an engine
/// reports.
pub(super) type Result<T> = io::Result<T>;

/// One command as the engine's program receives it.
#[derive(Debug, Default)]
pub(crate) struct Call {
    /// The arguments of the program.
    pub(crate) arguments: Vec<String>,
    /// The environment of the program, from which `--env NAME` takes values.
    pub(crate) variables: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(super) speech: Speech,
    pub(super) store: Store,
    /// The folder with the files of images and containers.
    pub(super) folder: PathBuf,
    pub(super) supervisor: Supervisor,
}

impl Machine {
    pub(crate) fn new(speech: Speech, store: Store, folder: PathBuf, supervisor: Supervisor) -> Self {
        Self { speech, store, folder, supervisor }
    }

    pub(super) fn processes(&self, id: &str) -> Processes {
        Processes::new(self.container_folder(id))
    }

    /// Returns the folder of a container. It is named by the start of the ID only, because paths of sockets must be
    /// short.
    pub(super) fn container_folder(&self, id: &str) -> PathBuf {
        self.folder.join("containers").join(id.get(..12).unwrap_or(id))
    }

    pub(super) fn image_root(&self, id: &str) -> PathBuf {
        self.folder.join("images").join(id).join("root")
    }

    /// Returns a reply with each value formatted by a template, one per line. `label` returns a label of the nth value.
    pub(super) fn formatted(&self, format: &str, values: &[Value], label: &dyn Fn(usize, &str) -> String) -> Reply {
        let mut text = String::new();
        for (position, value) in values.iter().enumerate() {
            match template::fill(format, value, &|key| label(position, key)) {
                Some(line) => text.push_str(&line),
                None => return Reply::failure(1, format!("template parsing error: {format}\n")),
            }
            text.push('\n');
        }
        Reply::success(text)
    }

    /// Returns the current status of a container.
    pub(super) fn now(&self, container: &Container) -> shapes::Now {
        let (status, exit_code) = match container.life {
            Life::Created => ("created", 0),
            Life::Idle => ("running", 0),
            Life::Ended(code) => ("exited", code),
            Life::Process => match self.processes(&container.id).exit_code() {
                Some(code) => ("exited", code),
                None => ("running", 0),
            },
        };
        shapes::Now { status, exit_code }
    }

    pub(super) fn is_running(&self, container: &Container) -> bool {
        self.now(container).status == "running"
    }
}
