//! What the tests of the host backend share: a state folder for each test that is removed with it, small images that
//! run a shell, and waiting for a condition.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use ociman::host::{Host, HostImageConfig};
use ociman::{Backend, Container, ContainerName, Reference, RunSpec};
use tempfile::TempDir;

/// A host backend on a state folder of its own. Its containers are killed when it is dropped.
pub(crate) struct TestHost {
    pub(crate) host: Host,
    pub(crate) backend: Backend,
    pub(crate) state: TempDir,
}

impl TestHost {
    pub(crate) fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        let host = Host::at(state.path());
        Self { backend: Backend::host(host.clone()), host, state }
    }

    /// Creates an image whose containers run this shell script, with these files.
    pub(crate) async fn shell_image(&self, image: &str, script: &str, files: &[(&str, &str)]) -> Reference {
        let files: Vec<_> = files.iter().map(|(path, content)| (path.to_string(), content.to_string())).collect();
        self.image(image, HostImageConfig::new(["/bin/sh", "-c", script]), move |root| {
            for (path, content) in files {
                if let Some(parent) = root.join(&path).parent() {
                    std::fs::create_dir_all(parent)?;
                }
                std::fs::write(root.join(path), content)?;
            }
            Ok(())
        })
        .await
    }

    pub(crate) async fn image(
        &self,
        image: &str,
        config: HostImageConfig,
        fill: impl FnOnce(&Path) -> io::Result<()> + Send + 'static,
    ) -> Reference {
        let image: Reference = image.parse().unwrap();
        self.host.create_image(&image, config, fill).await.unwrap();
        image
    }

    /// Creates an image without files whose containers only wait.
    pub(crate) async fn sleeper(&self) -> Reference {
        self.shell_image("test/sleeper:1", "exec sleep 600", &[]).await
    }

    pub(crate) async fn run(&self, name: &str, image: &Reference) -> Container {
        self.backend.run(&spec(name, image)).await.unwrap()
    }

    /// Returns the entries of a folder in the state folder, including hidden ones.
    pub(crate) fn entries(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.state.path().join(folder)) else {
            return Vec::new();
        };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    pub(crate) fn process_of(&self, name: &str) -> Option<u32> {
        let text = std::fs::read_to_string(self.state.path().join("containers").join(name).join("process")).ok()?;
        text.lines().nth(1)?.split(' ').next()?.parse().ok()
    }
}

impl Drop for TestHost {
    fn drop(&mut self) {
        for name in self.entries("containers") {
            if let Some(pid) = self.process_of(&name) {
                let _ = std::process::Command::new("kill").args(["-9", "--", &format!("-{pid}")]).output();
            }
        }
    }
}

pub(crate) fn name(name: &str) -> ContainerName {
    name.parse().unwrap()
}

pub(crate) fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

pub(crate) fn spec(container: &str, image: &Reference) -> RunSpec {
    RunSpec::new(name(container), image.clone())
}

/// Returns `true` if a process exists and has not ended.
pub(crate) fn is_alive(pid: u32) -> bool {
    ociman::host::ProcessIdentity::of(pid).is_some()
}

/// Waits until a condition is true. Fails with `what` if it does not become true.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "not within 10 s: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
