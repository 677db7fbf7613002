//! Programs of a project's own on `PATH`, such as an engine that is not there.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::{Project, must};

impl Project {
    /// Puts a program on `PATH` under another name, before all others.
    #[must_use]
    #[track_caller]
    pub fn program(self, name: &str, program: impl AsRef<Path>) -> Self {
        let folder = self.programs();
        must(std::fs::create_dir_all(&folder), "make the folder of programs");
        must(symlink(program, folder.join(name)), "put a program on PATH");
        self
    }

    /// Puts the program `fake-engine` of this crate on `PATH` as `docker` or `podman`, with its state in the project.
    /// [`Project::scenario`] says what it starts from.
    #[must_use]
    #[track_caller]
    pub fn fake_engine(self, name: &str, program: impl AsRef<Path>) -> Self {
        let state = self.engine_state();
        self.program(name, program).variable("FAKE_ENGINE_STATE", state)
    }

    /// Writes the scenario that fake engines of the project start from, in the form that
    /// [`FakeBackend::from_scenario`](crate::FakeBackend::from_scenario) reads.
    #[must_use]
    #[track_caller]
    pub fn scenario(self, text: &str) -> Self {
        let path = self.root().join("scenario.toml");
        must(std::fs::write(&path, text), "write the scenario");
        self.variable("FAKE_ENGINE_SCENARIO", path)
    }

    /// Every command that a fake engine got, one a line; none when it got none.
    pub fn engine_journal(&self, name: &str) -> String {
        std::fs::read_to_string(self.engine_state().join(name).join("journal")).unwrap_or_default()
    }

    fn engine_state(&self) -> PathBuf {
        self.root().join("engine")
    }

    fn programs(&self) -> PathBuf {
        self.root().join("programs")
    }

    /// The last one of a name counts.
    pub(super) fn put_own_programs_first(&self, variables: &mut [(String, String)]) {
        let folder = self.programs();
        if !folder.is_dir() {
            return;
        }
        if let Some((_, path)) = variables.iter_mut().rev().find(|(name, _)| name == "PATH") {
            *path = format!("{}:{path}", folder.display());
        }
    }
}

/// Containers of an engine live on after the commands that made them, but not after the project.
impl Drop for Project {
    fn drop(&mut self) {
        crate::fake::end_all(&self.engine_state());
    }
}
