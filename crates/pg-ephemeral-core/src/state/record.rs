//! One small file for each server of this user, written before the server is started and removed after it is gone. It
//! lets the next command find what a killed one left, on whatever backend, without asking any engine. A record is of one
//! start and not of a name: several starts may want the name of a session.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ociman::{Backend, CommandError, Container, ContainerInfo, ContainerName, Kind, RunSpec, Selection};
use serde::{Deserialize, Serialize};

use crate::model::session::Name;
use crate::model::{Liveness, Owner, label};
use crate::state::folders::{self, Folders, FoldersError, write_whole};

/// How long after it was asked Docker's service may still make a container for a client that is gone.
const LATE_START: Duration = Duration::from_secs(5);
/// How long a start that was cut off is waited for.
const SETTLE_LIMIT: Duration = Duration::from_secs(20);
const SETTLE_PAUSE: Duration = Duration::from_millis(50);

/// What another process needs to know to remove a server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    #[serde(with = "as_text")]
    pub(crate) backend: Kind,
    /// What leads to the engine, of all that there are of this kind.
    #[serde(default)]
    pub(crate) selection: Selection,
    pub(crate) container: ContainerName,
    /// What tells this server's container from others of the same name: its label [`label::NONCE_KEY`].
    pub(crate) nonce: String,
    /// What a session's files are known by, whichever container it is in: its label [`label::CREDENTIAL_KEY`].
    #[serde(default)]
    pub(crate) credential: Option<String>,
    pub(crate) owner: Owner,
    #[serde(default, rename = "tenure")]
    pub(crate) lifetime: Lifetime,
    pub(crate) phase: Phase,
    /// A folder that goes with the server.
    pub(crate) folder: Option<PathBuf>,
}

/// How long a server is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Lifetime {
    /// As long as its owner lives.
    #[default]
    Owner,
    /// Until this time, in seconds since the Unix epoch, whoever made it.
    Expires(u64),
    /// As long as this process lives, whoever made it.
    Process(Owner),
}

/// How far a server has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// The backend was asked to start it and has not answered.
    Starting,
    /// The backend said that it started.
    Started,
}

/// A record in its file.
#[derive(Debug)]
pub(crate) struct RecordFile {
    pub(crate) record: Record,
    path: PathBuf,
}

/// Why a record could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The folder of records.
    #[error(transparent)]
    Folders(#[from] FoldersError),
    /// The file.
    #[error("write the server record {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl RecordFile {
    /// Writes a new record.
    pub(crate) fn new(folders: &Folders, record: Record) -> Result<Self, RecordError> {
        // A container's name may be too long for a file's.
        let path = folders.state_folder(folders::SERVERS)?.join(format!("{}-{}", record.backend, record.nonce));
        let file = Self { record, path };
        file.write()?;
        Ok(file)
    }

    /// Notes that the backend said that the server started.
    pub(crate) fn started(&mut self) -> Result<(), RecordError> {
        self.record.phase = Phase::Started;
        self.write()
    }

    /// Notes that the server no longer depends on its owner; one that is wanted for ever needs no record.
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

    /// Notes that the owner could not remove the server: whoever comes next may, also while the owner lives.
    pub(crate) fn give_up(&mut self) {
        // Without the note the record counts from its owner's end on.
        let _ = self.outlive_owner(Some(Lifetime::Expires(0)));
    }

    /// Removes the folder of a server that is gone, and then its record. A record that stays behind is judged again by
    /// the next command.
    pub(crate) fn remove(&self) {
        if self.remove_folder() {
            self.remove_file();
        }
    }

    /// Removes the server's folder, and returns whether nothing is left of it.
    pub(crate) fn remove_folder(&self) -> bool {
        let Record { folder, container, .. } = &self.record;
        folder.as_ref().is_none_or(|folder| folders::remove_socket_folder(folder, container).is_ok())
    }

    fn remove_file(&self) {
        // The next command tries it again.
        let _ = fs::remove_file(&self.path);
    }

    /// Whether a start that was cut off may still make its container. Only an engine's client carries it on when its
    /// parent is gone; Docker's service may be at it a little longer than its client.
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

    /// Whether a client that was told this container's name still runs. Podman's watchers of containers, which are told
    /// it too, start nothing.
    fn client_runs(&self) -> bool {
        let name = self.record.container.as_str().as_bytes();
        let Ok(processes) = fs::read_dir("/proc") else { return false };
        let lines = processes.flatten().filter_map(|process| fs::read(process.path().join("cmdline")).ok());
        lines.into_iter().any(|line| {
            let mut arguments = line.split(|byte| *byte == 0);
            !arguments.next().unwrap_or_default().ends_with(b"conmon") && arguments.any(|argument| argument == name)
        })
    }

    /// A clock that was set back makes a file of the future; that is as old as can be.
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
    /// The record of a container that is about to be started by this owner.
    pub(crate) fn of_start(backend: &Backend, spec: &RunSpec, owner: Owner, folder: Option<PathBuf>) -> Self {
        let text = |key| spec.labels.get(&key).map(ToString::to_string);
        let (nonce, credential) = (text(label::NONCE_KEY).unwrap_or_default(), text(label::CREDENTIAL_KEY));
        let (lifetime, phase) = (Lifetime::Owner, Phase::Starting);
        let (backend, selection) = (backend.kind(), backend.selection());
        Self { backend, selection, container: spec.name.clone(), nonce, credential, owner, lifetime, phase, folder }
    }

    /// What a session's files are known by.
    pub(crate) fn credential(&self) -> &str {
        self.credential.as_deref().unwrap_or(&self.nonce)
    }

    /// Removes the container, if it is there, for the process that started it.
    pub(crate) async fn remove_container(&self, container: &Container) -> Result<(), CommandError> {
        match container.name().as_str().starts_with(Name::OCI_PREFIX) {
            true => remove_made(container, &self.nonce).await,
            // Nobody else ever has this name.
            false => container.clone().remove_force().await,
        }
    }

    fn is_of(&self, container: &Container) -> bool {
        self.is_on(container.backend()) && self.container == *container.name()
    }

    /// Whether its server is on this very engine.
    pub(crate) fn is_on(&self, backend: &Backend) -> bool {
        self.backend == backend.kind() && self.selection == backend.selection()
    }
}

/// The records of servers that nobody wants any more at this time.
pub(crate) fn left_behind(folders: &Folders, now: SystemTime) -> Vec<RecordFile> {
    all(folders).filter(|file| is_unwanted(&file.record, now)).collect()
}

/// Whether a process of this user is about to start a container of this name.
pub(crate) fn is_being_started(folders: &Folders, container: &Container) -> bool {
    all(folders)
        .filter(|file| file.record.is_of(container) && file.record.lifetime == Lifetime::Owner)
        .any(|file| file.record.owner.liveness() == Liveness::Alive)
}

/// Removes a container that this tool made, if it is there. One of another nonce is a later session of the name, or
/// somebody else's that a file or a label names, and stays.
pub(crate) async fn remove_made(container: &Container, nonce: &str) -> Result<(), CommandError> {
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

/// Forgets a container that had a time to live and is gone before it.
pub(crate) fn forget(folders: &Folders, container: &Container, nonce: &str) {
    of(folders, container, nonce).for_each(|file| file.remove());
}

/// Whether the start of a container that was cut off may still make it.
pub(crate) fn may_start_late(folders: &Folders, container: &Container, nonce: &str) -> bool {
    of(folders, container, nonce).any(|file| file.may_start_late())
}

/// Waits until a start that was cut off can't make its container any more.
pub(crate) async fn settle(may_start_late: impl Fn() -> bool) {
    let settled = async {
        while may_start_late() {
            tokio::time::sleep(SETTLE_PAUSE).await;
        }
    };
    let _ = tokio::time::timeout(SETTLE_LIMIT, settled).await;
}

/// Whether a container is still its owner's: it is not yet all that it is to be.
pub(crate) fn depends_on_owner(folders: &Folders, container: &Container, nonce: &str) -> bool {
    of(folders, container, nonce).any(|file| file.record.lifetime == Lifetime::Owner)
}

fn of(folders: &Folders, container: &Container, nonce: &str) -> impl Iterator<Item = RecordFile> {
    all(folders).filter(move |file| file.record.is_of(container) && file.record.nonce == nonce)
}

/// The folders that go with recorded servers.
pub(crate) fn folders_of(folders: &Folders) -> impl Iterator<Item = PathBuf> {
    all(folders).filter_map(|file| file.record.folder)
}

/// Records that are none, or another version's.
pub(crate) fn unreadable(folders: &Folders) -> Vec<PathBuf> {
    let entries = fs::read_dir(folders.state().join(folders::SERVERS)).into_iter().flatten().flatten();
    let visible = entries.filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
    let paths = visible.map(|entry| entry.path());
    // One that is gone meanwhile is none to tell of.
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

/// Whether the owner lives is no matter of time: only what has an expiry of its own is judged by the clock.
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
    fn a_named_pipe_among_the_records_is_unreadable_and_not_waited_for() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let path = folders.state_folder("servers").unwrap().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert_eq!(unreadable(&folders), [path]);
        assert_eq!(all(&folders).count(), 0);
    }

    /// Where a clock may stand: never set, a little late, right, and far in the future.
    fn clocks() -> [SystemTime; 4] {
        [0, 999, 1000, 1 << 40].map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds))
    }

    fn dead() -> Owner {
        Owner { boot: "before".to_owned(), ..Owner::current() }
    }

    #[test]
    fn a_live_owners_server_is_not_left_behind() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        RecordFile::new(&folders, record(Owner::current())).unwrap();
        assert!(left_behind(&folders, now()).is_empty());
    }

    #[test]
    fn a_dead_owners_server_is_left_behind_until_its_record_goes() {
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
    fn a_session_that_goes_with_a_process_is_left_behind_when_that_is_dead_whoever_made_it() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let mut file = RecordFile::new(&folders, record(dead())).unwrap();
        file.outlive_owner(Some(Lifetime::Process(Owner::current()))).unwrap();
        assert!(clocks().iter().all(|clock| left_behind(&folders, *clock).is_empty()));
        file.outlive_owner(Some(Lifetime::Process(dead()))).unwrap();
        assert!(clocks().iter().all(|clock| left_behind(&folders, *clock).len() == 1));
    }

    #[test]
    fn a_clock_that_jumps_changes_nothing_for_what_has_an_owner() {
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
    fn a_session_without_an_end_is_none_of_any_clocks_business_and_one_with_an_end_goes_by_it() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let mut file = RecordFile::new(&folders, record(dead())).unwrap();
        file.outlive_owner(Some(Lifetime::Expires(u64::MAX))).unwrap();
        assert!(clocks().iter().all(|clock| left_behind(&folders, *clock).is_empty()));
        file.outlive_owner(Some(Lifetime::Expires(1000))).unwrap();
        assert_eq!(clocks().map(|clock| left_behind(&folders, clock).len()), [0, 0, 1, 1]);
    }

    #[test]
    fn a_start_that_the_clock_says_is_yet_to_come_is_not_waited_for() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let file = RecordFile::new(&folders, record(dead())).unwrap();
        assert!(file.age(SystemTime::now()) < LATE_START);
        assert_eq!(file.age(UNIX_EPOCH), Duration::MAX);
        assert!(file.age(SystemTime::now() + LATE_START) >= LATE_START);
    }

    #[test]
    fn what_its_live_owner_gave_up_is_left_behind() {
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
    async fn the_record_of_a_killed_start_does_not_remove_the_session_that_got_the_name() {
        let fake = FakeBackend::podman().with_session("x", "localhost/x:1", &[("pg-ephemeral.nonce", "winner")]);
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        RecordFile::new(&folders, session("loser", dead())).unwrap();
        crate::lifecycle::reap::reap_recorded(&folders, &fake.backend(), crate::lifecycle::reap::Patience::Hurry).await;
        assert_eq!(fake.containers(), ["pg-ephemeral-session-x"]);
        assert!(left_behind(&folders, now()).is_empty());
        RecordFile::new(&folders, session("winner", dead())).unwrap();
        crate::lifecycle::reap::reap_recorded(&folders, &fake.backend(), crate::lifecycle::reap::Patience::Hurry).await;
        assert!(fake.containers().is_empty());
    }

    #[tokio::test]
    async fn what_is_on_another_engine_is_removed_there_by_who_works_with_it_or_tidies_up() {
        use crate::lifecycle::reap::{Patience, reap_recorded};
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
        reap_recorded(&folders, &here.backend(), Patience::Hurry).await;
        assert_eq!((here.containers().len(), left_behind(&folders, now()).len()), (1, 1));
        reap_recorded(&folders, &far.backend(), Patience::Hurry).await;
        assert_eq!((far.containers().len(), left_behind(&folders, now()).len()), (0, 0));
        left_there();
        // A fake is the same wherever it is led.
        reap_recorded(&folders, &here.backend(), Patience::Settle).await;
        assert_eq!((here.containers().len(), left_behind(&folders, now()).len()), (0, 0));
    }

    #[test]
    fn a_session_is_being_started_until_it_is_released_or_its_owner_is_dead() {
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

    /// An engine's client that was told the name of a container.
    pub(crate) struct Client(std::process::Child);

    impl Client {
        pub(crate) fn of(container: &str) -> Self {
            let mut client = std::process::Command::new("sh");
            let client = client.args(["-c", "echo; read x", container]).stdin(std::process::Stdio::piped());
            let mut client = client.stdout(std::process::Stdio::piped()).spawn().unwrap();
            // Its arguments are there to be seen only once it runs.
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

    /// The record of a start that was cut off, of a name that no other test on this machine has.
    fn cut_off(backend: Kind) -> Record {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("pg-ephemeral-x-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Record { backend, container: name.parse().unwrap(), ..record(dead()) }
    }

    #[test]
    fn a_start_that_was_cut_off_may_come_late_as_long_as_its_client_runs() {
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
    fn docker_may_make_a_container_a_little_later_than_its_client_is_gone() {
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
    async fn who_tidies_up_waits_for_a_start_that_was_cut_off_and_who_is_in_a_hurry_does_not() {
        use crate::lifecycle::reap::{Patience, reap_recorded};
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let fake = FakeBackend::podman();
        let backend = fake.backend();
        let file = RecordFile::new(&folders, cut_off(Kind::Podman)).unwrap();
        let client = Client::of(file.record.container.as_str());
        reap_recorded(&folders, &backend, Patience::Hurry).await;
        assert_eq!(left_behind(&folders, now()).len(), 1);
        let end = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            drop(client);
        };
        tokio::join!(reap_recorded(&folders, &backend, Patience::Settle), end);
        assert!(left_behind(&folders, now()).is_empty());
    }

    #[tokio::test]
    async fn with_a_server_go_its_folder_and_the_file_of_its_authority() {
        use crate::lifecycle::reap::{Patience, reap_recorded};
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
            reap_recorded(&folders, &FakeBackend::podman().backend(), Patience::Settle).await;
            assert!(!authority.exists() && !sockets.join("pg-ephemeral-x").exists());
        }
    }

    #[test]
    fn a_record_that_is_forgotten_takes_the_folder_for_sockets_with_it() {
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
    async fn a_record_of_another_kind_of_backend_removes_nothing_here() {
        use crate::lifecycle::reap::{Patience, reap_recorded};
        let container = FakeContainer::new("pg-ephemeral-x", "localhost/x:1").label("pg-ephemeral.nonce", "n");
        let fake = FakeBackend::podman().with_image("localhost/x:1").with_container(container);
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        RecordFile::new(&folders, Record { backend: Kind::Host, ..record(dead()) }).unwrap();
        reap_recorded(&folders, &fake.backend(), Patience::Settle).await;
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
