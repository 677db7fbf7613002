//! Commands that run while a server does: on this machine, inside the server's container, or inside it with the
//! working directory at hand. Whatever ends them, the server goes, and their exit status stays.

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::path::{Component, Path, PathBuf};

use ociman::command::{CommandLine, Executor, ExitStatus, Orphaning, Process, ProcessError, ProcessGroup, Stream};
use ociman::{ExecSpec, Kind, System, Terminal, Variable};
use pg_ephemeral_core::server::with_environment;
use pg_ephemeral_core::session::{Name, SESSION_VARIABLE};
use pg_ephemeral_core::{Definition, Reach, Server, StartError};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::SIGINT;

use crate::arguments::{Global, Wrapped};
use crate::context::{Context, current_folder};
use crate::failure::{FAILED_AROUND, Failure, NOT_EXECUTABLE, NOT_FOUND};
use crate::group::GroupWitness;
use crate::inside::{Inside, Mark, Undelivered, wait_inside};
use crate::progress::Progress;
use crate::signals::{Event, Sender, Signals};
use crate::spinner;
use crate::tree::kill_tree;

/// Where a wrapped command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Inside the server's container with the working directory; on the host backend, here.
    Transparent,
    /// A process of this machine.
    Host,
    /// Inside the server's container.
    Container,
}

/// Folders of an image that the working directory must not hide.
const SYSTEM_FOLDERS: [&str; 12] =
    ["bin", "boot", "dev", "etc", "lib", "lib64", "pg-ephemeral", "proc", "run", "sbin", "sys", "usr"];

/// Runs a wrapped command with a server of its own and gives its exit status.
pub(crate) async fn run(
    global: &Global,
    wrapped: &Wrapped,
    place: Place,
    progress: &Progress,
    signals: &mut Signals,
) -> Result<u8, Failure> {
    let definition =
        Context::load(global)?.definition(global)?.observer(progress.observer()).seed_events(progress.seed_events());
    let (definition, kind) = with_kind(definition, signals).await?;
    let place = place_on(kind, place)?;
    let folder = current_folder()?;
    if place == Place::Transparent {
        refuse_system_folder(&folder)?;
    }
    if let Some(missing) = missing_before(&definition, kind, wrapped, place, &folder) {
        missing.print();
        return Ok(NOT_FOUND);
    }
    let definition = shape(definition, wrapped, place, &folder);
    let server = match until_signal(signals, definition.start()).await? {
        Err(error @ StartError::ProgramNotInImage { .. }) => {
            Failure::new(error).and_hint(hint_of_missing(wrapped, None)).print();
            return Ok(NOT_FOUND);
        }
        started => started?,
    };
    progress.time("command");
    let ended = supervise(&server, wrapped, place, &folder, signals).await;
    let stopped = server.stop().await;
    let status = ended?;
    stopped?;
    Ok(status)
}

/// Runs a wrapped command on a server that goes on afterwards, and gives its exit status.
pub(crate) async fn run_on(
    server: &Server,
    wrapped: &Wrapped,
    place: Place,
    signals: &mut Signals,
) -> Result<u8, Failure> {
    let place = place_on(server.container().backend().kind(), place)?;
    let folder = current_folder()?;
    supervise(server, wrapped, place, &folder, signals).await
}

/// What stands before a program of this machine that is to run on a session, or on a server of its own.
fn form_for_host(session: Option<&Name>) -> String {
    match session {
        Some(name) => format!("pg-ephemeral session host run-env --name {name} --"),
        None => "pg-ephemeral host run-env --".to_owned(),
    }
}

/// A program that is not where it was to be run.
#[derive(Debug, thiserror::Error)]
#[error("no program {program:?} in the {place}")]
pub(crate) struct Missing {
    pub(crate) program: String,
    pub(crate) place: &'static str,
}

/// Says that the program is missing, where that is certain before a server is started.
fn missing_before(
    definition: &Definition,
    kind: Kind,
    wrapped: &Wrapped,
    place: Place,
    folder: &Path,
) -> Option<Failure> {
    let program = program_of(wrapped);
    let path = Path::new(&program);
    let is_bare = path.components().count() == 1 && !program.as_encoded_bytes().contains(&b'/');
    let is_there = match place {
        _ if program.is_empty() => return None,
        Place::Host if is_bare && kind == Kind::Host => {
            // Without an installation the start says why.
            let installed = definition.installed_program(&program.to_string_lossy());
            is_on_path(&program) || installed.map_or(true, |program| program.exists())
        }
        Place::Host if is_bare => is_on_path(&program),
        Place::Host => path.exists(),
        // Links may lead to what is only in the image.
        Place::Transparent if !is_bare && path.components().all(is_below) => {
            folder.join(path).symlink_metadata().is_ok()
        }
        Place::Transparent | Place::Container => true,
    };
    let missing = ProcessError::ProgramNotFound { program: program.clone() };
    let hint = match wrapped {
        Wrapped::Psql(_) | Wrapped::SchemaDump(_) | Wrapped::Pgbench(_) if kind != Kind::Host => {
            Some("leave out `host` to run the program of the image".to_owned())
        }
        _ => None,
    };
    (!is_there).then(|| Failure::new(missing).and_hint(hint))
}

fn is_below(component: Component<'_>) -> bool {
    matches!(component, Component::CurDir | Component::Normal(_))
}

/// The program that a wrapped command runs on this machine.
fn program_of(wrapped: &Wrapped) -> OsString {
    match wrapped {
        Wrapped::Psql(_) => OsString::from("psql"),
        Wrapped::SchemaDump(_) => OsString::from("pg_dump"),
        Wrapped::Pgbench(_) => OsString::from("pgbench"),
        Wrapped::Shell => {
            let shell = std::env::var_os("SHELL").filter(|shell| !shell.is_empty());
            shell.unwrap_or_else(|| OsString::from("/bin/sh"))
        }
        Wrapped::RunEnv { command } => command.first().cloned().unwrap_or_default(),
    }
}

/// Where the system looks for programs when `PATH` is not set.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

fn is_on_path(program: &OsStr) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// A program that the image lacks may be one of this machine.
fn hint_of_missing(wrapped: &Wrapped, session: Option<&Name>) -> Option<String> {
    let Wrapped::RunEnv { command } = wrapped else { return None };
    let program = command.first().filter(|program| is_on_path(program))?;
    Some(format!("this machine has it: `{} {} …` runs it here", form_for_host(session), program.display()))
}

/// Which kind of backend it will be. One that has to be found for that is the definition's from then on.
pub(crate) async fn with_kind(definition: Definition, signals: &mut Signals) -> Result<(Definition, Kind), Failure> {
    if let Some(kind) = definition.certain_kind() {
        return Ok((definition, kind));
    }
    let backend = until_signal(signals, definition.find_backend()).await??;
    let kind = backend.kind();
    Ok((definition.backend(backend), kind))
}

/// The working directory, when the image's own folders can stay visible beside it.
pub(crate) fn mountable_folder() -> Result<Option<PathBuf>, Failure> {
    let folder = current_folder()?;
    Ok(refuse_system_folder(&folder).is_ok().then_some(folder))
}

/// A future that a signal cuts off; what it had begun cleans up after itself.
pub(crate) async fn until_signal<T>(signals: &mut Signals, future: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::select! {
        biased;
        event = signals.next() => Err(Failure::Interrupted { signal: event.number }),
        value = future => Ok(value),
    }
}

fn place_on(kind: Kind, place: Place) -> Result<Place, Failure> {
    match (kind, place) {
        (Kind::Host, Place::Container) => Err(Failure::message(
            "the host backend has no container to run a command in",
            "leave out `container`, or use docker or podman",
        )),
        (Kind::Host, _) => Ok(Place::Host),
        (_, place) => Ok(place),
    }
}

pub(crate) fn refuse_system_folder(folder: &Path) -> Result<(), Failure> {
    let first = folder.components().nth(1).map(|component| component.as_os_str().to_string_lossy().into_owned());
    match first {
        Some(first) if !SYSTEM_FOLDERS.contains(&first.as_str()) => Ok(()),
        _ => Err(Failure::message(
            format!("the working directory {} can't be mounted over the image's own", folder.display()),
            "change to another folder, or use the `host` or `container` form of the command",
        )),
    }
}

fn shape(definition: Definition, wrapped: &Wrapped, place: Place, folder: &Path) -> Definition {
    let definition = match place {
        Place::Transparent => definition.transparent_workdir(folder),
        Place::Host | Place::Container => definition,
    };
    let definition = match wrapped {
        Wrapped::RunEnv { command } if place != Place::Host => match command.first().and_then(|word| word.to_str()) {
            Some(program) if !program.contains('/') => definition.program(program),
            _ => definition,
        },
        _ => definition,
    };
    definition.reach(match (place, wrapped) {
        (Place::Host, _) => Reach::Published,
        (_, Wrapped::RunEnv { .. } | Wrapped::Shell) => Reach::Inside,
        (_, Wrapped::Psql(_) | Wrapped::SchemaDump(_) | Wrapped::Pgbench(_)) => Reach::InsideWithoutNetwork,
    })
}

async fn supervise(
    server: &Server,
    wrapped: &Wrapped,
    place: Place,
    folder: &Path,
    signals: &mut Signals,
) -> Result<u8, Failure> {
    let interactive = takes_terminal(wrapped);
    if signals.was_interrupted() {
        return Err(Failure::Interrupted { signal: SIGINT });
    }
    spinner::clear();
    if place == Place::Host {
        return run_here(on_host(server, wrapped), interactive, signals).await;
    }
    let mark = Mark::new();
    let spec = inside(server, wrapped, place, folder, &mark)?;
    let container = server.container();
    let process = container.attach(&spec).await?;
    let inside = Inside { container, mark, user: spec.user, terminal: spec.terminal, undelivered: Undelivered::HandOn };
    outcome(wait_inside(process, inside, interactive, signals).await?.command)
}

/// A command that could not be started has a status of its own, as in a shell.
fn refused(error: ProcessError) -> Result<u8, Failure> {
    let status = match &error {
        ProcessError::ProgramNotFound { .. } => NOT_FOUND,
        ProcessError::Spawn { source, .. } if !is_shortage(source) => NOT_EXECUTABLE,
        _ => FAILED_AROUND,
    };
    match &error {
        ProcessError::ProgramNotFound { program } if Path::new(program).is_file() => {
            Failure::with_hint(error, "the file is there: the interpreter that its first line names is not")
        }
        _ => Failure::new(error),
    }
    .print();
    Ok(status)
}

/// Whether the system could start no program at all just now.
fn is_shortage(error: &std::io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE))
}

/// Whether the command reads keys itself: then Ctrl-C is its own business alone.
fn takes_terminal(wrapped: &Wrapped) -> bool {
    matches!(wrapped, Wrapped::Psql(_) | Wrapped::Shell) && std::io::stdin().is_terminal()
}

/// Runs a program of this machine on the caller's streams and gives its exit status.
pub(crate) async fn run_here(line: CommandLine, interactive: bool, signals: &mut Signals) -> Result<u8, Failure> {
    // It has to be there before the program, to which a signal may come at once.
    let mut witness = GroupWitness::start();
    let process = match System.spawn(line).await {
        Ok(process) => process,
        Err(error) => return refused(error),
    };
    let pass_on = |pid, event: Event| {
        // What went to the whole group, as all that the terminal sends, the child has got already.
        let has_got_it = event.sender == Sender::Terminal || witness.has_got(event.number);
        if let (false, Some(signal)) = (has_got_it, Signal::from_named_raw(event.number)) {
            // It may have ended in this moment.
            let _ = kill_process(pid, signal);
        }
    };
    let status = wait(process, interactive, signals, pass_on).await?.status;
    outcome(CommandEnd { status, was_interrupted: signals.was_interrupted() })
}

/// How a command ended that ran for the user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CommandEnd {
    pub(crate) status: ExitStatus,
    /// Whether SIGINT came while it ran.
    pub(crate) was_interrupted: bool,
}

/// The exit status of this process after a command. A command that SIGINT has ended ends this process by SIGINT as well.
pub(crate) fn outcome(end: CommandEnd) -> Result<u8, Failure> {
    let status = u8::try_from(end.status.code()).unwrap_or(u8::MAX);
    if end.was_interrupted && status == INTERRUPTED {
        return Err(Failure::Interrupted { signal: SIGINT });
    }
    Ok(status)
}

/// The status of a program that died of SIGINT, and of one that got it and says so by its exit status.
const INTERRUPTED: u8 = 130;

/// How a child ended, and the first signal that came while it ran.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) signal: Option<Event>,
    pub(crate) by: EndedBy,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndedBy {
    Itself,
    Us,
}

/// Waits for a child. The first signal is passed on, so that it can finish its own handling; the second kills it and
/// all it has started.
pub(crate) async fn wait(
    mut process: Process,
    interactive: bool,
    signals: &mut Signals,
    mut pass_on: impl FnMut(Pid, Event),
) -> Result<Ended, Failure> {
    let pid = process.id.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let mut first = None;
    let mut by = EndedBy::Itself;
    loop {
        let event = tokio::select! {
            biased;
            ended = &mut process.exit => {
                let status = ended.map_err(Failure::new)?;
                return Ok(Ended { status, signal: first, by });
            }
            event = signals.next() => event,
        };
        if interactive && event.sender == Sender::Terminal && event.number == SIGINT {
            continue;
        }
        let is_first = first.is_none();
        first.get_or_insert(event);
        let Some(pid) = pid else { continue };
        if is_first {
            pass_on(pid, event);
        } else {
            by = EndedBy::Us;
            kill_tree(pid);
        }
    }
}

fn on_host(server: &Server, wrapped: &Wrapped) -> CommandLine {
    let name = program_of(wrapped);
    let named = CommandLine::new(match (wrapped, server.programs()) {
        (Wrapped::Psql(_) | Wrapped::SchemaDump(_) | Wrapped::Pgbench(_), Some(programs))
            if programs.join(&name).exists() =>
        {
            programs.join(name).into_os_string()
        }
        _ => name,
    });
    let line = match wrapped {
        Wrapped::Psql(rest) | Wrapped::Pgbench(rest) => named.arguments(&rest.arguments),
        Wrapped::SchemaDump(rest) => named.argument("--schema-only").arguments(&rest.arguments),
        Wrapped::Shell => named,
        Wrapped::RunEnv { command } => named.arguments(command.iter().skip(1)),
    };
    let mut line = with_environment(line, server.pg_env());
    match server.session() {
        Some(name) => line.environment.push((SESSION_VARIABLE.to_owned(), name.to_string())),
        None => line.removed_environment.push(SESSION_VARIABLE.to_owned()),
    }
    if let Some(path) = path_with(server.programs()) {
        line.environment.push(("PATH".to_owned(), path));
    }
    line.group = ProcessGroup::Caller;
    line.orphaning = Orphaning::KilledWithDescendants;
    line.streams(Stream::Inherit, Stream::Inherit, Stream::Inherit)
}

/// The server's own programs come last: what the caller has on `PATH` stays as it is.
fn path_with(programs: Option<&Path>) -> Option<String> {
    let programs = programs?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from(programs)]);
    std::env::join_paths(folders).ok()?.into_string().ok()
}

fn inside(server: &Server, wrapped: &Wrapped, place: Place, folder: &Path, mark: &Mark) -> Result<ExecSpec, Failure> {
    let exec = |words: &[&str], rest: &[OsString]| -> Result<Vec<String>, Failure> {
        let words = words.iter().map(|&word| word.to_owned());
        let command: Vec<String> = words.chain(texts(rest)?).collect();
        let program = command.first().cloned().unwrap_or_default();
        let missing = Failure::new(Missing { program, place: "server's container" });
        Ok(mark.run(command, &missing.and_hint(hint_of_missing(wrapped, server.session().as_ref()))))
    };
    let command = match wrapped {
        Wrapped::Psql(rest) => exec(&["psql"], &rest.arguments)?,
        Wrapped::Pgbench(rest) => exec(&["pgbench"], &rest.arguments)?,
        Wrapped::SchemaDump(rest) => exec(&["pg_dump", "--schema-only"], &rest.arguments)?,
        Wrapped::RunEnv { command } => exec(&[], command)?,
        Wrapped::Shell => mark.shell("command -v bash >/dev/null && exec bash; exec sh"),
    };
    let connection = match (place, wrapped) {
        (Place::Transparent, Wrapped::RunEnv { .. } | Wrapped::Shell) => server.loopback_inside(),
        _ => server.socket_inside(),
    };
    let mut spec = ExecSpec::new(command);
    spec.environment = connection.map(pg_ephemeral_core::ConnectionParameters::environment).unwrap_or_default();
    spec.terminal = terminal();
    if spec.terminal == Terminal::Yes
        && let Ok(term) = std::env::var("TERM")
    {
        spec.environment.push(Variable::plain("TERM", term));
    }
    if place == Place::Transparent {
        spec = as_caller(spec.folder(folder), server.container().backend().is_rootless());
    }
    Ok(spec)
}

/// Files that the command writes belong to the caller.
fn as_caller(spec: ExecSpec, is_rootless: bool) -> ExecSpec {
    let (user, home) = callers_user(is_rootless);
    let mut spec = spec.user(user);
    spec.environment.extend(home);
    spec
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

/// A terminal joins standard output and error, so all three must be one.
pub(crate) fn terminal() -> Terminal {
    let all = std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
    if all { Terminal::Yes } else { Terminal::No }
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
