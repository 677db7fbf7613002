//! [`Scenario`]: what a fake engine starts from and what goes wrong in it, as a TOML file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::fault::{Calls, Failure, Fault};
use super::image::{FakeContainer, FakeImage};
use super::operation::Operation;
use super::speech::Speech;

/// Why a scenario could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// The file can't be read.
    #[error("read scenario {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is no TOML, or not one of a scenario.
    #[error("parse scenario {}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// It names no operation.
    #[error("scenario {}: failure {number}", path.display())]
    Operation {
        /// The file.
        path: PathBuf,
        /// The how many-th failure it is, from 1.
        number: usize,
        /// What is wrong.
        #[source]
        source: super::operation::UnknownOperation,
    },
    /// What it describes could not be made.
    #[error("set up scenario {}", path.display())]
    SetUp {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// One failure of a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Planned {
    operation: String,
    failure: Failure,
    /// Every call when it is left out.
    on_call: Option<usize>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Scenario {
    /// Whose words; the name of the program decides when it is left out.
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
