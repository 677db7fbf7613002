//! `bin -- TOOL`: runs a program of the image in the working directory, without a server.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Component, Path};

use ociman::command::CommandLine;
use ociman::{Kind, UserNamespace};
use pg_ephemeral_core::tool::CallerEnvironment;
use pg_ephemeral_core::{Definition, ToolSpec};

use super::backends::with_kind;
use super::context::Context;
use super::working_folder::{current_folder, refuse_system_folder};
use crate::args::Global;
use crate::output::{Failure, NOT_FOUND, Progress, spinner};
use crate::process::{
    InContainer, Mark, Missing, Signals, Undelivered, callers_user, outcome, run_here, terminal, texts, until_signal,
    wait_in_container,
};

/// Runs a program of the image and returns its exit status.
pub(crate) async fn run(
    global: &Global,
    argv: &[OsString],
    progress: &Progress,
    signals: &mut Signals,
) -> Result<u8, Failure> {
    let definition = Context::load(global)?.definition()?.observer(progress.observer());
    let (definition, kind) = with_kind(definition, signals).await?;
    match kind {
        Kind::Host => here(&definition, argv, progress, signals).await,
        Kind::Docker | Kind::Podman => in_container(&definition, kind, argv, progress, signals).await,
    }
}

/// Runs the program as a plain process. Only programs in the folder of the installed PostgreSQL are accepted.
async fn here(
    definition: &Definition,
    argv: &[OsString],
    progress: &Progress,
    signals: &mut Signals,
) -> Result<u8, Failure> {
    let (name, arguments) = argv.split_first().map_or((OsString::new(), &[][..]), |(name, rest)| (name.clone(), rest));
    if !is_bare(&name) {
        return Err(Failure::message(
            format!("{} is not the name of one of PostgreSQL's programs", name.display()),
            "name it without a folder, such as pg_dump",
        ));
    }
    let program = definition.installed_program(&name.to_string_lossy())?;
    if !program.exists() {
        let missing = format!("the PostgreSQL in {} has no program {}", folder_of(&program), name.display());
        Failure::message(missing, "install the package that has it, or use docker or podman").print();
        return Ok(NOT_FOUND);
    }
    let line = CommandLine::new(program).arguments(arguments);
    spinner::clear();
    progress.time("command");
    // An interactive psql handles Ctrl-C itself.
    let interactive = name == "psql" && std::io::stdin().is_terminal();
    run_here(line, interactive, signals).await
}

fn folder_of(program: &Path) -> std::path::Display<'_> {
    program.parent().unwrap_or(program).display()
}

fn is_bare(name: &OsString) -> bool {
    let mut components = Path::new(name).components();
    matches!((components.next(), components.next()), (Some(Component::Normal(only)), None) if only == name.as_os_str())
}

async fn in_container(
    definition: &Definition,
    kind: Kind,
    argv: &[OsString],
    progress: &Progress,
    signals: &mut Signals,
) -> Result<u8, Failure> {
    let folder = current_folder()?;
    refuse_system_folder(&folder)?;
    let user = ociman::host::name_of_user(rustix::process::geteuid().as_raw());
    let callers = CallerEnvironment::of(std::env::vars_os(), &folder, user.as_deref())
        .map_err(|error| Failure::with_hint(error, "unset it, or use the host backend, which passes on any bytes"))?;
    let mark = Mark::new();
    let command = texts(argv)?;
    let program = command.first().map(String::as_str).unwrap_or_default();
    let missing = Failure::new(Missing { program: program.to_owned(), place: "image" });
    let command = mark.run(command, &missing);
    let user_namespace = match (kind, definition.is_rootless()) {
        (Kind::Podman, true) => UserNamespace::KeepId,
        _ => UserNamespace::Default,
    };
    let (user, home) = callers_user(definition.is_rootless() && user_namespace == UserNamespace::Default);
    let mut environment = callers.variables;
    environment.extend(home);
    let (terminal, terminal_kind) = terminal();
    environment.extend(terminal_kind);
    let mounts = callers.mounts;
    let spec = ToolSpec { command, folder, environment, mounts, user: Some(user.clone()), user_namespace, terminal };
    let (tool, process) = until_signal(signals, definition.run_tool(spec)).await??;
    progress.time("command");
    let in_container =
        InContainer { container: tool.container(), mark, user: Some(user), terminal, undelivered: Undelivered::Kill };
    let ended = wait_in_container(process, in_container, false, signals).await?;
    tool.ended(ended.client).await?;
    outcome(ended.command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_named_without_a_folder() {
        for (name, bare) in [("pg_dump", true), ("./pg_dump", false), ("/bin/sh", false), ("..", false), ("", false)] {
            assert_eq!(is_bare(&name.into()), bare, "{name:?}");
        }
        assert!(!is_bare(&"pg_dump/".into()));
    }
}
