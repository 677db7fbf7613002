//! Server records: one small file for each server of this user, written before the server is started and removed after
//! it is gone. With the records, a command finds the servers that killed commands have left on any backend, without
//! asking an engine. A record belongs to one start, not to a name, because several starts may compete for the name of a
//! session.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ociman::{Backend, CommandError, Container, ContainerInfo, ContainerName, Kind, RunSpec, Selection};
use serde::{Deserialize, Serialize};

use crate::model::session::Name;
use crate::model::{Liveness, Owner, label};
use crate::state::folders::{self, Folders, FoldersError, write_whole};

/// How long after a request the Docker daemon may still create a container for a client that has ended.
const LATE_START: Duration = Duration::from_secs(5);
/// The longest time that [`settle`] waits for an interrupted start.
const SETTLE_LIMIT: Duration = Duration::from_secs(20);
const SETTLE_PAUSE: Duration = Duration::from_millis(50);

/// The information that another process needs to remove a server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    #[serde(with = "as_text")]
    pub(crate) backend: Kind,
    /// The environment variables that select the engine among those of this kind.
    #[serde(default)]
    pub(crate) selection: Selection,
    pub(crate) container: ContainerName,
    /// The value of the container's label [`label::NONCE_KEY`], which distinguishes it from others of the same name.
    pub(crate) nonce: String,
    /// The value of the container's label [`label::CREDENTIAL_KEY`], which names the files of a session. It stays the
    /// same when the session's container is replaced.
    #[serde(default)]
    pub(crate) credential: Option<String>,
    pub(crate) owner: Owner,
    #[serde(default, rename = "tenure")]
    pub(crate) lifetime: Lifetime,
    pub(crate) phase: Phase,
    /// A folder that is removed together with the server.
    pub(crate) folder: Option<PathBuf>,
}

/// When a server is to be removed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Lifetime {
    /// At the end of its owner.
    #[default]
    Owner,
    /// At this time, in seconds since the Unix epoch, whether or not its owner lives.
    Expires(u64),
    /// At the end of this process, whether or not its owner lives.
    Process(Owner),
}

/// The progress of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// The backend was asked to start the container, and has not answered.
    Starting,
    /// The backend reported that the container has started.
    Started,
}

/// A record together with the path of its file.
#[derive(Debug)]
pub(crate) struct RecordFile {
    pub(crate) record: Record,
    path: PathBuf,
}

/// The reason why a record could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The folder of the records could not be created or used.
    #[error(transparent)]
    Folders(#[from] FoldersError),
    /// The file could not be written.
    #[error("failed to write the server record {}", path.display())]
    Write {
        /// The path of the file.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: io::Error,
    },
}

impl RecordFile {
    /// Writes a new record.
    pub(crate) fn new(folders: &Folders, record: Record) -> Result<Self, RecordError> {
        // The file is not named for the container, whose name may be too long for a file name.
        let path = folders.state_folder(folders::SERVERS)?.join(format!("{}-{}", record.backend, record.nonce));
        let file = Self { record, path };
        file.write()?;
        Ok(file)
    }

    /// Updates the record: the backend has reported that the container has started.
    pub(crate) fn started(&mut self) -> Result<(), RecordError> {
        self.record.phase = Phase::Started;
        self.write()
    }

    /// Updates the record: the server no longer depends on its owner. Without a `lifetime` the server has no time
    /// limit, and the record is removed.
    pub(crate) fn outlive_owner(&mut self, lifetime: Option<Lifetime>) -> Result<(), RecordError> {
        match lifetime {
            Some(lifetime) => {
                self.record.lifetime = lifetime;
                self.write()
            }
            None => {
                self.remove_file();
                Ok(())
            }
        }
    }

    /// Updates the record: the owner could not remove the server, so any other process may, even while the owner lives.
    pub(crate) fn give_up(&mut self) {
        // If the update fails, the server counts as a leftover only after the end of its owner.
        let _ = self.outlive_owner(Some(Lifetime::Expires(0)));
    }

    /// Removes the folder of a server that is gone, and then the record. If the folder can't be removed, the record
    /// stays, and the next command tries again.
    pub(crate) fn remove(&self) {
        if self.remove_folder() {
            self.remove_file();
        }
    }

    /// Removes the server's folder. Returns `true` if it is gone.
    pub(crate) fn remove_folder(&self) -> bool {
        let Record { folder, container, .. } = &self.record;
        folder.as_ref().is_none_or(|folder| folders::remove_socket_folder(folder, container).is_ok())
    }

    fn remove_file(&self) {
        // The next command tries again.
        let _ = fs::remove_file(&self.path);
    }

    /// Returns `true` if an interrupted start may still create its container. When this program is killed, the engine's
    /// client may continue. The Docker daemon may continue a little longer than its client.
    pub(crate) fn may_start_late(&self) -> bool {
        if self.record.phase == Phase::Started {
            return false;
        }
        match self.record.backend {
            Kind::Host => false,
            Kind::Podman => self.client_runs(),
            Kind::Docker => self.client_runs() || self.age(SystemTime::now()) < LATE_START,
        }
    }

    /// Returns `true` if an engine's client that has this container's name among its arguments still runs. Podman's
    /// `conmon` has the name among its arguments too, but it only monitors a container, so it does not count.
    fn client_runs(&self) -> bool {
        let name = self.record.container.as_str().as_bytes();
        let Ok(processes) = fs::read_dir("/proc") else { return false };
        let lines = processes.flatten().filter_map(|process| fs::read(process.path().join("cmdline")).ok());
        lines.into_iter().any(|line| {
            let mut arguments = line.split(|byte| *byte == 0);
            !arguments.next().unwrap_or_default().ends_with(b"conmon") && arguments.any(|argument| argument == name)
        })
    }

    /// Returns the age of the record's file. If the file is from the future, because the clock was set back, the age is
    /// [`Duration::MAX`].
    fn age(&self, now: SystemTime) -> Duration {
        let modified = fs::metadata(&self.path).and_then(|file| file.modified());
        modified.ok().and_then(|modified| now.duration_since(modified).ok()).unwrap_or(Duration::MAX)
    }

    fn write(&self) -> Result<(), RecordError> {
        serde_json::to_vec(&self.record)
            .map_err(io::Error::from)
            .and_then(|json| write_whole(&self.path, &json))
            .map_err(|source| RecordError::Write { path: self.path.clone(), source })
    }
}

impl Record {
    /// Creates the record of a container that this owner is about to start.
    pub(crate) fn of_start(backend: &Backend, spec: &RunSpec, owner: Owner, folder: Option<PathBuf>) -> Self {
        let text = |key| spec.labels.get(&key).map(ToString::to_string);
        let (nonce, credential) = (text(label::NONCE_KEY).unwrap_or_default(), text(label::CREDENTIAL_KEY));
        let (lifetime, phase) = (Lifetime::Owner, Phase::Starting);
        let (backend, selection) = (backend.kind(), backend.selection());
        Self { backend, selection, container: spec.name.clone(), nonce, credential, owner, lifetime, phase, folder }
    }

    /// Returns the credential, which names the files of a session.
    pub(crate) fn credential(&self) -> &str {
        self.credential.as_deref().unwrap_or(&self.nonce)
    }

    /// Removes the container, if it exists. Called by the process that started it.
    pub(crate) async fn remove_container(&self, container: &Container) -> Result<(), CommandError> {
        match container.name().as_str().starts_with(Name::OCI_PREFIX) {
            true => remove_if_nonce(container, &self.nonce).await,
            // The names of other containers contain a random part, so that they are never used twice.
            false => container.clone().remove_force().await,
        }
    }

    fn is_of(&self, container: &Container) -> bool {
        self.is_on(container.backend()) && self.container == *container.name()
    }

    /// Returns `true` if the server is on the engine of this backend.
    pub(crate) fn is_on(&self, backend: &Backend) -> bool {
        self.backend == backend.kind() && self.selection == backend.selection()
    }
}

/// Returns the records of the servers that are to be removed at the time `now`.
pub(crate) fn left_behind(folders: &Folders, now: SystemTime) -> Vec<RecordFile> {
    all(folders).filter(|file| is_unwanted(&file.record, now)).collect()
}

/// Returns `true` if a live process of this user is starting a container of this name.
pub(crate) fn is_being_started(folders: &Folders, container: &Container) -> bool {
    all(folders)
        .filter(|file| file.record.is_of(container) && file.record.lifetime == Lifetime::Owner)
        .any(|file| file.record.owner.liveness() == Liveness::Alive)
}

/// Removes a container that pg-ephemeral has made, if it exists and has this nonce. A container of the same name but
/// with another nonce is left alone: it is a later session of the name, or does not belong to pg-ephemeral.
pub(crate) async fn remove_if_nonce(container: &Container, nonce: &str) -> Result<(), CommandError> {
    match container.inspect().await {
        Ok(info) if is_made(&info, nonce) => container.remove_force_if(&info.id).await,
        Ok(_) | Err(CommandError::ContainerNotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn is_made(info: &ContainerInfo, nonce: &str) -> bool {
    let has_nonce = info.labels.get(&label::NONCE_KEY).is_some_and(|found| found.as_str() == nonce);
    has_nonce && label::is_own_container(info.name.as_str(), &info.labels)
}

/// Removes the records of a container that is gone.
pub(crate) fn forget(folders: &Folders, container: &Container, nonce: &str) {
    of(folders, container, nonce).for_each(|file| file.remove());
}

/// Returns `true` if an interrupted start of this container may still create it.
pub(crate) fn may_start_late(folders: &Folders, container: &Container, nonce: &str) -> bool {
    of(folders, container, nonce).any(|file| file.may_start_late())
}

/// Waits until `may_start_late` returns `false`, because the interrupted start has ended, or until [`SETTLE_LIMIT`] has
/// passed.
pub(crate) async fn settle(may_start_late: impl Fn() -> bool) {
    let settled = async {
        while may_start_late() {
            tokio::time::sleep(SETTLE_PAUSE).await;
        }
    };
    let _ = tokio::time::timeout(SETTLE_LIMIT, settled).await;
}

/// Returns `true` if a container still depends on its owner, because its set-up is not complete.
pub(crate) fn depends_on_owner(folders: &Folders, container: &Container, nonce: &str) -> bool {
    of(folders, container, nonce).any(|file| file.record.lifetime == Lifetime::Owner)
}

fn of(folders: &Folders, container: &Container, nonce: &str) -> impl Iterator<Item = RecordFile> {
    all(folders).filter(move |file| file.record.is_of(container) && file.record.nonce == nonce)
}

/// Returns the folders that are removed together with recorded servers.
pub(crate) fn folders_of(folders: &Folders) -> impl Iterator<Item = PathBuf> {
    all(folders).filter_map(|file| file.record.folder)
}

/// Returns the files among the records that can't be read, for example because another version has written them.
pub(crate) fn unreadable(folders: &Folders) -> Vec<PathBuf> {
    let entries = fs::read_dir(folders.state().join(folders::SERVERS)).into_iter().flatten().flatten();
    let visible = entries.filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
    let paths = visible.map(|entry| entry.path());
    // A file that was removed in the meantime is not reported.
    paths.filter(|path| read(path).is_none() && path.exists()).collect()
}

fn all(folders: &Folders) -> impl Iterator<Item = RecordFile> {
    let entries = fs::read_dir(folders.state().join(folders::SERVERS)).into_iter().flatten();
    entries.filter_map(|entry| read(&entry.ok()?.path()))
}

fn read(path: &Path) -> Option<RecordFile> {
    if path.file_name()?.as_encoded_bytes().starts_with(b".") {
        return None;
    }
    let record = serde_json::from_slice(&ociman::files::read(path).ok()?).ok()?;
    Some(RecordFile { record, path: path.to_owned() })
}

/// Returns `true` if a server is to be removed at the time `now`. The time only matters for a server with an expiry.
fn is_unwanted(record: &Record, now: SystemTime) -> bool {
    match &record.lifetime {
        Lifetime::Owner => record.owner.liveness() == Liveness::Dead,
        Lifetime::Process(process) => process.liveness() == Liveness::Dead,
        Lifetime::Expires(end) => UNIX_EPOCH.checked_add(Duration::from_secs(*end)).is_some_and(|end| end <= now),
    }
}

mod as_text {
    use ociman::Kind;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(kind: &Kind, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(kind.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::fs::DirBuilderExt;
    use std::sync::atomic::{AtomicU32, Ordering};

    use pg_ephemeral_testkit::{FakeBackend, FakeContainer};

    use super::*;

    fn record(owner: Owner) -> Record {
        Record {
            backend: Kind::Podman,
            selection: Selection::new(),
            container: "pg-ephemeral-x".parse().unwrap(),
            nonce: "n".to_owned(),
            credential: None,
            owner,
            lifetime: Lifetime::Owner,
            phase: Phase::Starting,
            folder: None,
        }
    }

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1000)
    }

    #[test]
    fn a_named_pipe_among_the_records_is_unreadable_and_does_not_block() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let path = folders.state_folder("servers").unwrap().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert_eq!(unreadable(&folders), [path]);
        assert_eq!(all(&folders).count(), 0);
    }

    /// Times that a clock may show: never set, a little late, right, and far in the future.
    fn clocks() -> [SystemTime; 4] {
        [0, 999, 1000, 1 << 40].map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds))
    }

    fn dead() -> Owner {
        Owner { boot: "before".to_owned(), ..Owner::current() }
    }

    #[test]
    fn the_server_of_a_live_owner_is_not_left_behind() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        RecordFile::new(&folders, record(Owner::current())).unwrap();
        assert!(left_behind(&folders, now()).is_empty());
    }

    #[test]
    fn the_server_of_a_dead_owner_is_left_behind_until_its_record_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        RecordFile::new(&folders, record(dead())).unwrap().started().unwrap();
        let left = left_behind(&folders, now());
        assert_eq!(left[0].record.container.as_str(), "pg-ephemeral-x");
        assert!(!left[0].may_start_late());
        left[0].remove();
        assert!(left_behind(&folders, now()).is_empty());
    }

    #[test]
    fn a_session_is_left_behind_from_its_expiry_on_and_not_before() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let mut file = RecordFile::new(&folders, record(dead())).unwrap();
        file.outlive_owner(Some(Lifetime::Expires(1001))).unwrap();
        assert!(left_behind(&folders, now()).is_empty());
        file.outlive_owner(Some(Lifetime::Expires(1000))).unwrap();
        assert_eq!(left_behind(&folders, now()).len(), 1);
    }

    #[test]
    fn a_session_that_is_bound_to_a_process_is_left_behind_once_that_process_is_dead() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let mut file = RecordFile::new(&folders, record(dead())).unwrap();
        file.outlive_owner(Some(Lifetime::Process(Owner::current()))).unwrap();
        assert!(clocks().iter().all(|clock| left_behind(&folders, *clock).is_empty()));
        file.outlive_owner(Some(Lifetime::Process(dead()))).unwrap();
        assert!(clocks().iter().all(|clock| left_behind(&folders, *clock).len() == 1));
    }

    #[test]
    fn whether_an_owned_server_is_left_behind_does_not_depend_on_the_clock() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let alive = RecordFile::new(&folders, record(Owner::current())).unwrap();
        for clock in clocks() {
            assert!(left_behind(&folders, clock).is_empty(), "{clock:?}");
        }
        alive.remove();
        RecordFile::new(&folders, record(dead())).unwrap();
        for clock in clocks() {
            assert_eq!(left_behind(&folders, clock).len(), 1, "{clock:?}");
        }
    }

    #[test]
    fn the_clock_decides_only_about_sessions_with_an_expiry() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let mut file = RecordFile::new(&folders, record(dead())).unwrap();
        file.outlive_owner(Some(Lifetime::Expires(u64::MAX))).unwrap();
        assert!(clocks().iter().all(|clock| left_behind(&folders, *clock).is_empty()));
        file.outlive_owner(Some(Lifetime::Expires(1000))).unwrap();
        assert_eq!(clocks().map(|clock| left_behind(&folders, clock).len()), [0, 0, 1, 1]);
    }

    #[test]
    fn a_record_from_the_future_is_not_a_late_start() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let file = RecordFile::new(&folders, record(dead())).unwrap();
        assert!(file.age(SystemTime::now()) < LATE_START);
        assert_eq!(file.age(UNIX_EPOCH), Duration::MAX);
        assert!(file.age(SystemTime::now() + LATE_START) >= LATE_START);
    }

    #[test]
    fn a_server_that_its_live_owner_gave_up_is_left_behind() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        RecordFile::new(&folders, record(Owner::current())).unwrap().give_up();
        assert!(clocks().iter().all(|clock| left_behind(&folders, *clock).len() == 1));
    }

    fn session(nonce: &str, owner: Owner) -> Record {
        let container = crate::session_name!("x").container_name().clone();
        Record { container, nonce: nonce.to_owned(), ..record(owner) }
    }

    #[tokio::test]
    async fn reaping_a_killed_start_does_not_remove_the_session_that_got_the_name() {
        let fake = FakeBackend::podman().with_session("x", "localhost/x:1", &[("pg-ephemeral.nonce", "winner")]);
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        RecordFile::new(&folders, session("loser", dead())).unwrap();
        crate::lifecycle::reap::reap_recorded(&folders, &fake.backend(), crate::lifecycle::reap::LateStarts::Hurry)
            .await;
        assert_eq!(fake.containers(), ["pg-ephemeral-session-x"]);
        assert!(left_behind(&folders, now()).is_empty());
        RecordFile::new(&folders, session("winner", dead())).unwrap();
        crate::lifecycle::reap::reap_recorded(&folders, &fake.backend(), crate::lifecycle::reap::LateStarts::Hurry)
            .await;
        assert!(fake.containers().is_empty());
    }

    #[tokio::test]
    async fn a_leftover_on_a_remote_engine_is_removed_by_commands_on_that_engine_and_by_a_patient_reap() {
        use crate::lifecycle::reap::{LateStarts, reap_recorded};
        let container = FakeContainer::new("pg-ephemeral-x", "localhost/x:1");
        let container = container.label("pg-ephemeral.nonce", &record(dead()).nonce);
        let fake = || FakeBackend::podman().with_image("localhost/x:1").with_container(container.clone());
        let here = fake();
        let far = fake().remote("tcp://192.0.2.7:2375");
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let left_there = || {
            let record = Record { selection: far.backend().selection(), ..record(dead()) };
            RecordFile::new(&folders, record).unwrap().started().unwrap();
        };
        left_there();
        reap_recorded(&folders, &here.backend(), LateStarts::Hurry).await;
        assert_eq!((here.containers().len(), left_behind(&folders, now()).len()), (1, 1));
        reap_recorded(&folders, &far.backend(), LateStarts::Hurry).await;
        assert_eq!((far.containers().len(), left_behind(&folders, now()).len()), (0, 0));
        left_there();
        // A fake backend ignores which engine is selected.
        reap_recorded(&folders, &here.backend(), LateStarts::Settle).await;
        assert_eq!((here.containers().len(), left_behind(&folders, now()).len()), (0, 0));
    }

    #[test]
    fn a_session_is_being_started_until_it_outlives_its_owner_or_the_owner_is_dead() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let container = FakeBackend::podman().backend().container(session("", dead()).container);
        RecordFile::new(&folders, session("dead", dead())).unwrap();
        assert!(!is_being_started(&folders, &container));
        let mut file = RecordFile::new(&folders, session("alive", Owner::current())).unwrap();
        assert!(is_being_started(&folders, &container));
        let other_name = FakeBackend::podman().backend().container("pg-ephemeral-session-y".parse().unwrap());
        let other_engine = FakeBackend::docker().backend().container(container.name().clone());
        assert!(!is_being_started(&folders, &other_name) && !is_being_started(&folders, &other_engine));
        assert!(depends_on_owner(&folders, &container, "alive") && !depends_on_owner(&folders, &container, "another"));
        file.outlive_owner(Some(Lifetime::Expires(u64::MAX))).unwrap();
        assert!(!is_being_started(&folders, &container));
        assert!(!depends_on_owner(&folders, &container, "alive"));
        forget(&folders, &container, "another");
        assert_eq!(all(&folders).count(), 2);
        forget(&folders, &container, "alive");
        assert_eq!(all(&folders).map(|file| file.record.nonce).collect::<Vec<_>>(), ["dead"]);
    }

    /// A process that has the name of a container among its arguments, like an engine's client.
    pub(crate) struct Client(std::process::Child);

    impl Client {
        pub(crate) fn of(container: &str) -> Self {
            let mut client = std::process::Command::new("sh");
            let client = client.args(["-c", "echo; read x", container]).stdin(std::process::Stdio::piped());
            let mut client = client.stdout(std::process::Stdio::piped()).spawn().unwrap();
            // The arguments of a process are visible only once it runs.
            std::io::Read::read_exact(client.stdout.as_mut().unwrap(), &mut [0]).unwrap();
            Self(client)
        }
    }

    impl Drop for Client {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// The record of an interrupted start, with a container name that no other test on this machine uses.
    fn cut_off(backend: Kind) -> Record {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("pg-ephemeral-x-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Record { backend, container: name.parse().unwrap(), ..record(dead()) }
    }

    #[test]
    fn an_interrupted_start_may_complete_while_its_client_runs() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let mut file = RecordFile::new(&folders, cut_off(Kind::Podman)).unwrap();
        let container = FakeBackend::podman().backend().container(file.record.container.clone());
        assert!(!file.may_start_late() && !may_start_late(&folders, &container, "n"));
        let client = Client::of(container.name().as_str());
        assert!(file.may_start_late() && may_start_late(&folders, &container, "n"));
        assert!(!may_start_late(&folders, &container, "another"));
        drop(client);
        assert!(!file.may_start_late());
        let _client = Client::of(container.name().as_str());
        file.started().unwrap();
        assert!(!file.may_start_late() && !may_start_late(&folders, &container, "n"));
    }

    #[test]
    fn docker_may_create_a_container_shortly_after_its_client_has_ended() {
        let home = tempfile::tempdir().unwrap();
        let file = RecordFile::new(&Folders::at(home.path()), cut_off(Kind::Docker)).unwrap();
        assert!(file.may_start_late());
        let stored = fs::File::options().write(true).open(&file.path).unwrap();
        stored.set_modified(SystemTime::now() - LATE_START).unwrap();
        assert!(!file.may_start_late());
        let _client = Client::of(file.record.container.as_str());
        assert!(file.may_start_late());
    }

    #[tokio::test]
    async fn only_a_patient_reap_waits_for_an_interrupted_start() {
        use crate::lifecycle::reap::{LateStarts, reap_recorded};
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let fake = FakeBackend::podman();
        let backend = fake.backend();
        let file = RecordFile::new(&folders, cut_off(Kind::Podman)).unwrap();
        let client = Client::of(file.record.container.as_str());
        reap_recorded(&folders, &backend, LateStarts::Hurry).await;
        assert_eq!(left_behind(&folders, now()).len(), 1);
        let end = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            drop(client);
        };
        tokio::join!(reap_recorded(&folders, &backend, LateStarts::Settle), end);
        assert!(left_behind(&folders, now()).is_empty());
    }

    #[tokio::test]
    async fn reaping_a_server_removes_its_folder_and_its_ca_file() {
        use crate::lifecycle::reap::{LateStarts, reap_recorded};
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let sockets = home.path().join(Folders::sockets_path().file_name().unwrap());
        fs::DirBuilder::new().mode(0o700).create(&sockets).unwrap();
        for (credential, known_by) in [(None, "n"), (Some("c".to_owned()), "c")] {
            let record = Record { credential, folder: Some(sockets.join("pg-ephemeral-x")), ..record(dead()) };
            crate::state::folders::make_socket_folder(record.folder.as_deref().unwrap()).unwrap();
            let authority = crate::postgres::tls::session_ca_file(&folders, record.backend, known_by, "pem").unwrap();
            let file = RecordFile::new(&folders, record).unwrap();
            assert!(authority.exists() && folders_of(&folders).eq(file.record.folder));
            reap_recorded(&folders, &FakeBackend::podman().backend(), LateStarts::Settle).await;
            assert!(!authority.exists() && !sockets.join("pg-ephemeral-x").exists());
        }
    }

    #[test]
    fn forgetting_a_record_removes_its_socket_folder() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let sockets = home.path().join(Folders::sockets_path().file_name().unwrap());
        fs::DirBuilder::new().mode(0o700).create(&sockets).unwrap();
        let record = Record { folder: Some(sockets.join("pg-ephemeral-x")), ..record(dead()) };
        folders::make_socket_folder(record.folder.as_deref().unwrap()).unwrap();
        let container = FakeBackend::podman().backend().container(record.container.clone());
        RecordFile::new(&folders, record).unwrap();
        forget(&folders, &container, "n");
        assert!(all(&folders).next().is_none() && !sockets.join("pg-ephemeral-x").exists());
    }

    #[tokio::test]
    async fn a_record_of_another_kind_of_backend_removes_no_container_of_this_one() {
        use crate::lifecycle::reap::{LateStarts, reap_recorded};
        let container = FakeContainer::new("pg-ephemeral-x", "localhost/x:1").label("pg-ephemeral.nonce", "n");
        let fake = FakeBackend::podman().with_image("localhost/x:1").with_container(container);
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        RecordFile::new(&folders, Record { backend: Kind::Host, ..record(dead()) }).unwrap();
        reap_recorded(&folders, &fake.backend(), LateStarts::Settle).await;
        assert_eq!((fake.containers().len(), left_behind(&folders, now()).len()), (1, 0));
    }

    #[test]
    fn a_record_that_can_be_read_is_not_unreadable() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        RecordFile::new(&folders, record(dead())).unwrap();
        assert_eq!(unreadable(&folders), Vec::<PathBuf>::new());
    }
}
