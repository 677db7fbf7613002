//! Where the runs of one backend take place: a state folder, a folder for temporary files and a configuration with
//! instances that nobody else has, so that whatever is found there is theirs.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Failure;
use crate::options::Backend;
use crate::victim::Change;

/// What a session has to know to the end.
const TOLD: &str = "still here";

/// One of the sessions of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// No run is about it.
    Bystander,
    /// It is changed by runs that are killed.
    Victim,
    /// It is of the run of this number.
    Own(u64),
}

impl Who {
    /// An instance that no run for a single command has.
    pub(crate) fn instance(self) -> u64 {
        match self {
            Self::Bystander => u64::MAX,
            Self::Victim => u64::MAX - 1,
            Self::Own(_) => u64::MAX - 2,
        }
    }

    const INSTANCES: [u64; 3] = [u64::MAX, u64::MAX - 1, u64::MAX - 2];
}

/// One of the two state folders, as two users of one engine have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Folder {
    First,
    Second,
}

impl Folder {
    pub(crate) const ALL: [Self; 2] = [Self::First, Self::Second];
}

/// How many bytes of what a run printed a message shows.
const SHOWN: usize = 3000;

pub(crate) struct Stage {
    pub(crate) backend: Backend,
    /// The parameter that every server is started with, by which its process is known.
    pub(crate) marker: String,
    binary: PathBuf,
    /// Short, as sockets have to be made below it.
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

    /// The folder that everything of this stage is in.
    pub(crate) fn base(&self) -> &Path {
        self.base.path()
    }

    /// The `XDG_STATE_HOME` of a run.
    pub(crate) fn state(&self, folder: Folder) -> PathBuf {
        self.base().join(match folder {
            Folder::First => "state",
            Folder::Second => "state-2",
        })
    }

    /// `TMPDIR` of all runs.
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

    /// What the last run printed.
    pub(crate) fn printed(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let start = text.len().saturating_sub(SHOWN);
        text.get(start..).unwrap_or(&text).to_owned()
    }

    /// The binary with options that lead to this stage only.
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

    /// A boot that nobody disturbs, and how long it took.
    pub(crate) fn boot(&self, instance: u64) -> Result<Duration, Failure> {
        let begin = Instant::now();
        self.succeed(instance, &["run-env", "--", "sleep", "0.05"])?;
        Ok(begin.elapsed())
    }

    /// Starts a session, and tells how long that took.
    pub(crate) fn start_session(&self, who: Who) -> Result<Duration, Failure> {
        let begin = Instant::now();
        self.succeed(who.instance(), &["session", "start", "--name", &self.session(who)])?;
        Ok(begin.elapsed())
    }

    /// Stops a session, and tells how long that took.
    pub(crate) fn stop_session(&self, who: Who) -> Result<Duration, Failure> {
        let begin = Instant::now();
        self.succeed(who.instance(), &["session", "stop", "--name", &self.session(who)])?;
        Ok(begin.elapsed())
    }

    /// Starts a session and tells it something to remember.
    pub(crate) fn start_and_tell(&self, who: Who) -> Result<(), Failure> {
        self.start_session(who)?;
        let sql = format!("create table told as select '{TOLD}'::text as text");
        self.ask(who, &sql).map(drop)
    }

    /// Starts the session that runs change, with a snapshot that it is restored to.
    pub(crate) fn start_victim(&self) -> Result<(), Failure> {
        self.start_and_tell(Who::Victim)?;
        let name = self.session(Who::Victim);
        self.succeed(Who::Victim.instance(), &["session", "snapshot", "--name", &name, "--as", "begin", "--replace"])
            .map(drop)
    }

    /// Changes the session that runs change, without a disturbance, and tells how long that took.
    pub(crate) fn change_victim(&self, change: Change) -> Result<Duration, Failure> {
        let begin = Instant::now();
        self.succeed(Who::Victim.instance(), &change.words(self, 0))?;
        Ok(begin.elapsed())
    }

    /// Whether a session still answers, and with what it was told.
    pub(crate) fn check_session(&self, who: Who) -> Vec<String> {
        match self.ask(who, "select text from told") {
            Ok(answer) if answer.trim_end() == TOLD => Vec::new(),
            Ok(answer) => vec![format!("it answers {answer:?}")],
            Err(error) => vec![error.to_string()],
        }
    }

    /// What is wrong with the session after a change of it was cut off: it is as it was, or as it was to become, and what
    /// was cut off can be done again.
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

    /// Drops a database that a cut off command may have made, and makes and drops it.
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

    /// Makes a session anew that was lost, so that later runs have one.
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

    /// What an undisturbed command prints on standard output.
    pub(crate) fn succeed(&self, instance: u64, arguments: &[impl AsRef<OsStr>]) -> Result<String, Failure> {
        let output = self.command(Folder::First, instance, arguments)?.stdout(Stdio::piped()).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let words: Vec<_> = arguments.iter().map(|word| word.as_ref().to_string_lossy()).collect();
        let (words, instance) = (words.join(" "), self.instance(instance));
        Err(format!("{}: {words} of {instance} ended with {}:\n{}", self.backend, output.status, self.printed()).into())
    }

    /// What the engine prints for these arguments, in words.
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

    /// Identifiers of what the engine has of one instance, with `list` such as `ps --all`.
    pub(crate) fn engine_has(&self, list: &[&str], instance: u64) -> Result<Vec<String>, Failure> {
        let filter = format!("label=pg-ephemeral.instance={}", self.instance(instance));
        self.engine(&[list, &["--quiet", "--no-trunc", "--filter", &filter]].concat())
    }

    /// Removes what the stage has on the engine and its folder, or tells where both are.
    pub(crate) fn clear(self, instances: u64, keep: bool) {
        if keep {
            println!("{}: kept in {}", self.backend, self.base.keep().display());
            return;
        }
        // They are there when something went wrong before their end.
        let _ = self.succeed(0, &["session", "stop", "--all"]);
        for instance in (0..instances).chain(Who::INSTANCES) {
            for (list, remove) in [(&["ps", "--all"][..], &["rm", "--force"][..]), (&["images"], &["rmi", "--force"])] {
                let found = self.engine_has(list, instance).unwrap_or_default();
                for id in found {
                    // Two names of one image come as two lines.
                    let _ = self.engine(&[remove, &[&id]].concat());
                }
            }
        }
    }
}
