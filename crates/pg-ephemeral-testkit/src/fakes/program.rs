//! The fake engine as a program. Its state is in a folder, and each command is a process.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ociman::command::ExitStatus;

use super::files;
use super::machine::{Call, Machine};
use super::process::{SUPERVISOR_VARIABLE, Supervisor, supervise};
use super::scenario::{Scenario, ScenarioError};
use super::speech::Speech;
use super::store::Store;

/// The environment variable with the folder of the state.
pub(super) const STATE_VARIABLE: &str = "FAKE_ENGINE_STATE";
/// The environment variable with the path of a scenario file, which describes the initial state.
pub(super) const SCENARIO_VARIABLE: &str = "FAKE_ENGINE_SCENARIO";
/// The file in the folder of the state which shows that the scenario has been set up.
const SET_UP: &str = "set-up";
/// The file in the folder of the state with all commands, in order.
const JOURNAL: &str = "journal";

/// An error of the program `fake-engine` itself, as opposed to an error that it reports as an engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FakeEngineError {
    /// The environment variable with the folder of the state is not set.
    #[error("{STATE_VARIABLE} names no folder for the state")]
    NoState,
    /// The program is called by a name that is not that of an engine.
    #[error("{program:?} is not called docker or podman")]
    NoEngine {
        /// The name by which the program is called.
        program: PathBuf,
    },
    /// The scenario can't be read or set up.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The fake engine failed to access its files or to run its processes.
    #[error("failed to keep the state of the fake engine")]
    State(#[from] std::io::Error),
}

/// Runs the program `fake-engine`, which imitates Docker or Podman depending on the name by which it is called.
///
/// # Errors
/// Returns a [`FakeEngineError`] if the fake engine itself fails. Errors that an engine would report are printed
/// instead.
pub fn fake_engine() -> Result<ExitCode, FakeEngineError> {
    if let Some(folder) = std::env::var_os(SUPERVISOR_VARIABLE) {
        supervise(Path::new(&folder))?;
        return Ok(ExitCode::SUCCESS);
    }
    let folder = PathBuf::from(std::env::var_os(STATE_VARIABLE).ok_or(FakeEngineError::NoState)?);
    files::create_open_folder(&folder)?;
    let mut arguments = std::env::args_os();
    let program = PathBuf::from(arguments.next().unwrap_or_default());
    let speech = match program.file_name().and_then(|name| name.to_str()) {
        Some("docker") => Speech::Docker,
        Some("podman") => Speech::Podman,
        _ => return Err(FakeEngineError::NoEngine { program }),
    };
    // Each engine has its own state, because both may be on PATH.
    let folder = folder.join(speech.program());
    let scenario = std::env::var_os(SCENARIO_VARIABLE).map(|path| Scenario::read(Path::new(&path))).transpose()?;
    let speech = scenario.as_ref().and_then(|scenario| scenario.engine).unwrap_or(speech);
    files::create_open_folder(&folder)?;
    let supervisor = Supervisor::Program(std::env::current_exe()?);
    let machine = Machine::new(speech, Store::Folder(folder.clone()), folder.clone(), supervisor);
    if let Some(scenario) = scenario {
        once(&folder.join(SET_UP), || machine.set_up(&scenario))?;
    }
    let arguments: Vec<String> = arguments.map(|word| word.to_string_lossy().into_owned()).collect();
    record(&folder, speech, &arguments)?;
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let call = Call { arguments, variables: variables.collect() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(machine.act(call))? {
        ExitStatus::Exited(code) => Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))),
        ExitStatus::Signaled(_) => Err(kill_itself().into()),
    }
}

/// Runs `work` in the first of several commands, while the other commands wait. A non-empty file records that it is
/// done.
fn once(done: &Path, work: impl FnOnce() -> std::io::Result<()>) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = std::fs::File::options().append(true).create(true).open(done)?;
    file.lock()?;
    if file.metadata()?.len() == 0 {
        work()?;
        file.write_all(b"done\n")?;
    }
    Ok(())
}

/// Kills this process by SIGKILL. Returns an error if that fails.
fn kill_itself() -> std::io::Error {
    std::process::Command::new("sh").args(["-c", "kill -9 $$"]).exec()
}

/// Appends a command to the journal in one write, because several commands may run at the same time.
fn record(folder: &Path, speech: Speech, arguments: &[String]) -> std::io::Result<()> {
    use std::io::Write;
    let line = format!("{}\n", ociman::command::CommandLine::new(speech.program()).arguments(arguments));
    std::fs::File::options().append(true).create(true).open(folder.join(JOURNAL))?.write_all(line.as_bytes())
}

/// Ends every process of the engines whose state is in a folder.
#[cfg(feature = "project")]
pub(super) fn end_all(state: &Path) {
    for speech in [Speech::Docker, Speech::Podman] {
        let folder = state.join(speech.program());
        if folder.is_dir() {
            Machine::new(speech, Store::Folder(folder.clone()), folder, Supervisor::Thread).end_all();
        }
    }
}
