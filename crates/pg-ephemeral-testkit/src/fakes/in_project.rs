//! Fake engines in a [`Project`], as programs on its `PATH`.

use std::path::{Path, PathBuf};

use super::program::{SCENARIO_VARIABLE, STATE_VARIABLE, end_all};
use crate::Project;
use crate::support::must;

impl Project {
    /// Puts `program`, the path of this crate's program `fake-engine`, on `PATH` as `docker` or `podman`. The engine's
    /// state is in the project's folder. [`Project::scenario`] sets its initial images and containers.
    #[must_use]
    #[track_caller]
    pub fn fake_engine(self, name: &str, program: impl AsRef<Path>) -> Self {
        let state = state_in(self.root());
        // Containers outlive the commands that started them, but must not outlive the project.
        self.program(name, program).variable(STATE_VARIABLE, state).at_end(|root| end_all(&state_in(root)))
    }

    /// Sets the scenario of the project's fake engines: their initial images, containers and failures. The format is
    /// that of [`FakeBackend::from_scenario`](crate::FakeBackend::from_scenario).
    #[must_use]
    #[track_caller]
    pub fn scenario(self, text: &str) -> Self {
        let path = self.root().join("scenario.toml");
        must(std::fs::write(&path, text), "write the scenario");
        self.variable(SCENARIO_VARIABLE, path)
    }

    /// Returns every command that a fake engine received, one per line.
    pub fn engine_journal(&self, name: &str) -> String {
        std::fs::read_to_string(state_in(self.root()).join(name).join("journal")).unwrap_or_default()
    }
}

fn state_in(root: &Path) -> PathBuf {
    root.join("engine")
}
