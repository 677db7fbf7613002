//! [`Scenario`]: the initial state and the planned failures of a fake engine, read from a TOML file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::fault::{Calls, Failure, Fault};
use super::image::{FakeContainer, FakeImage};
use super::operation::Operation;
use super::speech::Speech;

/// An error in reading or setting up a scenario.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// The file can't be read.
    #[error("failed to read scenario {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML, or not a scenario.
    #[error("failed to parse scenario {}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The error, with its position in the file.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A failure names an unknown operation.
    #[error("scenario {}: failure {number}", path.display())]
    Operation {
        /// The file.
        path: PathBuf,
        /// The position of the failure in the file, counted from 1.
        number: usize,
        /// The error, with the name.
        #[source]
        source: super::operation::UnknownOperation,
    },
    /// The images and containers of the scenario can't be created.
    #[error("failed to set up scenario {}", path.display())]
    SetUp {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: std::io::Error,
    },
}

/// A planned failure of a scenario file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Planned {
    operation: String,
    failure: Failure,
    /// The number of the call that fails, counted from 1. By default every call fails.
    on_call: Option<usize>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Scenario {
    /// The engine to imitate. By default, [`FakeBackend`](crate::FakeBackend) imitates Docker, and the program
    /// `fake-engine` imitates the engine by whose name it is called.
    pub(crate) engine: Option<Speech>,
    #[serde(default)]
    pub(super) images: Vec<FakeImage>,
    #[serde(default)]
    pub(super) registry: Vec<FakeImage>,
    #[serde(default)]
    pub(super) containers: Vec<FakeContainer>,
    #[serde(default)]
    failures: Vec<Planned>,
}

impl Scenario {
    pub(crate) fn read(path: &Path) -> Result<Self, ScenarioError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ScenarioError::Read { path: path.to_owned(), source })?;
        let scenario: Self = toml::from_str(&text)
            .map_err(|source| ScenarioError::Parse { path: path.to_owned(), source: Box::new(source) })?;
        for (position, planned) in scenario.failures.iter().enumerate() {
            planned.operation.parse::<Operation>().map_err(|source| ScenarioError::Operation {
                path: path.to_owned(),
                number: position + 1,
                source,
            })?;
        }
        Ok(scenario)
    }

    pub(super) fn faults(&self) -> impl Iterator<Item = Fault> {
        self.failures.iter().map(|planned| Fault {
            operation: planned.operation.clone(),
            failure: planned.failure.clone(),
            calls: planned.on_call.map_or(Calls::Every, Calls::Nth),
        })
    }
}
