//! Where the runs of one backend take place: a state folder, a folder for temporary files and a configuration with
//! instances that nobody else has, so that whatever is found there is theirs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Failure;
use crate::options::Backend;

/// The instance of the session, which no run uses.
const SESSION: u64 = u64::MAX;
/// What the session has to know to the end.
const TOLD: &str = "still here";

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
        for folder in [stage.state(), stage.temporary(), stage.work()] {
            fs::create_dir(folder)?;
        }
        let mut config = format!("[parameters]\n\"chaos.marker\" = \"{}\"\n", stage.marker);
        for number in (0..=runs).chain([SESSION]) {
            config.push_str(&format!("[instances.{}]\n", stage.instance(number)));
        }
        fs::write(stage.config(), config)?;
        Ok(stage)
    }

    /// The folder that everything of this stage is in.
    pub(crate) fn base(&self) -> &Path {
        self.base.path()
    }

    /// `XDG_STATE_HOME` of all runs.
    pub(crate) fn state(&self) -> PathBuf {
        self.base().join("state")
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

    /// What the last run printed.
    pub(crate) fn printed(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let start = text.len().saturating_sub(SHOWN);
        text.get(start..).unwrap_or(&text).to_owned()
    }

    /// The binary with options that lead to this stage only.
    pub(crate) fn command(&self, instance: u64, arguments: &[&str]) -> Result<Command, Failure> {
        let log = File::create(self.log())?;
        let mut command = Command::new(&self.binary);
        command
            .args(["--verbose", "--backend", &self.backend.to_string(), "--instance", &self.instance(instance)])
            .args(arguments)
            .current_dir(self.work())
            .env("XDG_STATE_HOME", self.state())
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
        let status = self.command(instance, &["run-env", "--", "sleep", "0.05"])?.status()?;
        if status.success() {
            return Ok(begin.elapsed());
        }
        Err(format!(
            "{}: an undisturbed run of {} ended with {status}:\n{}",
            self.backend,
            self.instance(instance),
            self.printed()
        )
        .into())
    }

    /// Starts a session that everything that follows has to leave alone, and tells it something to remember.
    pub(crate) fn start_session(&self) -> Result<(), Failure> {
        self.succeed(&["session", "start", "--name", &self.marker])?;
        let sql = format!("create table told as select '{TOLD}'::text as text");
        self.ask_session(&sql).map(drop)
    }

    /// Whether the session still answers, and with what it was told.
    pub(crate) fn check_session(&self) -> Vec<String> {
        match self.ask_session("select text from told") {
            Ok(answer) if answer.trim_end() == TOLD => Vec::new(),
            Ok(answer) => vec![format!("it answers {answer:?}")],
            Err(error) => vec![error.to_string()],
        }
    }

    pub(crate) fn stop_session(&self) -> Vec<String> {
        self.succeed(&["session", "stop", "--name", &self.marker]).err().iter().map(ToString::to_string).collect()
    }

    fn ask_session(&self, sql: &str) -> Result<String, Failure> {
        self.succeed(&["session", "psql", "--name", &self.marker, "--", "-AXtc", sql])
    }

    /// What a command for the session prints on standard output.
    fn succeed(&self, arguments: &[&str]) -> Result<String, Failure> {
        let output = self.command(SESSION, arguments)?.stdout(Stdio::piped()).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(format!("{}: {} ended with {}:\n{}", self.backend, arguments.join(" "), output.status, self.printed())
            .into())
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
        // It is there when something went wrong before its end.
        self.stop_session();
        for instance in (0..instances).chain([SESSION]) {
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
