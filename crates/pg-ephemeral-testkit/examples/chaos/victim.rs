//! One run: started, sent a signal at its moment, waited for, and judged.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process};

use crate::stage::Stage;
use crate::{Failure, inspection};

/// How long a run may take to clean up.
const END_LIMIT: Duration = Duration::from_secs(40);

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) instance: u64,
    pub(crate) form: Form,
    pub(crate) signal: Signal,
    pub(crate) after: Duration,
}

/// Where the wrapped command runs.
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
    fn number(self) -> rustix::process::Signal {
        match self {
            Self::Kill => rustix::process::Signal::KILL,
            Self::Terminate => rustix::process::Signal::TERM,
            Self::Interrupt => rustix::process::Signal::INT,
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = if self.form == Form::Host { "host run-env" } else { "run-env" };
        let milliseconds = self.after.as_secs_f64() * 1000.0;
        write!(formatter, "{form} of instance {}, {:?} after {milliseconds:.1} ms", self.instance, self.signal)
    }
}

/// Runs once and tells what was wrong with it.
pub(crate) fn run(stage: &Stage, plan: &Plan) -> Result<Vec<String>, Failure> {
    let words: &[&str] = match plan.form {
        Form::Bare => &["run-env", "--", "sleep", "0.05"],
        Form::Host => &["host", "run-env", "--", "sleep", "0.05"],
    };
    let mut child = stage.command(plan.instance, words)?.spawn()?;
    let pid = child.id();
    std::thread::sleep(plan.after);
    if child.try_wait()?.is_none()
        && let Some(process) = i32::try_from(pid).ok().and_then(Pid::from_raw)
    {
        kill_process(process, plan.signal.number())?;
    }
    let mut problems = Vec::new();
    match wait(&mut child)? {
        None => {
            problems.push(format!("it did not end in {END_LIMIT:?} and was killed"));
            child.kill()?;
            child.wait()?;
        }
        Some(status) => problems.extend(wrong_status(stage, status, plan.signal)),
    }
    if plan.signal != Signal::Kill {
        problems.extend(inspection::of_owner(stage, plan.instance, pid)?);
    }
    if !problems.is_empty() {
        problems.push(format!("it printed:\n{}", stage.printed()));
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

/// It may have come to its end before the signal, or been hit before it listened, which is before it said anything.
fn wrong_status(stage: &Stage, status: ExitStatus, signal: Signal) -> Option<String> {
    let number = signal.number().as_raw();
    let may_die = signal == Signal::Kill || stage.printed().is_empty();
    let expected =
        status.success() || (may_die && status.signal() == Some(number)) || status.code() == Some(128 + number);
    (!expected).then(|| format!("it ended with {status}"))
}
