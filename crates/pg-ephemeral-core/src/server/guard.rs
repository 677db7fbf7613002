//! [`Guard`]: the owner of one container, from before the container is started until it is gone. Even if the caller
//! drops its future or panics, the guard removes the container, then the folder for its socket, and finally its record.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ociman::command::Process;
use ociman::{Backend, CommandError, CommitSpec, Container, ContainerName, RunSpec, Terminal};
use tokio::sync::{Mutex, oneshot, watch};

use super::error::StartError;
use crate::model::Owner;
use crate::state::folders::make_socket_folder;
use crate::state::record::{Lifetime, Record, RecordFile};
use crate::state::{Folders, RecordError, background};

/// How long a removal waits for a start that is still in progress.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long a removal waits for a commit that is still in progress.
const COMMIT_LIMIT: Duration = Duration::from_secs(30);
/// The longest time that dropping a guard blocks.
const DROP_LIMIT: Duration = Duration::from_secs(60);
/// The number of attempts to remove a container if the engine returns errors.
const REMOVAL_ATTEMPTS: u32 = 3;
/// The pause between checks whether a container exists whose start may still be in progress.
const LATE_PAUSE: Duration = Duration::from_millis(50);
/// The pause between attempts to remove a container.
const REMOVAL_PAUSE: Duration = Duration::from_millis(200);

/// The owner of a container. Dropping it removes the container.
#[derive(Debug)]
pub(crate) struct Guard {
    container: Container,
    /// `None` once the container is gone or has been released.
    cleanup: Option<Cleanup>,
}

/// The information that a removal needs.
#[derive(Debug)]
struct Cleanup {
    file: RecordFile,
    settled: watch::Receiver<bool>,
    /// Held while the container's files are committed.
    busy: Arc<Mutex<()>>,
    /// Whether the engine's client may have been killed while it started the container.
    may_start_late: bool,
}

impl Guard {
    /// Starts a container, and creates the folder for its socket if there is one. If this fails, or the future is
    /// dropped, nothing is left behind.
    pub(crate) async fn run(
        folders: &Folders,
        backend: &Backend,
        spec: RunSpec,
        owner: Owner,
        folder: Option<PathBuf>,
    ) -> Result<Self, StartError> {
        let name = spec.name.clone();
        let file = RecordFile::new(folders, Record::of_start(backend, &spec, owner, folder))?;
        let (settle, settled) = watch::channel(false);
        let cleanup = Cleanup { file, settled, busy: Arc::default(), may_start_late: false };
        let mut guard = Self { container: backend.container(name), cleanup: Some(cleanup) };
        if let Some(folder) = guard.cleanup.as_ref().and_then(|cleanup| cleanup.file.record.folder.as_deref())
            && let Err(error) = make_socket_folder(folder)
        {
            guard.forget();
            return Err(error.into());
        }
        let (answer, answered) = oneshot::channel();
        let starter = backend.clone();
        background::spawn(async move {
            let result = starter.run(&spec).await;
            // If the receiver is gone, the result is not needed any more.
            let _ = settle.send(true);
            let _ = answer.send(result);
        })
        .map_err(StartError::Thread)?;
        match answered.await {
            Ok(Ok(_)) => {
                if let Some(cleanup) = &mut guard.cleanup {
                    cleanup.file.started()?;
                }
                Ok(guard)
            }
            Ok(Err(source)) => {
                guard.forget();
                Err(StartError::Run(source))
            }
            Err(_) => Err(StartError::Thread(std::io::ErrorKind::Interrupted.into())),
        }
    }

    /// Starts a container on the caller's standard streams. The returned process is the engine's client. The guard
    /// removes the container, unless [`Guard::gone`] is called because the container has removed itself.
    pub(crate) async fn attach(
        folders: &Folders,
        backend: &Backend,
        spec: &RunSpec,
        owner: Owner,
        terminal: Terminal,
    ) -> Result<(Self, Process), StartError> {
        let file = RecordFile::new(folders, Record::of_start(backend, spec, owner, None))?;
        let (_, settled) = watch::channel(true);
        let cleanup = Cleanup { file, settled, busy: Arc::default(), may_start_late: true };
        let mut guard = Self { container: backend.container(spec.name.clone()), cleanup: Some(cleanup) };
        match backend.run_attached(spec, terminal).await {
            Ok(process) => Ok((guard, process)),
            Err(error) => {
                guard.forget();
                Err(StartError::Run(error))
            }
        }
    }

    /// Drops the guard of a container that has removed itself.
    pub(crate) fn gone(mut self) {
        self.forget();
    }

    pub(crate) fn container(&self) -> &Container {
        &self.container
    }

    /// Commits the container's files as a layer. A commit that has begun is completed even if the future is dropped,
    /// and a removal waits for it, because an interrupted engine command leaves temporary files behind.
    pub(crate) async fn commit(&self, spec: CommitSpec) -> Result<(), StartError> {
        let busy = match &self.cleanup {
            Some(cleanup) => Some(cleanup.busy.clone().lock_owned().await),
            None => None,
        };
        let container = self.container.clone();
        let committing = background::spawn(async move {
            let _busy = busy;
            match container.commit(&spec).await {
                // For a moment the new image has no name, and another process that builds the same layer may remove it
                // as a displaced one. So the commit is tried once more.
                Err(ociman::CommandError::ImageNotFound { .. }) => container.commit(&spec).await,
                committed => committed,
            }
        });
        let committed = committing.map_err(StartError::Thread)?.await;
        committed.map_err(|panic| StartError::Thread(std::io::Error::other(panic)))?.map_err(StartError::Commit)
    }

    /// Removes the container and waits until it is gone. A removal that has begun is completed even if the future is
    /// dropped; the drop blocks until then.
    pub(crate) async fn remove(mut self) -> Result<(), ociman::CommandError> {
        let Some(cleanup) = self.cleanup.take() else { return Ok(()) };
        let container = self.container.clone();
        match background::finish(remove(container, cleanup), DROP_LIMIT) {
            Ok(removal) => removal.output().await.unwrap_or(Ok(())),
            // The record remains, so the next command removes the container.
            Err(_) => Ok(()),
        }
    }

    /// Releases the container, so that it outlives this process for the given lifetime. `name` is the name that the
    /// container has or is about to get.
    pub(crate) fn release(
        mut self,
        name: &ContainerName,
        lifetime: Option<Lifetime>,
    ) -> Result<Container, RecordError> {
        if let Some(mut cleanup) = self.cleanup.take() {
            name.clone_into(&mut cleanup.file.record.container);
            if let Err(error) = cleanup.file.outlive_owner(lifetime) {
                self.cleanup = Some(cleanup);
                return Err(error);
            }
        }
        Ok(self.container.clone())
    }

    /// Removes the record of a container that does not exist.
    fn forget(&mut self) {
        if let Some(cleanup) = self.cleanup.take() {
            cleanup.file.remove();
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(cleanup) = self.cleanup.take() {
            let container = self.container.clone();
            // If this fails, the record remains, and the next command removes the container.
            background::block_on(async move { drop(remove(container, cleanup).await) }, DROP_LIMIT);
        }
    }
}

async fn remove(container: Container, mut cleanup: Cleanup) -> Result<(), ociman::CommandError> {
    // An error means that the task that starts the container has ended, so there is nothing to wait for.
    let _ = tokio::time::timeout(START_LIMIT, cleanup.settled.wait_for(|settled| *settled)).await;
    let busy = cleanup.busy.clone();
    let _busy = tokio::time::timeout(COMMIT_LIMIT, busy.lock()).await;
    if cleanup.may_start_late {
        wait_until_there(&container, &cleanup.file).await;
    }
    let mut more_attempts = 1..REMOVAL_ATTEMPTS;
    while let Err(error) = cleanup.file.record.remove_container(&container).await {
        if more_attempts.next().is_none() {
            cleanup.file.give_up();
            return Err(error);
        }
        tokio::time::sleep(REMOVAL_PAUSE).await;
    }
    cleanup.file.remove();
    Ok(())
}

/// Waits until a container whose client may have been killed exists, or can't be created any more.
async fn wait_until_there(container: &Container, file: &RecordFile) {
    while matches!(container.inspect().await, Err(CommandError::ContainerNotFound { .. })) && file.may_start_late() {
        tokio::time::sleep(LATE_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::mpsc;
    use std::task::Poll;

    use pg_ephemeral_testkit::{Failure, FakeBackend, Operation};

    use super::*;
    use crate::model::label;
    use crate::model::session::Name;
    use crate::state::record::tests::Client;

    /// A time limit that is only reached if an operation never ends, even on a busy machine.
    const AMPLE: Duration = Duration::from_secs(30);

    const IMAGE: &str = "localhost/x:1";
    const NAME: Name = crate::session_name!("x");

    fn engines() -> [FakeBackend; 2] {
        [FakeBackend::docker(), FakeBackend::podman()].map(|fake| fake.with_image(IMAGE))
    }

    fn sleeping(name: &str) -> RunSpec {
        let mut spec = RunSpec::new(name.parse().unwrap(), IMAGE.parse().unwrap()).entrypoint(["sleep", "60"]);
        spec.labels.insert(label::NONCE_KEY, label::value("n"));
        spec
    }

    async fn guarded(folders: &Folders, fake: &FakeBackend) -> Guard {
        Guard::run(folders, &fake.backend(), sleeping("pg-ephemeral-x"), Owner::current(), None).await.unwrap()
    }

    fn records(home: &std::path::Path) -> usize {
        std::fs::read_dir(home.join("pg-ephemeral/servers")).unwrap().count()
    }

    /// Starts a container with the session's name, and drops the future while the start is in progress.
    async fn give_up(fake: &FakeBackend) {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let mut spec = RunSpec::new(NAME.container_name().clone(), IMAGE.parse().unwrap()).entrypoint(["sleep", "60"]);
        spec.labels.insert(label::NONCE_KEY, label::value("loser"));
        let backend = fake.backend();
        let mut start = Box::pin(Guard::run(&folders, &backend, spec, Owner::current(), None));
        // The background thread is blocked, so that the engine's command runs only after the future has been dropped.
        let (go, wait) = mpsc::channel::<()>();
        let held = background::spawn(async move { wait.recv() }).unwrap();
        let is_pending = poll_fn(|context| Poll::Ready(start.as_mut().poll(context).is_pending())).await;
        assert!(is_pending);
        go.send(()).unwrap();
        drop(start);
        held.await.unwrap().unwrap();
        assert_eq!(fake.journal().count(Operation::Run), 1, "{}", fake.journal());
        let records = std::fs::read_dir(folders.state().join("servers")).unwrap();
        assert_eq!(records.count(), 0);
    }

    #[tokio::test]
    async fn a_dropped_commit_is_completed_before_the_removal() {
        let state = tempfile::tempdir().unwrap();
        let folders = Folders::at(state.path());
        let fake = FakeBackend::podman().with_image(IMAGE);
        let spec = RunSpec::new("x".parse().unwrap(), IMAGE.parse().unwrap()).entrypoint(["sleep", "1000"]);
        let guard = Guard::run(&folders, &fake.backend(), spec, Owner::current(), None).await.unwrap();
        let labels = ociman::label::Labels::new();
        let mut commit = Box::pin(guard.commit(CommitSpec { image: "localhost/committed:1".parse().unwrap(), labels }));
        // The background thread is blocked, so that the engine's command runs only after the future has been dropped.
        let (go, wait) = mpsc::channel::<()>();
        let held = background::spawn(async move { wait.recv() }).unwrap();
        let is_pending = poll_fn(|context| Poll::Ready(commit.as_mut().poll(context).is_pending())).await;
        assert!(is_pending);
        go.send(()).unwrap();
        drop(commit);
        held.await.unwrap().unwrap();
        guard.remove().await.unwrap();
        assert!(fake.images().iter().any(|name| name.contains("committed")), "{}", fake.journal());
        assert!(fake.journal().count(Operation::Commit) == 1 && fake.journal().count(Operation::Remove) == 1);
        fake.assert_nothing_left();
    }

    #[tokio::test]
    async fn a_dropped_start_leaves_nothing_behind() {
        for fake in [FakeBackend::docker(), FakeBackend::podman()] {
            let fake = fake.with_image(IMAGE);
            give_up(&fake).await;
            assert!(fake.containers().is_empty());
        }
    }

    #[tokio::test]
    async fn a_dropped_start_does_not_remove_the_session_that_got_the_name_first() {
        for fake in [FakeBackend::docker(), FakeBackend::podman()] {
            let fake = fake.with_image(IMAGE).with_session("x", IMAGE, &[("pg-ephemeral.nonce", "winner")]);
            give_up(&fake).await;
            assert_eq!(fake.containers(), ["pg-ephemeral-session-x"]);
        }
    }

    #[tokio::test]
    async fn a_container_that_has_removed_itself_needs_no_further_engine_commands() {
        for fake in engines() {
            let home = tempfile::tempdir().unwrap();
            let folders = Folders::at(home.path());
            let spec = RunSpec::new("pg-ephemeral-x".parse().unwrap(), IMAGE.parse().unwrap()).entrypoint(["true"]);
            let started = Guard::attach(&folders, &fake.backend(), &spec, Owner::current(), Terminal::No).await;
            let (guard, process) = started.unwrap();
            assert_eq!(records(home.path()), 1);
            assert!(process.exit.await.unwrap().success());
            guard.gone();
            assert_eq!(records(home.path()), 0);
            let journal = fake.journal();
            assert_eq!((journal.total(), journal.count(Operation::Run)), (1, 1), "{journal}");
        }
    }

    #[tokio::test]
    async fn a_failing_removal_is_tried_three_times_and_then_left_to_the_next_command() {
        for fake in engines() {
            let home = tempfile::tempdir().unwrap();
            let folders = Folders::at(home.path());
            let fake = fake.fail(Operation::Remove, Failure::EngineDown).on_every_call();
            let error = guarded(&folders, &fake).await.remove().await.unwrap_err();
            assert!(matches!(error, CommandError::Unreachable { .. }), "{error:?}");
            assert_eq!(fake.journal().count(Operation::Remove), 3, "{}", fake.journal());
            // The container counts as a leftover although the process that started it is alive.
            let left = crate::state::record::left_behind(&folders, std::time::SystemTime::now());
            assert_eq!(left.iter().map(|file| file.record.container.as_str()).collect::<Vec<_>>(), ["pg-ephemeral-x"]);
            fake.recover();
            crate::reap::reap_recorded(&folders, &fake.backend(), crate::reap::LateStarts::Hurry).await;
            assert_eq!((fake.containers().len(), records(home.path())), (0, 0));
        }
    }

    #[tokio::test]
    async fn dropping_a_removal_that_has_begun_blocks_until_the_container_is_gone() {
        for fake in engines() {
            let home = tempfile::tempdir().unwrap();
            let folders = Folders::at(home.path());
            let fake = fake.fail(Operation::Remove, Failure::EngineDown).on_call(1);
            // The removal takes a while, because only the third attempt succeeds.
            let fake = fake.fail(Operation::Remove, Failure::EngineDown).on_call(2);
            let mut removal = Box::pin(guarded(&folders, &fake).await.remove());
            poll_fn(|context| {
                let _ = removal.as_mut().poll(context);
                Poll::Ready(())
            })
            .await;
            drop(removal);
            assert_eq!((fake.containers().len(), records(home.path())), (0, 0), "{}", fake.journal());
            assert_eq!(fake.journal().count(Operation::Remove), 3, "{}", fake.journal());
        }
    }

    #[tokio::test]
    async fn a_removal_waits_for_a_container_that_the_client_is_still_starting() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let fake = FakeBackend::podman().with_image(IMAGE);
        let backend = fake.backend();
        // The name is unique, because clients are searched by the container's name among all processes of the machine.
        let spec = sleeping(&format!("pg-ephemeral-late-{}", std::process::id()));
        let _client = Client::of(spec.name.as_str());
        let file = RecordFile::new(&folders, Record::of_start(&backend, &spec, Owner::current(), None)).unwrap();
        let (_, settled) = watch::channel(true);
        let cleanup = Cleanup { file, settled, busy: Arc::default(), may_start_late: true };
        let container = backend.container(spec.name.clone());
        let start = async {
            while fake.journal().total() == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            backend.run(&spec).await.unwrap();
        };
        let both = async { tokio::join!(remove(container, cleanup), start) };
        // The client keeps running, but the removal does not wait any longer once the container exists.
        let (removed, ()) = tokio::time::timeout(AMPLE, both).await.unwrap();
        removed.unwrap();
        assert_eq!((fake.containers().len(), records(home.path())), (0, 0), "{}", fake.journal());
    }
}
