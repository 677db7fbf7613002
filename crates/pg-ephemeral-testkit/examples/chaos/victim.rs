//! One run: starts a command, sends it a signal after a delay, waits for its end, and checks the result.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process};

use crate::stage::{Folder, Stage, Who};
use crate::{Failure, inspection};

/// The time limit for a run to clean up and end.
const END_LIMIT: Duration = Duration::from_secs(40);

#[derive(Debug)]
pub(crate) struct Plan {
    /// The number of the run, which makes names unique.
    pub(crate) number: u64,
    pub(crate) action: Action,
    pub(crate) signal: Signal,
    pub(crate) after: Duration,
}

/// The command that the signal interrupts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Starts a server for one command.
    Run { form: Form, instance: u64, folder: Folder },
    /// Changes the session of [`Who::Victim`].
    Session(Change),
    /// Starts a session for this run.
    Start,
    /// Stops a session that was started for this run.
    Stop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Snapshot,
    Restore,
    Reset,
    CreateDatabase,
}

/// The place where the wrapped command runs: in the container, or on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Bare,
    Host,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Kill,
    Terminate,
    Interrupt,
}

impl Signal {
    pub(crate) const ALL: [Self; 3] = [Self::Kill, Self::Terminate, Self::Interrupt];

    fn number(self) -> rustix::process::Signal {
        match self {
            Self::Kill => rustix::process::Signal::KILL,
            Self::Terminate => rustix::process::Signal::TERM,
            Self::Interrupt => rustix::process::Signal::INT,
        }
    }
}

impl Change {
    pub(crate) const ALL: [Self; 4] = [Self::Snapshot, Self::Restore, Self::Reset, Self::CreateDatabase];

    /// Returns the arguments of the command. Snapshots and databases that it creates are named by the number of the
    /// run.
    pub(crate) fn words(self, stage: &Stage, number: u64) -> Vec<String> {
        let session = stage.session(Who::Victim);
        let words = match self {
            Self::Snapshot => {
                ["session", "snapshot", "--name", &session, "--as", &format!("s{number}")].map(str::to_owned)
            }
            Self::Restore => ["session", "restore", "--name", &session, "--from", "begin"].map(str::to_owned),
            Self::Reset => return ["session", "reset", "--name", &session].map(str::to_owned).to_vec(),
            Self::CreateDatabase => {
                return ["database", "create", &format!("d{number}"), "--session", &session]
                    .map(str::to_owned)
                    .to_vec();
            }
        };
        words.to_vec()
    }
}

impl Action {
    fn words(self, stage: &Stage, number: u64) -> Vec<String> {
        let own = stage.session(Who::Own(number));
        let words: &[&str] = match self {
            Self::Run { form: Form::Bare, .. } => &["run-env", "--", "sleep", "0.05"],
            Self::Run { form: Form::Host, .. } => &["host", "run-env", "--", "sleep", "0.05"],
            Self::Session(change) => return change.words(stage, number),
            Self::Start => &["session", "start", "--name", &own],
            Self::Stop => &["session", "stop", "--name", &own],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.action {
            Action::Run { form, instance, folder } => {
                let form = if form == Form::Host { "host run-env" } else { "run-env" };
                let folder = if folder == Folder::Second { " from the second state folder" } else { "" };
                write!(formatter, "{form} of instance {instance}{folder}")?;
            }
            Action::Session(change) => write!(formatter, "{change:?} of a session")?,
            Action::Start => write!(formatter, "start of a session")?,
            Action::Stop => write!(formatter, "stop of a session")?,
        }
        write!(formatter, ", {:?} after {:.1} ms", self.signal, self.after.as_secs_f64() * 1000.0)
    }
}

/// Performs one run and returns the problems.
pub(crate) fn run(stage: &Stage, plan: &Plan) -> Result<Vec<String>, Failure> {
    let Plan { number, action, signal, after } = *plan;
    if action == Action::Stop {
        stage.start_session(Who::Own(number))?;
    }
    let (instance, folder) = match action {
        Action::Run { instance, folder, .. } => (instance, folder),
        Action::Session(_) => (Who::Victim.instance(), Folder::First),
        Action::Start | Action::Stop => (Who::Own(number).instance(), Folder::First),
    };
    let mut child = stage.command(folder, instance, &action.words(stage, number))?.spawn()?;
    let pid = child.id();
    std::thread::sleep(after);
    if child.try_wait()?.is_none()
        && let Some(process) = i32::try_from(pid).ok().and_then(Pid::from_raw)
    {
        kill_process(process, signal.number())?;
    }
    let mut problems = Vec::new();
    match wait(&mut child)? {
        None => {
            problems.push(format!("it did not end in {END_LIMIT:?} and was killed"));
            child.kill()?;
            child.wait()?;
        }
        Some(status) => problems.extend(wrong_status(status, signal)),
    }
    if signal != Signal::Kill && matches!(action, Action::Run { .. }) {
        problems.extend(inspection::of_owner(stage, folder, instance, pid)?);
    }
    if !problems.is_empty() {
        problems.push(format!("it printed:\n{}", stage.printed()));
    }
    if let Action::Session(change) = action {
        problems.extend(stage.check_victim(change, number));
    }
    Ok(problems)
}

fn wait(child: &mut Child) -> Result<Option<ExitStatus>, Failure> {
    let begin = Instant::now();
    while begin.elapsed() < END_LIMIT {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(None)
}

/// Returns a problem if the command neither ended by the signal nor succeeded before it.
fn wrong_status(status: ExitStatus, signal: Signal) -> Option<String> {
    let number = signal.number().as_raw();
    let expected = status.success() || status.signal() == Some(number) || status.code() == Some(128 + number);
    (!expected).then(|| format!("it ended with {status}"))
}
