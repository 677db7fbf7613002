//! Runs a command while a server runs: on this machine, inside the server's container, or inside the container with the
//! working directory mounted. When the command ends, the server is removed, and pg-ephemeral exits with the command's
//! exit status.

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::path::{Component, Path, PathBuf};

use ociman::command::{CommandLine, ProcessError};
use ociman::{ExecSpec, Kind};
use pg_ephemeral_core::server::with_environment;
use pg_ephemeral_core::session::{Name, SESSION_VARIABLE};
use pg_ephemeral_core::{Definition, Reach, Server, StartError};
use signal_hook::consts::SIGINT;

use super::backends::with_kind;
use super::context::Context;
use super::working_folder::{current_folder, refuse_system_folder};
use crate::args::{Global, Wrapped};
use crate::output::{Failure, NOT_FOUND, Progress, spinner};
use crate::process::{
    InContainer, Mark, Missing, Signals, Undelivered, callers_user, outcome, run_here, terminal, texts, until_signal,
    wait_in_container,
};

/// The form of a wrapped command, which determines where it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Inside the server's container with the working directory mounted; on the host backend, on this machine.
    Bare,
    /// On this machine.
    Host,
    /// Inside the server's container.
    Container,
}

/// Runs a wrapped command with a server of its own and returns its exit status.
pub(crate) async fn run(
    global: &Global,
    wrapped: &Wrapped,
    form: Form,
    progress: &Progress,
    signals: &mut Signals,
) -> Result<u8, Failure> {
    let definition = progress.watch(Context::load(global)?.definition()?);
    let (definition, kind) = with_kind(definition, signals).await?;
    let form = form_on(kind, form)?;
    let folder = current_folder()?;
    if form == Form::Bare {
        refuse_system_folder(&folder)?;
    }
    if let Some(missing) = missing_before(&definition, kind, wrapped, form, &folder) {
        missing.print();
        return Ok(NOT_FOUND);
    }
    let definition = shape(definition, wrapped, form, &folder);
    let server = match until_signal(signals, definition.start()).await? {
        Err(error @ StartError::ProgramNotInImage { .. }) => {
            Failure::new(error).and_hint(hint_of_missing(wrapped, None)).print();
            return Ok(NOT_FOUND);
        }
        started => started?,
    };
    progress.time("command");
    let ended = supervise(&server, wrapped, form, &folder, signals).await;
    let stopped = server.stop().await;
    let status = ended?;
    stopped?;
    Ok(status)
}

/// Runs a wrapped command on a server that keeps running afterwards, and returns its exit status.
pub(crate) async fn run_on(
    server: &Server,
    wrapped: &Wrapped,
    form: Form,
    signals: &mut Signals,
) -> Result<u8, Failure> {
    let form = form_on(server.container().backend().kind(), form)?;
    let folder = current_folder()?;
    supervise(server, wrapped, form, &folder, signals).await
}

/// Returns the command-line prefix that runs a program of this machine on a session or on a server of its own.
fn host_form(session: Option<&Name>) -> String {
    match session {
        Some(name) => format!("pg-ephemeral session host run-env --name {name} --"),
        None => "pg-ephemeral host run-env --".to_owned(),
    }
}

/// Returns a failure if it is certain, before a server is started, that the program is missing.
fn missing_before(
    definition: &Definition,
    kind: Kind,
    wrapped: &Wrapped,
    form: Form,
    folder: &Path,
) -> Option<Failure> {
    let program = program_of(wrapped);
    let path = Path::new(&program);
    let is_bare = path.components().count() == 1 && !program.as_encoded_bytes().contains(&b'/');
    let is_there = match form {
        _ if program.is_empty() => return None,
        Form::Host if is_bare && kind == Kind::Host => {
            // If there is no installation, the start reports that.
            let installed = definition.installed_program(&program.to_string_lossy());
            is_on_path(&program) || installed.map_or(true, |program| program.exists())
        }
        Form::Host if is_bare => is_on_path(&program),
        Form::Host => path.exists(),
        // A link is not followed, because its target may exist only in the image.
        Form::Bare if !is_bare && path.components().all(is_below) => folder.join(path).symlink_metadata().is_ok(),
        Form::Bare | Form::Container => true,
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

/// Returns the program that a wrapped command runs on this machine.
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

/// The folders in which the system looks for programs if `PATH` is not set.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

fn is_on_path(program: &OsStr) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Returns a hint if a program that the image lacks exists on this machine.
fn hint_of_missing(wrapped: &Wrapped, session: Option<&Name>) -> Option<String> {
    let Wrapped::RunEnv { command } = wrapped else { return None };
    let program = command.first().filter(|program| is_on_path(program))?;
    Some(format!("this machine has it: `{} {} …` runs it here", host_form(session), program.display()))
}

fn form_on(kind: Kind, form: Form) -> Result<Form, Failure> {
    match (kind, form) {
        (Kind::Host, Form::Container) => Err(Failure::message(
            "the host backend has no container to run a command in",
            "leave out `container`, or use docker or podman",
        )),
        (Kind::Host, _) => Ok(Form::Host),
        (_, form) => Ok(form),
    }
}

fn shape(definition: Definition, wrapped: &Wrapped, form: Form, folder: &Path) -> Definition {
    let definition = match form {
        Form::Bare => definition.transparent_workdir(folder),
        Form::Host | Form::Container => definition,
    };
    let definition = match wrapped {
        Wrapped::RunEnv { command } if form != Form::Host => match command.first().and_then(|word| word.to_str()) {
            Some(program) if !program.contains('/') => definition.program(program),
            _ => definition,
        },
        _ => definition,
    };
    definition.reach(match (form, wrapped) {
        (Form::Host, _) => Reach::Published,
        (_, Wrapped::RunEnv { .. } | Wrapped::Shell) => Reach::Inside,
        (_, Wrapped::Psql(_) | Wrapped::SchemaDump(_) | Wrapped::Pgbench(_)) => Reach::InsideWithoutNetwork,
    })
}

async fn supervise(
    server: &Server,
    wrapped: &Wrapped,
    form: Form,
    folder: &Path,
    signals: &mut Signals,
) -> Result<u8, Failure> {
    let interactive = takes_terminal(wrapped);
    if signals.was_interrupted() {
        return Err(Failure::Interrupted { signal: SIGINT });
    }
    spinner::clear();
    if form == Form::Host {
        return run_here(on_host(server, wrapped), interactive, signals).await;
    }
    let mark = Mark::new();
    let spec = in_container(server, wrapped, form, folder, &mark)?;
    let container = server.container();
    let process = container.attach(&spec).await?;
    let command =
        InContainer { container, mark, user: spec.user, terminal: spec.terminal, undelivered: Undelivered::HandOn };
    outcome(wait_in_container(process, command, interactive, signals).await?.command)
}

/// Returns `true` if the command is interactive and handles Ctrl-C itself.
fn takes_terminal(wrapped: &Wrapped) -> bool {
    matches!(wrapped, Wrapped::Psql(_) | Wrapped::Shell) && std::io::stdin().is_terminal()
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
    line
}

/// Returns the caller's `PATH` with the folder of the server's programs appended. That folder comes last, so that it
/// hides no program of the caller.
fn path_with(programs: Option<&Path>) -> Option<String> {
    let programs = programs?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from(programs)]);
    std::env::join_paths(folders).ok()?.into_string().ok()
}

fn in_container(
    server: &Server,
    wrapped: &Wrapped,
    form: Form,
    folder: &Path,
    mark: &Mark,
) -> Result<ExecSpec, Failure> {
    let exec = |argv: &[&str], rest: &[OsString]| -> Result<Vec<String>, Failure> {
        let argv = argv.iter().map(|&word| word.to_owned());
        let command: Vec<String> = argv.chain(texts(rest)?).collect();
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
    let connection = match (form, wrapped) {
        (Form::Bare, Wrapped::RunEnv { .. } | Wrapped::Shell) => server.loopback_in_container(),
        _ => server.socket_in_container(),
    };
    let mut spec = ExecSpec::new(command);
    spec.environment = connection.map(pg_ephemeral_core::ConnectionParameters::environment).unwrap_or_default();
    let (terminal, kind) = terminal();
    spec.terminal = terminal;
    spec.environment.extend(kind);
    if form == Form::Bare {
        spec = as_caller(spec.folder(folder), server.container().backend().is_rootless());
    }
    Ok(spec)
}

/// Runs the command as the caller, so that files that it writes belong to the caller.
fn as_caller(spec: ExecSpec, is_rootless: bool) -> ExecSpec {
    let (user, home) = callers_user(is_rootless);
    let mut spec = spec.user(user);
    spec.environment.extend(home);
    spec
}
