//! [`Run`]: a server that all processes of a run share, such as the tests of `cargo nextest run`, each of which is a process
//! of its own. The first one that wants it starts it, as a session that ends with the run.

use std::io;

use ociman::host::ProcessIdentity;
use ociman::{Backend, Host, Kind};
use serde::{Deserialize, Serialize};

use super::reap::{self, Patience};
use super::start;
use crate::model::Owner;
use crate::model::session::Name;
use crate::server::Definition;
use crate::server::{AttachError, Server, StartError};
use crate::session::{FindError, Request, Session};
use crate::state::{Folders, Lock};

/// The programs that start tests. Linux keeps the first 15 bytes of a program's name.
const RUNNERS: [&str; 2] = ["cargo", "cargo-nextest"];

/// A process and all that it starts, directly or not: as long as it lives, they share a server.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use pg_ephemeral_core::Definition;
/// use pg_ephemeral_core::run::Run;
///
/// // In every test, whatever process it is in:
/// let server = Run::current().server(&Definition::new()?).await?;
/// let database = server.database().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    process: Owner,
}

/// Why a run has no server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It could not be looked for.
    #[error(transparent)]
    Find(#[from] FindError),
    /// It runs, and can't be used.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// Whoever is to remove it at the end of the run can't.
    #[error("watch for the end of the run")]
    Watch(#[source] io::Error),
}

impl RunError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Start(error) => error.hint(),
            Self::Find(_) | Self::Attach(_) | Self::Watch(_) => None,
        }
    }
}

impl Run {
    /// The run that this process is part of: that of the nearest `cargo` or `cargo nextest` which started it. Without one, or
    /// where the system does not tell who started whom (only Linux does), it is this process's own.
    #[must_use]
    pub fn current() -> Self {
        let current = Owner::current();
        let this = ProcessIdentity { pid: current.pid, start: current.start };
        let runner = this.ancestor(|name| RUNNERS.contains(&name)).unwrap_or(this);
        Self { process: Owner { pid: runner.pid, start: runner.start, ..current } }
    }

    /// The run of another process, of a test runner of another kind; `None` when there is no such process.
    #[must_use]
    pub fn of_process(pid: u32) -> Option<Self> {
        let ProcessIdentity { pid, start } = ProcessIdentity::of(pid)?;
        Some(Self { process: Owner { pid, start, ..Owner::current() } })
    }

    /// The process that it ends with.
    #[must_use]
    pub fn process(&self) -> &Owner {
        &self.process
    }

    /// The server of this definition that the processes of the run share. The first that asks starts it, as a session that
    /// ends with the run, also when the run is killed: from then on the next command that makes or removes servers removes
    /// it, as does `gc`, and [`Run::server_watched`] is for who wants it gone at once. Two definitions that differ are two
    /// servers. When the server ends before the run does, who asks next starts another.
    ///
    /// Where it is there already, this is two engine commands.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn server(&self, definition: &Definition) -> Result<Server, RunError> {
        self.server_watched(definition, |_, _| Ok(())).await
    }

    /// As [`Run::server`]. Whoever has started the server starts with `watch` what outlives the run and then removes the
    /// server: a process that calls [`Run::remove_at_end`] with these folders.
    ///
    /// # Errors
    /// [`RunError`]; with [`RunError::Watch`] there is no server.
    pub async fn server_watched(
        &self,
        definition: &Definition,
        watch: impl FnOnce(&Self, &Folders) -> io::Result<()>,
    ) -> Result<Server, RunError> {
        let backend = definition.find_backend().await.map_err(StartError::from)?;
        let definition = definition.clone().backend(backend.clone());
        let name = self.session_name(&definition, backend.kind())?;
        let session = match Session::find_in(&definition.folders, &backend, &name).await? {
            Some(session) => session,
            None => {
                let lock = format!("run:{}", definition.instance);
                let _lock = Lock::take(&definition.folders, &lock).await.map_err(StartError::from)?;
                match Session::find_in(&definition.folders, &backend, &name).await? {
                    Some(session) => session,
                    None => self.start(&definition, name, watch).await?,
                }
            }
        };
        let mut server = Server::attach(&session, &definition.folders)?;
        // A value that lives as long as its process is never dropped, and what goes with it would stay.
        server.keep_ca_file(&session, &definition.folders).map_err(AttachError::from)?;
        Ok(server)
    }

    async fn start(
        &self,
        definition: &Definition,
        name: Name,
        watch: impl FnOnce(&Self, &Folders) -> io::Result<()>,
    ) -> Result<Session, RunError> {
        let request = Request { process: Some(self.process.clone()), ..Request::new(name, None) };
        let session = start::start_requested(definition, request).await?;
        if let Err(error) = watch(self, &definition.folders) {
            // Why it can't be used is the better error; what stays is removed by the next command after the run.
            let _ = session.stop().await;
            return Err(RunError::Watch(error));
        }
        Ok(session)
    }

    /// Blocks until the run has ended, and then removes its servers, and what killed commands have left beside them.
    ///
    /// # Errors
    /// When the system refuses what it takes to talk to the engines.
    pub fn remove_at_end(&self, folders: &Folders) -> io::Result<()> {
        let Owner { pid, start, .. } = self.process;
        ProcessIdentity { pid, start }.wait_for_end();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let host = Backend::host(Host::at(folders.host()));
            reap::reap_recorded(folders, &host, Patience::Settle).await;
        });
        Ok(())
    }

    /// The name of the session: nobody else's, and the same for all who want the same.
    fn session_name(&self, definition: &Definition, backend: Kind) -> Result<Name, StartError> {
        let whose = format!("{:?}{backend}{}", self.process, definition.description());
        let hash = blake3::hash(whose.as_bytes()).to_hex();
        let short = hash.as_str().get(..16).unwrap_or_default();
        let name = format!("run-{}-{short}", self.process.pid).parse();
        name.map_err(|error| StartError::Thread(io::Error::other(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_a_session_for_each_definition_and_another_run_has_others() {
        let definition = || Definition::in_folders(Folders::at("/nowhere"));
        let seeded = |statement: &str| definition().sql_statement("a".parse().unwrap(), statement);
        let run = Run::of_process(std::process::id()).unwrap();
        let name = |definition: &Definition| run.session_name(definition, Kind::Host).unwrap();
        assert_eq!(name(&seeded("select 1")), name(&seeded("select 1")));
        let later = Run { process: Owner { start: run.process.start + 1, ..run.process.clone() } };
        let names = [
            name(&seeded("select 1")),
            name(&definition()),
            name(&seeded("select 2")),
            name(&seeded("select 1").parameter("work_mem=1MB".parse().unwrap())),
            run.session_name(&seeded("select 1"), Kind::Podman).unwrap(),
            later.session_name(&seeded("select 1"), Kind::Host).unwrap(),
        ];
        assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), 6);
        assert!(name(&definition()).as_str().starts_with(&format!("run-{}-", std::process::id())));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_run_of_a_test_is_that_of_cargo() {
        let current = Run::current();
        let this = Owner::current();
        // Run by hand there may be no cargo.
        assert_eq!(current.process.pid == this.pid, std::env::var_os("CARGO").is_none(), "{current:?}");
        assert_eq!(Run::of_process(this.pid).unwrap().process, this);
        assert_eq!(Run::of_process(u32::MAX), None);
    }
}
