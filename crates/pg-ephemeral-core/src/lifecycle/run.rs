//! [`Run`]: a server that all processes of a test run share. With `cargo nextest run`, for example, each test is a
//! process of its own. The first process that asks for the server starts it, as a session that ends with the run.

use std::io;

use ociman::host::ProcessIdentity;
use ociman::{Backend, Host, Kind};
use serde::{Deserialize, Serialize};

use super::reap::{self, LateStarts};
use super::start;
use crate::model::Owner;
use crate::model::session::Name;
use crate::server::Definition;
use crate::server::{AttachError, Server, StartError};
use crate::session::{FindError, Request, Session};
use crate::state::{Folders, Lock};

/// The programs that start tests. Linux truncates the name of a process to 15 bytes.
const RUNNERS: [&str; 2] = ["cargo", "cargo-nextest"];

/// A test run: a process, and all processes that it starts, directly or indirectly. They share a server as long as the
/// first process lives.
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

/// The reason why a run has no server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The server could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The search for the server failed.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The server runs, but can't be used.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// The process that removes the server at the end of the run could not be started.
    #[error("failed to watch for the end of the run")]
    Watch(#[source] io::Error),
}

impl RunError {
    /// Returns a hint on what the user can do about the error, if there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Start(error) => error.hint(),
            Self::Find(_) | Self::Attach(_) | Self::Watch(_) => None,
        }
    }
}

impl Run {
    /// Returns the run that this process is part of. It is the run of the nearest ancestor process that is `cargo` or
    /// `cargo nextest`. If there is no such ancestor, or on a system other than Linux, where ancestors are not known,
    /// this process is a run of its own.
    #[must_use]
    pub fn current() -> Self {
        let current = Owner::current();
        let this = ProcessIdentity { pid: current.pid, start: current.start };
        let runner = this.ancestor(|name| RUNNERS.contains(&name)).unwrap_or(this);
        Self { process: Owner { pid: runner.pid, start: runner.start, ..current } }
    }

    /// Returns the run of the process with this ID, such as another test runner; `None` if there is no such process.
    #[must_use]
    pub fn of_process(pid: u32) -> Option<Self> {
        let ProcessIdentity { pid, start } = ProcessIdentity::of(pid)?;
        Some(Self { process: Owner { pid, start, ..Owner::current() } })
    }

    /// Returns the process at whose end the run ends.
    #[must_use]
    pub fn process(&self) -> &Owner {
        &self.process
    }

    /// Returns the server of this definition that the processes of the run share. Two different definitions have two
    /// servers.
    ///
    /// The first process that asks for a server starts it, as a session that ends with the run, even if the run is
    /// killed. After the end of the run, `gc` or the next command that starts or removes servers removes it. Use
    /// [`Run::server_watched`] to have it removed at once. If the server ends before the run, the next process that
    /// asks starts another.
    ///
    /// Runs two engine commands if the server already runs.
    ///
    /// # Errors
    /// Returns an error if the server can't be found, started or used.
    pub async fn server(&self, definition: &Definition) -> Result<Server, RunError> {
        self.server_watched(definition, |_, _| Ok(())).await
    }

    /// As [`Run::server`]. If this call starts the server, it then calls `watch`, which has to start a process that
    /// outlives the run. That process calls [`Run::remove_at_end`] with the given folders, which removes the server.
    ///
    /// # Errors
    /// As [`Run::server`]. Returns [`RunError::Watch`] if `watch` fails; the server is removed then.
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
        // A test may keep the server in a static, which is never dropped. A temporary CA file would then be left
        // behind, so the file of the session is used.
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
            // The error of `watch` is the one to report. If the stop fails, the next command after the run removes the
            // session.
            let _ = session.stop().await;
            return Err(RunError::Watch(error));
        }
        Ok(session)
    }

    /// Blocks until the run has ended. Then removes its servers, and those that other killed commands have left.
    ///
    /// # Errors
    /// Returns an error if the system fails to create a Tokio runtime.
    pub fn remove_at_end(&self, folders: &Folders) -> io::Result<()> {
        let Owner { pid, start, .. } = self.process;
        ProcessIdentity { pid, start }.wait_for_end();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let host = Backend::host(Host::at(folders.host()));
            reap::reap_recorded(folders, &host, LateStarts::Settle).await;
        });
        Ok(())
    }

    /// Returns the name of the run's session for a definition on a backend. Each combination of run, backend and
    /// definition has its own name.
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
    fn each_run_and_definition_has_its_own_session() {
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
    fn the_current_run_of_a_test_is_that_of_cargo() {
        let current = Run::current();
        let this = Owner::current();
        // A test that is run by hand may have no cargo.
        assert_eq!(current.process.pid == this.pid, std::env::var_os("CARGO").is_none(), "{current:?}");
        assert_eq!(Run::of_process(this.pid).unwrap().process, this);
        assert_eq!(Run::of_process(u32::MAX), None);
    }
}
