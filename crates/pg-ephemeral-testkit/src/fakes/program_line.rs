//! The program, the environment and the user of a process in a fake container.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ociman::command::{CommandLine, UserIds};

use super::files::in_container;
use super::flags::Arguments;
use super::image::Program;
use super::machine::Call;
use super::not_started::NotStarted;
use super::postgres;
use super::state::Config;

/// The program to which a name or path resolves.
pub(super) enum ResolvedProgram<'a> {
    /// A program of this machine.
    Path(PathBuf),
    /// A fake program of the image.
    Fake(&'a Program),
    /// The reason why the program can't be started.
    Not(NotStarted<'a>),
}

/// Returns the variables of `--env`. `--env NAME` without a value takes the value from the environment of the command.
pub(super) fn variables(arguments: &Arguments, call: &Call) -> Vec<(String, String)> {
    let given = arguments.values("env");
    let both = given.filter_map(|entry| match entry.split_once('=') {
        Some((name, value)) => Some((name.to_owned(), value.to_owned())),
        None => call.variables.iter().find(|(name, _)| name == entry).cloned(),
    });
    both.collect()
}

/// Returns the environment of a container's processes. It has no variables of this machine.
pub(super) fn environment(config: &Config) -> BTreeMap<String, String> {
    let own = config.environment.iter().filter_map(|entry| entry.split_once('='));
    let all = [("HOME", "/root"), ("PATH", "/usr/local/bin:/usr/bin:/bin")].into_iter().chain(own);
    all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Resolves the value of `--user` to a user ID and a group ID. Returns `Ok(None)` if the user is not changed, because
/// none is given or this process does not run as root, and an error if there is no such user.
pub(super) fn user(text: &str, config: &Config) -> std::result::Result<Option<(u32, u32)>, ()> {
    let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
    let found = match user.parse() {
        Ok(uid) => (uid, 0),
        Err(_) if text.is_empty() => return Ok(None),
        Err(_) if config.server.is_some() && user == postgres::USER => postgres::user(),
        Err(_) => {
            let ids = ociman::host::find_user(user).ok_or(())?;
            (ids.uid, ids.gid)
        }
    };
    let gid = group.map_or(Ok(found.1), |group| group.parse().map_err(|_| ()))?;
    Ok(rustix::process::geteuid().is_root().then_some((found.0, gid)))
}

/// Resolves a program to a fake program of the image, to a file of the container, or to a program of this machine.
pub(super) fn resolve_program<'a>(config: &'a Config, root: &Path, program: &'a str) -> ResolvedProgram<'a> {
    if let Some(fake) = config.programs.get(program) {
        return ResolvedProgram::Fake(fake);
    }
    let candidates: Vec<PathBuf> = if program.contains('/') {
        vec![root.join(in_container(program)), PathBuf::from(program)]
    } else {
        let path = config.variable("PATH").unwrap_or("/usr/local/bin:/usr/bin:/bin");
        path.split(':').map(|folder| Path::new(folder).join(program)).collect()
    };
    let there: Vec<(PathBuf, fs::Metadata)> =
        candidates.into_iter().filter_map(|path| Some((path.clone(), fs::metadata(&path).ok()?))).collect();
    let is_program = |metadata: &fs::Metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0;
    match there.iter().find(|(_, metadata)| is_program(metadata)) {
        Some((path, _)) if !program.is_empty() => ResolvedProgram::Path(path.clone()),
        _ if !program.contains('/') => ResolvedProgram::Not(NotStarted::NotOnPath(program)),
        _ if there.is_empty() => ResolvedProgram::Not(NotStarted::NoSuchFile(program)),
        _ => ResolvedProgram::Not(NotStarted::NotExecutable(program)),
    }
}

/// Returns the command line that runs a process of a container on this machine, without this process's environment.
pub(super) fn process_line(
    program: PathBuf,
    arguments: &[String],
    environment: BTreeMap<String, String>,
    folder: PathBuf,
    user: Option<(u32, u32)>,
) -> CommandLine {
    let mut line = CommandLine::new(program).arguments(arguments);
    line.environment = environment.into_iter().collect();
    line.removed_environment = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    line.removed_environment.retain(|removed| !line.environment.iter().any(|(name, _)| name == removed));
    line.folder = Some(folder);
    line.user = user.map(|(uid, gid)| UserIds { uid, gid });
    line
}
