//! Owns one container from before it is started until it is gone: whatever becomes of the future, the value or the
//! thread that wanted it, the container is removed, its folder with it, and its record last.

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

/// How long a removal waits for a start that is still under way, before it removes what is there.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long it waits for a commit that is still under way.
const COMMIT_LIMIT: Duration = Duration::from_secs(30);
/// How long dropping a guard blocks at most.
const DROP_LIMIT: Duration = Duration::from_secs(60);
/// How often a removal that the engine refuses is tried.
const REMOVAL_ATTEMPTS: u32 = 3;
/// How often it is looked for a container whose client was killed before it was there.
const LATE_PAUSE: Duration = Duration::from_millis(50);
/// How long apart: there is nothing to wait for but that the engine changes its mind.
const REMOVAL_PAUSE: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(crate) struct Guard {
    container: Container,
    /// `None` once the container is gone or belongs to nobody.
    cleanup: Option<Cleanup>,
}

/// What a removal needs.
#[derive(Debug)]
struct Cleanup {
    file: RecordFile,
    settled: watch::Receiver<bool>,
    /// Held while the container's files are committed.
    busy: Arc<Mutex<()>>,
    /// Whether an engine's client may have been killed while it started the container.
    may_start_late: bool,
}

impl Guard {
    /// Starts a container, and makes the folder for its socket when it has one. When this fails, or its future is
    /// dropped, nothing stays.
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
            // Whoever is gone does not need to know any more.
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

    /// Starts a container on the caller's own streams. The process is the engine's client; whatever becomes of it, the
    /// guard removes the container, unless it is [told](Guard::gone) that this has removed itself.
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

    /// Gives up a container that has removed itself.
    pub(crate) fn gone(mut self) {
        self.forget();
    }

    pub(crate) fn container(&self) -> &Container {
        &self.container
    }

    /// Commits the container's files as a layer. Once begun, that comes to its end even if the future is dropped, and a removal
    /// waits for it: an engine's command that is cut off leaves its temporary files.
    pub(crate) async fn commit(&self, spec: CommitSpec) -> Result<(), StartError> {
        let busy = match &self.cleanup {
            Some(cleanup) => Some(cleanup.busy.clone().lock_owned().await),
            None => None,
        };
        let container = self.container.clone();
        let committing = background::spawn(async move {
            let _busy = busy;
            match container.commit(&spec).await {
                // Who builds the same layer may take it for a displaced one in the moment before it has its name.
                Err(ociman::CommandError::ImageNotFound { .. }) => container.commit(&spec).await,
                committed => committed,
            }
        });
        let committed = committing.map_err(StartError::Thread)?.await;
        committed.map_err(|panic| StartError::Thread(std::io::Error::other(panic)))?.map_err(StartError::Commit)
    }

    /// Removes the container and waits until it is gone. Once begun, the removal goes on even if the future is dropped,
    /// and the drop blocks until it is done.
    pub(crate) async fn remove(mut self) -> Result<(), ociman::CommandError> {
        let Some(cleanup) = self.cleanup.take() else { return Ok(()) };
        let container = self.container.clone();
        match background::finish(remove(container, cleanup), DROP_LIMIT) {
            Ok(removal) => removal.output().await.unwrap_or(Ok(())),
            // A record that stays tells the next command.
            Err(_) => Ok(()),
        }
    }

    /// Lets the container live on by itself, as long as it is wanted, under the name that it has or is about to get.
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

    /// Gives up a container that is not there.
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
            // A record that stays tells the next command.
            background::block_on(async move { drop(remove(container, cleanup).await) }, DROP_LIMIT);
        }
    }
}

async fn remove(container: Container, mut cleanup: Cleanup) -> Result<(), ociman::CommandError> {
    // An error means that the starting task is gone, and with it the start.
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

/// Waits for a container whose client was killed, until it is there or can come no more.
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

    /// Long enough for anything that ends at all, on a busy machine.
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

    /// Begins to start a container of the session's name, and gives it up while the engine is at it.
    async fn give_up(fake: &FakeBackend) {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let mut spec = RunSpec::new(NAME.container_name().clone(), IMAGE.parse().unwrap()).entrypoint(["sleep", "60"]);
        spec.labels.insert(label::NONCE_KEY, label::value("loser"));
        let backend = fake.backend();
        let mut start = Box::pin(Guard::run(&folders, &backend, spec, Owner::current(), None));
        // The engine gets to it when nobody waits for it any more.
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
    async fn a_commit_that_is_given_up_comes_to_its_end_before_the_removal() {
        let state = tempfile::tempdir().unwrap();
        let folders = Folders::at(state.path());
        let fake = FakeBackend::podman().with_image(IMAGE);
        let spec = RunSpec::new("x".parse().unwrap(), IMAGE.parse().unwrap()).entrypoint(["sleep", "1000"]);
        let guard = Guard::run(&folders, &fake.backend(), spec, Owner::current(), None).await.unwrap();
        let labels = ociman::label::Labels::new();
        let mut commit = Box::pin(guard.commit(CommitSpec { image: "localhost/committed:1".parse().unwrap(), labels }));
        // The engine gets to it when nobody waits for it any more.
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
    async fn a_start_that_is_given_up_leaves_nothing() {
        for fake in [FakeBackend::docker(), FakeBackend::podman()] {
            let fake = fake.with_image(IMAGE);
            give_up(&fake).await;
            assert!(fake.containers().is_empty());
        }
    }

    #[tokio::test]
    async fn a_start_that_is_given_up_leaves_the_session_alone_that_got_the_name_first() {
        for fake in [FakeBackend::docker(), FakeBackend::podman()] {
            let fake = fake.with_image(IMAGE).with_session("x", IMAGE, &[("pg-ephemeral.nonce", "winner")]);
            give_up(&fake).await;
            assert_eq!(fake.containers(), ["pg-ephemeral-session-x"]);
        }
    }

    #[tokio::test]
    async fn a_container_that_has_removed_itself_costs_no_more_commands() {
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
    async fn a_removal_that_the_engine_refuses_is_tried_three_times_then_told_and_left_to_the_next_command() {
        for fake in engines() {
            let home = tempfile::tempdir().unwrap();
            let folders = Folders::at(home.path());
            let fake = fake.fail(Operation::Remove, Failure::EngineDown).on_every_call();
            let error = guarded(&folders, &fake).await.remove().await.unwrap_err();
            assert!(matches!(error, CommandError::Unreachable { .. }), "{error:?}");
            assert_eq!(fake.journal().count(Operation::Remove), 3, "{}", fake.journal());
            // Although the process that started it is alive.
            let left = crate::state::record::left_behind(&folders, std::time::SystemTime::now());
            assert_eq!(left.iter().map(|file| file.record.container.as_str()).collect::<Vec<_>>(), ["pg-ephemeral-x"]);
            fake.recover();
            crate::reap::reap_recorded(&folders, &fake.backend(), crate::reap::Patience::Hurry).await;
            assert_eq!((fake.containers().len(), records(home.path())), (0, 0));
        }
    }

    #[tokio::test]
    async fn dropping_a_removal_that_has_begun_blocks_until_the_container_is_gone() {
        for fake in engines() {
            let home = tempfile::tempdir().unwrap();
            let folders = Folders::at(home.path());
            let fake = fake.fail(Operation::Remove, Failure::EngineDown).on_call(1);
            // The removal takes its time, since only the third attempt succeeds.
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
    async fn a_container_that_its_engine_s_client_is_still_about_to_start_is_waited_for_and_removed() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let fake = FakeBackend::podman().with_image(IMAGE);
        let backend = fake.backend();
        // Clients are found by the container's name among all processes of the machine.
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
        // The client runs on: once the container is there, that is no reason to wait.
        let (removed, ()) = tokio::time::timeout(AMPLE, both).await.unwrap();
        removed.unwrap();
        assert_eq!((fake.containers().len(), records(home.path())), (0, 0), "{}", fake.journal());
    }
}
