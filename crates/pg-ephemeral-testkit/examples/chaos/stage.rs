//! The environment of the runs of one backend: state folders, a folder for temporary files, and a configuration with
//! unique instances. Everything that is found there belongs to the runs.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Failure;
use crate::options::Backend;
use crate::victim::Change;

/// The text that each session stores and must keep until the end.
const TOLD: &str = "still here";

/// One of the sessions of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// A session that no run changes.
    Bystander,
    /// The session that interrupted runs change.
    Victim,
    /// The session of the run with this number.
    Own(u64),
}

impl Who {
    /// Returns the number of the session's instance. Runs with a server for one command never use it.
    pub(crate) fn instance(self) -> u64 {
        match self {
            Self::Bystander => u64::MAX,
            Self::Victim => u64::MAX - 1,
            Self::Own(_) => u64::MAX - 2,
        }
    }

    const INSTANCES: [u64; 3] = [u64::MAX, u64::MAX - 1, u64::MAX - 2];
}

/// One of two state folders, which stand for two users of the same engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Folder {
    First,
    Second,
}

impl Folder {
    pub(crate) const ALL: [Self; 2] = [Self::First, Self::Second];
}

/// The maximum length of a run's output in a message, in bytes.
const SHOWN: usize = 3000;

pub(crate) struct Stage {
    pub(crate) backend: Backend,
    /// The value of a server parameter that identifies the server processes of this stage.
    pub(crate) marker: String,
    binary: PathBuf,
    /// The root folder. Its path is short because sockets are created below it.
    base: TempDir,
}

impl Stage {
    pub(crate) fn set(binary: &Path, backend: Backend, runs: u64) -> Result<Self, Failure> {
        let base = tempfile::Builder::new().prefix("pgc").rand_bytes(8).tempdir_in("/tmp")?;
        let marker = base.path().file_name().unwrap_or_default().to_string_lossy().to_lowercase().replace('.', "");
        let stage = Self { backend, marker, binary: binary.canonicalize()?, base };
        for folder in [stage.state(Folder::First), stage.state(Folder::Second), stage.temporary(), stage.work()] {
            fs::create_dir(folder)?;
        }
        let mut config = format!("[parameters]\n\"chaos.marker\" = \"{}\"\n", stage.marker);
        for number in (0..=runs).chain(Who::INSTANCES) {
            config.push_str(&format!("[instances.{}]\n", stage.instance(number)));
        }
        fs::write(stage.config(), config)?;
        Ok(stage)
    }

    /// Returns the root folder of this stage.
    pub(crate) fn base(&self) -> &Path {
        self.base.path()
    }

    /// Returns the `XDG_STATE_HOME` of a run.
    pub(crate) fn state(&self, folder: Folder) -> PathBuf {
        self.base().join(match folder {
            Folder::First => "state",
            Folder::Second => "state-2",
        })
    }

    /// Returns the `TMPDIR` of all runs.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.base().join("t")
    }

    fn work(&self) -> PathBuf {
        self.base().join("work")
    }

    fn config(&self) -> PathBuf {
        self.work().join("database.toml")
    }

    fn log(&self) -> PathBuf {
        self.base().join("log")
    }

    pub(crate) fn instance(&self, number: u64) -> String {
        format!("chaos-{}-{number}", self.marker)
    }

    pub(crate) fn session(&self, who: Who) -> String {
        match who {
            Who::Bystander => self.marker.clone(),
            Who::Victim => format!("{}-victim", self.marker),
            Who::Own(number) => format!("{}-{number}", self.marker),
        }
    }

    /// Returns the end of the last run's output.
    pub(crate) fn printed(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let start = text.len().saturating_sub(SHOWN);
        text.get(start..).unwrap_or(&text).to_owned()
    }

    /// Returns a command that calls the binary with the configuration and folders of this stage.
    pub(crate) fn command(
        &self,
        folder: Folder,
        instance: u64,
        arguments: &[impl AsRef<OsStr>],
    ) -> Result<Command, Failure> {
        let log = File::create(self.log())?;
        let mut command = Command::new(&self.binary);
        command
            .args(["--verbose", "--backend", &self.backend.to_string(), "--instance", &self.instance(instance)])
            .args(arguments)
            .current_dir(self.work())
            .env("XDG_STATE_HOME", self.state(folder))
            .env("TMPDIR", self.temporary())
            .env_remove("OCIMAN_BACKEND")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(command)
    }

    /// Runs a command with a server, without a signal, and returns the time that it took.
    pub(crate) fn boot(&self, instance: u64) -> Result<Duration, Failure> {
        let begin = Instant::now();
        self.succeed(instance, &["run-env", "--", "sleep", "0.05"])?;
        Ok(begin.elapsed())
    }

    /// Starts a session, and returns the time that it took.
    pub(crate) fn start_session(&self, who: Who) -> Result<Duration, Failure> {
        let begin = Instant::now();
        self.succeed(who.instance(), &["session", "start", "--name", &self.session(who)])?;
        Ok(begin.elapsed())
    }

    /// Stops a session, and returns the time that it took.
    pub(crate) fn stop_session(&self, who: Who) -> Result<Duration, Failure> {
        let begin = Instant::now();
        self.succeed(who.instance(), &["session", "stop", "--name", &self.session(who)])?;
        Ok(begin.elapsed())
    }

    /// Starts a session and stores [`TOLD`] in it.
    pub(crate) fn start_and_tell(&self, who: Who) -> Result<(), Failure> {
        self.start_session(who)?;
        let sql = format!("create table told as select '{TOLD}'::text as text");
        self.ask(who, &sql).map(drop)
    }

    /// Starts the session that runs change, and takes the snapshot to which it is restored.
    pub(crate) fn start_victim(&self) -> Result<(), Failure> {
        self.start_and_tell(Who::Victim)?;
        let name = self.session(Who::Victim);
        self.succeed(Who::Victim.instance(), &["session", "snapshot", "--name", &name, "--as", "begin", "--replace"])
            .map(drop)
    }

    /// Changes that session without a signal, and returns the time that it took.
    pub(crate) fn change_victim(&self, change: Change) -> Result<Duration, Failure> {
        let begin = Instant::now();
        self.succeed(Who::Victim.instance(), &change.words(self, 0))?;
        Ok(begin.elapsed())
    }

    /// Checks that a session still answers with [`TOLD`]. Returns the problems.
    pub(crate) fn check_session(&self, who: Who) -> Vec<String> {
        match self.ask(who, "select text from told") {
            Ok(answer) if answer.trim_end() == TOLD => Vec::new(),
            Ok(answer) => vec![format!("it answers {answer:?}")],
            Err(error) => vec![error.to_string()],
        }
    }

    /// Checks the session after an interrupted change, and returns the problems. The session must be in its state from
    /// before or after the change, and the change must be possible again.
    pub(crate) fn check_victim(&self, change: Change, number: u64) -> Vec<String> {
        let has_told = self.ask(Who::Victim, "select count(*) from pg_tables where tablename = 'told'");
        let was_reset = match has_told.as_deref().map(str::trim_end) {
            Ok("1") => false,
            Ok("0") if change == Change::Reset => true,
            Ok(answer) => return vec![format!("after it the session has {answer} tables")],
            Err(error) => return vec![format!("after it the session is lost: {error}"), self.replace_victim()],
        };
        let mut problems = Vec::new();
        if was_reset {
            problems.extend(self.change_victim(Change::Restore).err().map(|error| error.to_string()));
        }
        if change == Change::CreateDatabase {
            problems.extend(self.database_is_usable(number).err().map(|error| error.to_string()));
        }
        problems
    }

    /// Drops the database that an interrupted command may have created, and then creates and drops it.
    fn database_is_usable(&self, number: u64) -> Result<(), Failure> {
        let (database, session) = (format!("d{number}"), self.session(Who::Victim));
        let command = |verb| ["database", verb, &database, "--session", &session];
        let listed = self.succeed(Who::Victim.instance(), &["database", "list", "--session", &session])?;
        if listed.split_whitespace().any(|word| word == database) {
            self.succeed(Who::Victim.instance(), &command("drop"))?;
        }
        self.succeed(Who::Victim.instance(), &command("create"))?;
        self.succeed(Who::Victim.instance(), &command("drop"))?;
        Ok(())
    }

    /// Starts a new session after the old one was lost, so that later runs have one.
    fn replace_victim(&self) -> String {
        let stopped = self.stop_session(Who::Victim).err().map(|error| error.to_string()).unwrap_or_default();
        match self.start_victim() {
            Ok(()) => "a new one was started".to_owned(),
            Err(error) => format!("{stopped}\nno new one could be started: {error}"),
        }
    }

    fn ask(&self, who: Who, sql: &str) -> Result<String, Failure> {
        self.succeed(who.instance(), &["session", "psql", "--name", &self.session(who), "--", "-AXtc", sql])
    }

    /// Runs a command without a signal, and returns its standard output. The command must succeed.
    pub(crate) fn succeed(&self, instance: u64, arguments: &[impl AsRef<OsStr>]) -> Result<String, Failure> {
        let output = self.command(Folder::First, instance, arguments)?.stdout(Stdio::piped()).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let words: Vec<_> = arguments.iter().map(|word| word.as_ref().to_string_lossy()).collect();
        let (words, instance) = (words.join(" "), self.instance(instance));
        Err(format!("{}: {words} of {instance} ended with {}:\n{}", self.backend, output.status, self.printed()).into())
    }

    /// Calls the engine with these arguments, and returns its output split into words.
    pub(crate) fn engine(&self, arguments: &[&str]) -> Result<Vec<String>, Failure> {
        let Some(program) = self.backend.program() else { return Ok(Vec::new()) };
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).output()?;
        if !output.status.success() {
            return Err(
                format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)).into()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect())
    }

    /// Returns the IDs of one instance's containers or images. `list` is the command that lists them, such as `ps
    /// --all`.
    pub(crate) fn engine_has(&self, list: &[&str], instance: u64) -> Result<Vec<String>, Failure> {
        let filter = format!("label=pg-ephemeral.instance={}", self.instance(instance));
        self.engine(&[list, &["--quiet", "--no-trunc", "--filter", &filter]].concat())
    }

    /// Removes the containers and images of the stage and its folder. If `keep` is set, keeps them and prints the
    /// folder.
    pub(crate) fn clear(self, instances: u64, keep: bool) {
        if keep {
            println!("{}: kept in {}", self.backend, self.base.keep().display());
            return;
        }
        // Sessions are left if an error ended the runs early.
        let _ = self.succeed(0, &["session", "stop", "--all"]);
        for instance in (0..instances).chain(Who::INSTANCES) {
            for (list, remove) in [(&["ps", "--all"][..], &["rm", "--force"][..]), (&["images"], &["rmi", "--force"])] {
                let found = self.engine_has(list, instance).unwrap_or_default();
                for id in found {
                    // An image with two names is listed twice, so the second removal may fail.
                    let _ = self.engine(&[remove, &[&id]].concat());
                }
            }
        }
    }
}
