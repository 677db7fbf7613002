//! Commands inside a container: how such a command is found, and how signals reach it.

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

/// What to do with the engine's client program (`docker` or `podman`) when a signal can't be delivered to the command
/// inside the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undelivered {
    /// Send the signal to the client program.
    HandOn,
    /// Kill the client program, because it would only pass the signal on.
    Kill,
}

/// A command inside a container.
pub(crate) struct InContainer<'a> {
    pub(crate) container: &'a Container,
    pub(crate) mark: Mark,
    pub(crate) user: Option<String>,
    /// Whether the command has a terminal. With one, the engine's client program sends Ctrl-C as a key to the terminal
    /// inside, and this process receives no SIGINT.
    pub(crate) terminal: Terminal,
    pub(crate) undelivered: Undelivered,
}

/// How a command inside a container ended.
pub(crate) struct EndedInContainer {
    pub(crate) command: CommandEnd,
    /// How the engine's client program ended.
    pub(crate) client: ExitStatus,
}

/// Waits for a command inside the container. The engine's client program passes no signals on, so each signal is sent
/// by a separate command inside the container.
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
        // The signal reached the command, which then ended by itself: this is the command's own status.
        Some(Event { sender: Sender::Process, .. }) if have_arrived && ended.by == EndedBy::Itself => ended.status,
        // The engine's client program may have ended instead; its status says nothing about the command.
        Some(event) => ExitStatus::Signaled(event.number),
        None => ended.status,
    };
    let was_interrupted = command.terminal == Terminal::Yes || signals.was_interrupted();
    Ok(EndedInContainer { command: CommandEnd { status, was_interrupted }, client: ended.status })
}

impl InContainer<'_> {
    /// Sends a signal to the command. Resolves to `true` if the command received it.
    fn send(&self, signal: i32) -> impl Future<Output = bool> + use<> {
        let mut spec = self.mark.signal(signal);
        spec.user.clone_from(&self.user);
        let container = self.container.clone();
        async move { container.exec(&spec, b"").await.is_ok_and(|output| output.status.success()) }
    }
}

/// A file inside a container that holds the process ID of a command, so that signals can be sent to it. The file is in
/// shared memory (`/dev/shm`), so it is removed with the container and is never part of an image.
pub(crate) struct Mark(String);

impl Mark {
    /// Writes the process ID to the file `$1`. If that fails, for example because there is no `/dev/shm`, the command
    /// runs nevertheless.
    const RUN: &str = r#"{ echo $$ >"$1"; } 2>/dev/null; shift; "#;
    /// Runs the program `$3`. `$1` is the error text if it does not exist, `$2` the error text if it is not executable.
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

    /// Returns a command that records its process ID and runs a shell script in the same process.
    pub(crate) fn shell(&self, script: &str) -> Vec<String> {
        ["sh", "-c", &format!("{}{script}", Self::RUN), "sh", &self.0].map(str::to_owned).into()
    }

    /// Returns a command that records its process ID and runs a program in the same process. A shell checks first
    /// whether the program can be run, because engines report that with different texts and on different streams. The
    /// shell prints `missing` if the program does not exist.
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

/// A program does not exist in the place where it should run.
#[derive(Debug, thiserror::Error)]
#[error("no program {program:?} in the {place}")]
pub(crate) struct Missing {
    pub(crate) program: String,
    pub(crate) place: &'static str,
}

/// Returns the caller as a container user (`UID:GID`), and a `HOME` variable for a user who has no home folder in the
/// container. A rootless engine maps the caller to root in each container, so the user is root there.
pub(crate) fn callers_user(is_rootless: bool) -> (String, Option<Variable>) {
    if is_rootless {
        return ("0:0".to_owned(), None);
    }
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    let home = (uid != 0).then(|| Variable::plain("HOME", "/tmp"));
    (format!("{uid}:{gid}"), home)
}

/// Returns whether a command gets a terminal, and the caller's `TERM` variable. A terminal joins standard output and
/// standard error, so a command gets one only if all three of the caller's streams are terminals.
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
