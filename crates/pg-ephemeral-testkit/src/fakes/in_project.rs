//! Fake engines in a [`Project`], as programs on its `PATH`.

use std::path::{Path, PathBuf};

use super::program::{SCENARIO_VARIABLE, STATE_VARIABLE, end_all};
use crate::Project;
use crate::support::must;

impl Project {
    /// Puts the program `fake-engine` of this crate on `PATH` as `docker` or `podman`, with its state in the project.
    /// [`Project::scenario`] says what it starts from.
    #[must_use]
    #[track_caller]
    pub fn fake_engine(self, name: &str, program: impl AsRef<Path>) -> Self {
        let state = state_in(self.root());
        // Containers of an engine live on after the commands that made them, but not after the project.
        self.program(name, program).variable(STATE_VARIABLE, state).at_end(|root| end_all(&state_in(root)))
    }

    /// Writes the scenario that fake engines of the project start from, in the form that
    /// [`FakeBackend::from_scenario`](crate::FakeBackend::from_scenario) reads.
    #[must_use]
    #[track_caller]
    pub fn scenario(self, text: &str) -> Self {
        let path = self.root().join("scenario.toml");
        must(std::fs::write(&path, text), "write the scenario");
        self.variable(SCENARIO_VARIABLE, path)
    }

    /// Every command that a fake engine got, one a line; none when it got none.
    pub fn engine_journal(&self, name: &str) -> String {
        std::fs::read_to_string(state_in(self.root()).join(name).join("journal")).unwrap_or_default()
    }
}

fn state_in(root: &Path) -> PathBuf {
    root.join("engine")
}
