//! Commands inside a container: how one is found there, and how signals get to it.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::time::{SystemTime, UNIX_EPOCH};

use ociman::command::{ExitStatus, Process, ProcessError};
use ociman::{Container, ExecSpec, Terminal, Variable};
use rustix::io::Errno;
use rustix::process::{Signal, kill_process};
use tokio::task::JoinSet;

use super::child::{CommandEnd, EndedBy, wait};
use super::signals::{Event, Sender, Signals};
use crate::output::Failure;

/// What becomes of the engine's program here when a signal for the command inside does not get there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undelivered {
    /// It gets the signal itself.
    HandOn,
    /// It is killed, since it would only hand the signal on.
    Kill,
}

/// A command inside a container.
pub(crate) struct InContainer<'a> {
    pub(crate) container: &'a Container,
    pub(crate) mark: Mark,
    pub(crate) user: Option<String>,
    /// With a terminal the engine's program makes Ctrl-C a key of the terminal inside, and nobody here gets SIGINT.
    pub(crate) terminal: Terminal,
    pub(crate) undelivered: Undelivered,
}

/// How a command inside a container ended.
pub(crate) struct EndedInContainer {
    pub(crate) command: CommandEnd,
    /// How the engine's program here ended.
    pub(crate) client: ExitStatus,
}

/// Waits for a command inside the container. The engine's program here passes no signal on, so each is sent in by a
/// command of its own.
pub(crate) async fn wait_in_container(
    process: Process,
    command: InContainer<'_>,
    interactive: bool,
    signals: &mut Signals,
) -> Result<EndedInContainer, Failure> {
    let mut sendings = JoinSet::new();
    let undelivered = command.undelivered;
    let pass_on = |pid, event: Event| {
        if let Some(signal) = Signal::from_named_raw(event.number) {
            let sending = command.send(event.number);
            sendings.spawn(async move {
                let has_arrived = sending.await;
                if !has_arrived {
                    let signal = if undelivered == Undelivered::Kill { Signal::KILL } else { signal };
                    let _ = kill_process(pid, signal);
                }
                has_arrived
            });
        }
    };
    let ended = wait(process, interactive, signals, pass_on).await?;
    let mut have_arrived = true;
    if ended.by == EndedBy::Itself {
        while let Some(sent) = sendings.join_next().await {
            have_arrived &= sent.unwrap_or(false);
        }
    }
    let status = match ended.signal {
        // It has ended, or has not, in its own way: this is its own status.
        Some(Event { sender: Sender::Process, .. }) if have_arrived && ended.by == EndedBy::Itself => ended.status,
        // What ended is the engine's program here, whose status says nothing about the command.
        Some(event) => ExitStatus::Signaled(event.number),
        None => ended.status,
    };
    let was_interrupted = command.terminal == Terminal::Yes || signals.was_interrupted();
    Ok(EndedInContainer { command: CommandEnd { status, was_interrupted }, client: ended.status })
}

impl InContainer<'_> {
    /// Sends a signal to the command. Gives whether it was there to get it.
    fn send(&self, signal: i32) -> impl Future<Output = bool> + use<> {
        let mut spec = self.mark.signal(signal);
        spec.user.clone_from(&self.user);
        let container = self.container.clone();
        async move { container.exec(&spec, b"").await.is_ok_and(|output| output.status.success()) }
    }
}

/// What a command inside a container is found by: a file in its memory that holds the process's number. It goes with
/// the container, and no image ever has it.
pub(crate) struct Mark(String);

impl Mark {
    /// Where there is no such folder, or it can't be written, the command runs all the same.
    const RUN: &str = r#"{ echo $$ >"$1"; } 2>/dev/null; shift; "#;
    /// `$1` is what to say of a program that is not there, `$2` of one that is none.
    const EXEC: &str = r#"case $3 in
*/*) test -e "$3" || { printf %s "$1" >&2; exit 127; }; test ! -d "$3" && test -x "$3" || { printf %s "$2" >&2; exit 126; } ;;
*) command -v -- "$3" >/dev/null || { printf %s "$1" >&2; exit 127; } ;;
esac
shift 2
exec "$@""#;
    const SIGNAL: &str = r#"read -r process <"$1" && kill -s "$2" "$process""#;

    pub(crate) fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(format!("/dev/shm/.pg-ephemeral-{}-{}", std::process::id(), now.as_nanos()))
    }

    /// A shell that runs a script, in the process that the mark names.
    pub(crate) fn shell(&self, script: &str) -> Vec<String> {
        ["sh", "-c", &format!("{}{script}", Self::RUN), "sh", &self.0].map(str::to_owned).into()
    }

    /// A program in the process that the mark names. A shell finds out whether it can be run, since engines differ in what
    /// they say then, and on which stream. It says `missing` of a program that is not there.
    pub(crate) fn run(&self, command: Vec<String>, missing: &Failure) -> Vec<String> {
        let program = command.first().map(OsString::from).unwrap_or_default();
        let denied = std::io::Error::from_raw_os_error(Errno::ACCESS.raw_os_error());
        let refused = Failure::new(ProcessError::Spawn { program, source: denied });
        let said = [missing, &refused].map(Failure::text);
        self.shell(Self::EXEC).into_iter().chain(said).chain(command).collect()
    }

    fn signal(&self, number: i32) -> ExecSpec {
        ExecSpec::new(["sh", "-c", Self::SIGNAL, "sh", &self.0, &number.to_string()])
    }
}

/// A program that is not where it was to be run.
#[derive(Debug, thiserror::Error)]
#[error("no program {program:?} in the {place}")]
pub(crate) struct Missing {
    pub(crate) program: String,
    pub(crate) place: &'static str,
}

/// The caller as a user of a container, and a home there unless it has one. Without root's rights an engine makes its own
/// user the root of every container.
pub(crate) fn callers_user(is_rootless: bool) -> (String, Option<Variable>) {
    if is_rootless {
        return ("0:0".to_owned(), None);
    }
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    let home = (uid != 0).then(|| Variable::plain("HOME", "/tmp"));
    (format!("{uid}:{gid}"), home)
}

/// Whether a command is to have a terminal, and the variable that says of what kind the caller's is. A terminal joins
/// standard output and error, so all three must be one.
pub(crate) fn terminal() -> (Terminal, Option<Variable>) {
    let all = std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
    match all {
        true => (Terminal::Yes, std::env::var("TERM").ok().map(|term| Variable::plain("TERM", term))),
        false => (Terminal::No, None),
    }
}

pub(crate) fn texts(arguments: &[OsString]) -> Result<Vec<String>, Failure> {
    let text = |argument: &OsString| {
        argument.clone().into_string().map_err(|argument| {
            Failure::message(
                format!("the argument {} is not UTF-8", argument.display()),
                "use the `host` form of the command, which takes any bytes",
            )
        })
    };
    arguments.iter().map(text).collect()
}
