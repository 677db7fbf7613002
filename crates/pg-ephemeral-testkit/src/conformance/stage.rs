//! [`Subject`], the backend under test, and [`Stage`], the names of the containers and images that one case makes on
//! it, so that they can be removed.

use std::any::Any;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ociman::label::{Filter, Key, Value};
use ociman::{Backend, Container, ContainerName, ContainerState, ExecSpec, Kind, Reference, RunSpec};
use tokio::task::JoinSet;

use super::expect::{Outcome, equal};

/// The label on every container of the suite, so that listings can be limited to the containers of one case.
pub(super) const MARK: Key = Key::from_static("ociman.conformance");

/// A shell command that changes to a folder that is part of a commit. On the host backend this variable has the path of
/// the container's files; on engines a process starts at the root of the container's files.
pub(super) const ENTER: &str = r#"cd "${OCIMAN_ROOT:-.}""#;

/// A script that waits until a signal ends it. By default, the first process of a container ignores SIGTERM, so the
/// script sets a trap.
const IDLE: &str = "trap 'exit 0' TERM INT QUIT; while :; do sleep 3600 & wait $!; done";

/// The backend that the cases run on.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The backend.
    pub backend: Backend,
    /// An image with `sh`, `sleep`, `cat`, `head`, `id` and `dd`, whose processes may write in their initial working
    /// folder. The cases set their own entrypoint.
    pub image: Reference,
    kept: Option<Arc<dyn Any + Send + Sync>>,
}

impl Subject {
    /// Creates a subject of a backend and an image that is present on it.
    pub fn new(backend: Backend, image: Reference) -> Self {
        Self { backend, image, kept: None }
    }

    /// Keeps a value alive as long as the subject, such as the temporary folder with the backend's state.
    #[must_use]
    pub fn keeping(mut self, value: impl Any + Send + Sync) -> Self {
        self.kept = Some(Arc::new((self.kept, value)));
        self
    }
}

/// The names of the containers and images of one case.
#[derive(Debug)]
pub(super) struct Stage {
    subject: Subject,
    /// Unique among all cases that run at the same time.
    mark: String,
    containers: Mutex<Vec<ContainerName>>,
    images: Mutex<Vec<Reference>>,
}

impl Stage {
    pub(super) fn new(subject: Subject) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mark = format!("conformance-{}-{count}", std::process::id());
        Self { subject, mark, containers: Mutex::default(), images: Mutex::default() }
    }

    pub(super) fn backend(&self) -> &Backend {
        &self.subject.backend
    }

    pub(super) fn kind(&self) -> Kind {
        self.subject.backend.kind()
    }

    /// Returns the image of the subject.
    pub(super) fn base(&self) -> &Reference {
        &self.subject.image
    }

    /// Returns the value of the label [`MARK`] on the containers of this case.
    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    /// Returns a filter that matches the containers of this case.
    pub(super) fn filter(&self) -> Outcome<Filter> {
        Ok(Filter::exact(&MARK, &Value::try_from(self.mark.clone())?))
    }

    /// Returns a container name of this case.
    pub(super) fn name(&self, suffix: &str) -> Outcome<ContainerName> {
        let name: ContainerName = format!("{}-{suffix}", self.mark).parse()?;
        remember(&self.containers, &name);
        Ok(name)
    }

    /// Returns an image name of this case.
    pub(super) fn image(&self, suffix: &str) -> Outcome<Reference> {
        self.image_named(&format!("localhost/{}/{suffix}", self.mark))
    }

    /// Returns an image with this name, which must be unique to this case.
    pub(super) fn image_named(&self, name: &str) -> Outcome<Reference> {
        let image = Reference::parse(name)?;
        remember(&self.images, &image);
        Ok(image)
    }

    /// Returns the specification of a container that runs a script. The script must be portable `sh`.
    pub(super) fn script(&self, suffix: &str, script: &str) -> Outcome<RunSpec> {
        self.script_of(self.base().clone(), suffix, script)
    }

    /// Returns the specification of a container of another image that runs a script.
    pub(super) fn script_of(&self, image: Reference, suffix: &str, script: &str) -> Outcome<RunSpec> {
        let mark = Value::try_from(self.mark.clone())?;
        Ok(RunSpec::new(self.name(suffix)?, image).entrypoint(["sh", "-c", script]).label(MARK, mark))
    }

    /// Returns the specification of a container that does nothing until it is stopped.
    pub(super) fn idle(&self, suffix: &str) -> Outcome<RunSpec> {
        self.script(suffix, IDLE)
    }

    /// Returns the specification of a container of another image that does nothing until it is stopped.
    pub(super) fn idle_of(&self, image: Reference, suffix: &str) -> Outcome<RunSpec> {
        self.script_of(image, suffix, IDLE)
    }

    pub(super) async fn run(&self, spec: &RunSpec) -> Outcome<Container> {
        Ok(self.backend().run(spec).await?)
    }

    /// Starts a container that does nothing.
    pub(super) async fn running(&self, suffix: &str) -> Outcome<Container> {
        self.run(&self.idle(suffix)?).await
    }

    /// Starts a container that does nothing, and waits until its process handles the stop signal.
    pub(super) async fn stoppable(&self, suffix: &str) -> Outcome<Container> {
        let script = "trap 'exit 0' TERM INT QUIT; echo ready; while :; do sleep 3600 & wait $!; done";
        let container = self.run(&self.script(suffix, script)?).await?;
        self.says(&container, "ready").await?;
        Ok(container)
    }

    /// Waits until a text is in the log of a container. The script has then completed all steps before that output.
    pub(super) async fn says(&self, container: &Container, text: &str) -> Outcome {
        for _ in 0..100 {
            if container.last_log_lines(10).await?.contains(text) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        equal("the log has the text", container.last_log_lines(10).await?.as_str(), text)
    }

    /// Runs a script in a container and returns its output. The script must succeed.
    pub(super) async fn shell(&self, container: &Container, script: &str) -> Outcome<String> {
        let output = container.exec(&ExecSpec::new(["sh", "-c", script]), b"").await?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        equal("status and standard error of a script", (output.status.code(), stderr), (0, String::new()))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Returns `true` if there is a container of this name, running or not.
    pub(super) async fn is_there(&self, name: &ContainerName) -> Outcome<bool> {
        Ok(self.backend().inspect(std::slice::from_ref(name)).await?.into_iter().flatten().next().is_some())
    }

    /// Waits until the engine reports the container as exited, up to a limit, and returns its state.
    pub(super) async fn ended(&self, container: &Container) -> Outcome<ContainerState> {
        for _ in 0..100 {
            let state = container.inspect().await?.state;
            if state == ContainerState::Exited {
                return Ok(state);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(container.inspect().await?.state)
    }

    /// Removes all containers and images of this case.
    pub(super) async fn clear(&self) -> Outcome {
        let containers = std::mem::take(&mut *lock(&self.containers));
        let mut removals = JoinSet::new();
        for name in containers {
            let mut container = self.backend().container(name);
            removals.spawn(async move { container.remove_force().await });
        }
        while let Some(removed) = removals.join_next().await {
            if let Ok(removed) = removed {
                removed?;
            }
        }
        let images = std::mem::take(&mut *lock(&self.images));
        for image in images {
            match self.backend().remove_image(&image).await {
                Ok(()) | Err(ociman::CommandError::ImageNotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

fn remember<T: Clone + PartialEq>(names: &Mutex<Vec<T>>, name: &T) {
    let mut names = lock(names);
    if !names.contains(name) {
        names.push(name.clone());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
