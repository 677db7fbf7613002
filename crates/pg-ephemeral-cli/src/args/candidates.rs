//! Values that a shell completes arguments with. Completion starts and removes nothing, reports no errors, and answers within
//! a time limit: what an engine has not listed by then is left out.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use clap_complete::engine::CompletionCandidate;
use ociman::command::{CommandLine, Executor, Process, ProcessError, QueryOutput};
use ociman::{Backend, Host, Kind, System};
use pg_ephemeral_core::Folders;
use pg_ephemeral_core::config::{self, Config};
use pg_ephemeral_core::session::Session;

/// How long engines may take to list their sessions.
const LIMIT: Duration = Duration::from_millis(700);

/// How long ending an engine's command that has reached the limit may take.
const END: Duration = Duration::from_millis(100);

/// The programs of PostgreSQL.
const TOOLS: &str = "\
    clusterdb createdb createuser dropdb dropuser initdb pg_amcheck pg_archivecleanup pg_basebackup \
    pg_checksums pg_config pg_controldata pg_ctl pg_dump pg_dumpall pg_isready pg_receivewal pg_restore \
    pg_waldump pgbench psql reindexdb vacuumdb";

/// Returns the instances of the configuration in effect.
pub(crate) fn instances() -> Vec<CompletionCandidate> {
    let found = || config::find(&std::env::current_dir().ok()?).ok().flatten();
    let path = named_configuration(std::env::args_os()).or_else(found);
    let config = path.and_then(|path| Config::load(path).ok()).unwrap_or_default();
    config.instances().keys().map(|name| CompletionCandidate::new(name.as_str())).collect()
}

/// Returns the value of `--config-file` in the command line so far.
fn named_configuration(argv: impl IntoIterator<Item = OsString>) -> Option<PathBuf> {
    let mut argv = argv.into_iter().skip_while(|word| word != "--");
    while let Some(word) = argv.next() {
        // Bash passes `=` as a separate word.
        match word.to_str() {
            Some("--config-file") => return argv.find(|word| word != "=").map(PathBuf::from),
            Some(word) if word.starts_with("--config-file=") => {
                return word.split_once('=').map(|(_, path)| path.into());
            }
            _ => {}
        }
    }
    None
}

/// Returns the names of running sessions on all backends, except those that have expired.
pub(crate) fn sessions() -> Vec<CompletionCandidate> {
    let Ok(folders) = Folders::of_user() else { return Vec::new() };
    let hasty = || Arc::new(Hasty);
    let backends =
        [Backend::docker_with(hasty()), Backend::podman_with(hasty()), Backend::host(Host::at(folders.host()))];
    let (sender, receiver) = mpsc::channel();
    let count = backends.len();
    for backend in backends {
        let sender = sender.clone();
        let _ = std::thread::Builder::new().name("sessions".to_owned()).spawn(move || sender.send(names_on(&backend)));
    }
    drop(sender);
    let deadline = Instant::now() + LIMIT + END;
    let answers = (0..count).map_while(|_| receiver.recv_timeout(deadline - Instant::now().min(deadline)).ok());
    let names: BTreeSet<String> = answers.flatten().collect();
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// Runs an engine's commands with a shorter time limit than usual.
#[derive(Debug)]
struct Hasty;

#[async_trait::async_trait]
impl Executor for Hasty {
    async fn spawn(&self, line: CommandLine) -> Result<Process, ProcessError> {
        System.spawn(line).await
    }

    async fn query(&self, line: CommandLine, limit: Duration) -> Result<QueryOutput, ProcessError> {
        System.query(line, limit.min(LIMIT)).await
    }
}

fn names_on(backend: &Backend) -> Vec<String> {
    if backend.kind() == Kind::Host && !backend.as_host().is_some_and(|host| host.state_folder().is_dir()) {
        return Vec::new();
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    let sessions = runtime.block_on(Session::list_all(backend)).unwrap_or_else(|_| {
        // The engine's command has reached its limit and is being ended by this process, which must not exit before.
        std::thread::sleep(END / 2);
        Vec::new()
    });
    let living = sessions.into_iter().filter(|session| !session.has_ended() && !session.has_expired());
    living.map(|session| session.name().to_string()).collect()
}

/// Returns the programs that `bin` can run.
pub(crate) fn tools() -> Vec<CompletionCandidate> {
    TOOLS.split_whitespace().map(CompletionCandidate::new).collect()
}

/// Returns the values of `--backend`.
pub(crate) fn backends() -> Vec<CompletionCandidate> {
    let kinds = Kind::ALL.into_iter().map(Kind::as_str);
    std::iter::once("auto").chain(kinds).map(CompletionCandidate::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_file_is_read_from_the_command_line() {
        let named = |line: &str| named_configuration(line.split(' ').map(OsString::from));
        assert_eq!(named("x -- x --config-file a.toml --instance"), Some("a.toml".into()));
        assert_eq!(named("x -- x --config-file=a.toml --instance"), Some("a.toml".into()));
        assert_eq!(named("x -- x --config-file = a.toml --instance"), Some("a.toml".into()));
        assert_eq!(named("x -- x --instance"), None);
        assert_eq!(named("x --config-file a.toml -- x"), None);
    }
}
