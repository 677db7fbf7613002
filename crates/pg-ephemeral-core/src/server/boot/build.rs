//! Building layers: a server is started, the seeds are applied to it one after the other, and its files are committed
//! after each seed.

use std::time::Duration;

use ociman::label::Labels;
use ociman::{CommandError, CommitSpec, Container, ExecSpec, Kind, RunSpec};
use tokio_postgres::Client;

use super::first_start::DATA;
use super::launch::{OWNED_PREFIX, Role};
use super::{Boot, Running};
use crate::io::random::random_name;
use crate::layer::{self, BootFrom, Place, Plan};
use crate::model::{ParameterName, ParameterValue, SeedHash, SeedKind, Step, label};
use crate::postgres::connect;
use crate::seed::{self, ApplyError, ApplyEvent, ReadSeed};
use crate::server::definition::{Definition, Reach};
use crate::server::error::{LOG_LINES, StartError};
use crate::server::guard::Guard;
use crate::state::secret;

/// The time limit for a clean stop of a server.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(300);

/// The working directory of a container script that has files.
const FILES_IN_CONTAINER: &str = "/tmp/pg-ephemeral-files";

/// A query that tells whether any database has an UNLOGGED relation, in any tablespace. Such a relation has an `_init`
/// fork in the file system, which the query looks for. Using the catalogs instead would take a connection to each
/// database.
///
/// The query derives the paths of the folders from the catalogs, instead of listing the parent folders. For each listed
/// folder the planner expects a thousand entries, and with nested lists the estimated cost would be so high that the
/// query is JIT-compiled, which takes a hundred times as long as the query itself.
pub(crate) const ANY_UNLOGGED: &str = "WITH version (folder) AS ( \
        SELECT concat('PG_', current_setting('server_version_num')::int / 10000, '_', catalog_version_no) \
        FROM pg_control_system()), \
    folder (path) AS ( \
        SELECT 'base/' || oid FROM pg_database UNION ALL \
        SELECT concat_ws('/', 'pg_tblspc', space.oid, version.folder, base.oid) \
        FROM version, pg_tablespace AS space, pg_database AS base WHERE spcname NOT IN ('pg_default', 'pg_global')) \
    SELECT EXISTS (SELECT FROM folder, LATERAL pg_ls_dir(path, true, false) AS file WHERE file LIKE '%\\_init')";

/// The size of all databases, in bytes.
const SIZE: &str = "SELECT sum(pg_database_size(oid))::bigint FROM pg_database";

/// The growth in bytes from which on committing it twice costs more than starting another server.
const MUCH_GROWTH: i64 = 64 << 20;

/// A query that returns a hash of the server's configuration files. Modification times would not show all changes,
/// because PostgreSQL reports them in whole seconds.
const CONFIGURATION: &str = "SELECT string_agg(sha256(pg_read_binary_file(file, 0, 100000000, true)), '' ORDER BY file) \
    FROM unnest(ARRAY[current_setting('config_file'), current_setting('hba_file'), current_setting('ident_file'), \
        current_setting('data_directory') || '/postgresql.auto.conf']) AS file";

impl Boot<'_> {
    /// Executes a plan up to its last commit. Returns the server if one runs at that point.
    pub(super) async fn build_layers(&self, plan: &Plan) -> Result<Option<Running>, StartError> {
        let steps: Vec<_> = plan.steps.iter().map_while(|step| Some((step, step.commit_after.as_ref()?))).collect();
        let reach = self.builder_reach(plan);
        let at = match &plan.boot_from {
            BootFrom::Layer(hash) => return self.build_from(None, hash, &steps, reach).await,
            BootFrom::BaseImage => self.resolved.chain.base(),
        };
        let first = self.initialise().await?;
        let Some((next, _)) = steps.first() else { return Ok(first) };
        let Some(first) = first else { return self.build_from(None, at, &steps, reach).await };
        // The server of the first start is replaced by one that runs on the base layer. A commit contains everything
        // that differs from the image of the container, so each commit of the first server would contain the whole
        // cluster. The first server is removed while the seeds are applied, because a removal mostly waits for the
        // engine.
        let running = match next.place {
            Place::Server => Some(self.boot_layer(at, reach, Role::Builder).await?),
            Place::Image => None,
        };
        let (removed, built) = tokio::join!(first.launched.guard.remove(), self.build_from(running, at, &steps, reach));
        removed.map_err(StartError::Watch)?;
        built
    }

    /// Applies and commits seeds. Begins with the given server, which is at the state `at`, or else with the layer of
    /// that state.
    async fn build_from(
        &self,
        mut running: Option<Running>,
        mut at: &SeedHash,
        steps: &[(&layer::Step, &SeedHash)],
        reach: Reach,
    ) -> Result<Option<Running>, StartError> {
        for &(step, hash) in steps {
            running = match step.place {
                Place::Server => {
                    let mut server = match running {
                        Some(running) => running,
                        None => self.boot_layer(at, reach, Role::Builder).await?,
                    };
                    if !self.resolved.present.contains(hash) {
                        self.tell_unkeyed_files(step.seed).await;
                    }
                    self.note_configuration(&mut server).await?;
                    self.apply(&mut server, step.seed).await?;
                    if self.resolved.present.contains(hash) {
                        Some(server)
                    } else {
                        let mut server = self.commit(server, hash, step.seed + 1).await?;
                        let is_last = steps.last().is_some_and(|&(_, last)| last == hash);
                        if !is_last && self.has_grown(&mut server).await? {
                            server.launched.guard.remove().await.map_err(StartError::Watch)?;
                            None
                        } else {
                            Some(server)
                        }
                    }
                }
                Place::Image => {
                    if let Some(running) = running {
                        running.launched.guard.remove().await.map_err(StartError::Watch)?;
                    }
                    self.run_container_script(at, hash, step.seed).await?;
                    None
                }
            };
            at = hash;
        }
        Ok(running)
    }

    /// Returns `true` if the databases have grown much since the server's container was started. On an engine, each further
    /// commit of that container would hold all of this again, so the build continues in a container of the new layer.
    async fn has_grown(&self, running: &mut Running) -> Result<bool, StartError> {
        if self.backend.kind() == Kind::Host {
            return Ok(false);
        }
        let client = self.client(running).await?;
        let size = client.query_one(SIZE, &[]).await.map_err(StartError::SetUp)?.get::<_, i64>(0);
        running.client = Some(client);
        let before = *running.size_at_start.get_or_insert(size);
        Ok(size - before >= MUCH_GROWTH)
    }

    async fn initialise(&self) -> Result<Option<Running>, StartError> {
        self.definition.observer.begin(Step::Initialise);
        match &self.resolved.installation {
            Some(installation) => self.initialise_on_host(installation).await.map(|()| None),
            None => self.initialise_on_engine().await,
        }
    }

    /// Commits the files of a server as the layer with this key, after setting the password of that layer. The server
    /// keeps running if possible; otherwise it is stopped for the commit and started again.
    pub(super) async fn commit(
        &self,
        mut running: Running,
        hash: &SeedHash,
        seeds: usize,
    ) -> Result<Running, StartError> {
        let seed = running.applied.clone();
        if self.commit_running(&mut running, hash, seeds).await? {
            return Ok(running);
        }
        running.disconnect();
        self.commit_stopped(&running, hash, seeds).await?;
        let started = self.start_again(&running).await;
        running.client = Some(match (started, seed) {
            (Err(error), Some(seed)) => {
                // The layer is useless, because no server starts from it.
                let _ = self.backend.remove_image(&self.resolved.layer(hash)?).await;
                let instance = self.definition.instance.clone();
                return Err(StartError::StartAfterSeed { instance, seed, source: Box::new(error) });
            }
            (started, _) => started?,
        });
        Ok(running)
    }

    async fn start_again(&self, running: &Running) -> Result<Client, StartError> {
        running.launched.guard.container().start().await.map_err(StartError::Run)?;
        self.wait(&running.launched, &running.password, self.definition.wait_available_timeout).await
    }

    /// Sets the password of a layer on a server, and commits the server's files while it runs. Returns `false` if the
    /// files have not been committed, because the server has to be stopped for that:
    /// - on the host backend;
    /// - if the engine can't pause the container;
    /// - if there are UNLOGGED relations, which the recovery of a server that starts from the layer would empty;
    /// - if the last seed has changed the server's configuration, because the following seeds have to run with that
    ///   configuration, as they do on the host backend. If the server does not start with it, the seed has failed.
    pub(super) async fn commit_running(
        &self,
        running: &mut Running,
        hash: &SeedHash,
        seeds: usize,
    ) -> Result<bool, StartError> {
        let password = self.layer_password(hash);
        let verified = password.clone();
        // The verifier is computed while the client connects, because both take milliseconds.
        let verifier = ociman::blocking::run(move || secret::verifier(&verified));
        let client = self.client(running).await?;
        self.definition.observer.begin(Step::Commit);
        if running.applied.is_some() {
            self.vacuum(running, &client).await;
        }
        let verifier = verifier.await.map_err(StartError::Thread)?;
        let user = self.definition.superuser.as_str();
        connect::set_password(&client, user, &verifier).await.map_err(StartError::SetUp)?;
        running.password = password;
        let has_seed = running.applied.take().is_some();
        if self.backend.kind() == Kind::Host {
            return Ok(false);
        }
        let row = client.query_one(ANY_UNLOGGED, &[]).await.map_err(StartError::SetUp)?;
        if row.get::<_, bool>(0) || has_seed && configuration(&client).await? != running.configuration {
            return Ok(false);
        }
        client.batch_execute("CHECKPOINT").await.map_err(StartError::SetUp)?;
        match running.launched.guard.commit(self.commit_spec(hash, seeds)?).await {
            Err(StartError::Commit(CommandError::CanNotPause { .. })) => Ok(false),
            Err(error) => Err(error),
            Ok(()) => {
                running.client = Some(client);
                Ok(true)
            }
        }
    }

    /// Stores a hash of the configuration that a server was started with, before the first seed that may change it, and the
    /// size of the databases.
    async fn note_configuration(&self, running: &mut Running) -> Result<(), StartError> {
        if self.backend.kind() != Kind::Host && running.configuration.is_none() {
            let client = self.client(running).await?;
            running.configuration = configuration(&client).await?;
            if running.size_at_start.is_none() {
                let size = client.query_one(SIZE, &[]).await.map_err(StartError::SetUp)?;
                running.size_at_start = Some(size.get(0));
            }
            running.client = Some(client);
        }
        Ok(())
    }

    /// Stops a server cleanly and commits its files.
    pub(super) async fn commit_stopped(
        &self,
        running: &Running,
        hash: &SeedHash,
        seeds: usize,
    ) -> Result<(), StartError> {
        running.launched.guard.container().stop(STOP_LIMIT).await.map_err(StartError::Commit)?;
        running.launched.guard.commit(self.commit_spec(hash, seeds)?).await
    }

    /// Returns the name and the labels of a layer that contains the first `seeds` seeds. An image inherits the labels
    /// of its container, so labels that are only true of one server are emptied.
    pub(super) fn commit_spec(&self, hash: &SeedHash, seeds: usize) -> Result<CommitSpec, StartError> {
        let mut labels = Labels::from_iter(
            [label::OWNER_KEY, label::NONCE_KEY, label::STARTED_KEY, label::FOLDER_KEY]
                .map(|key| (key, label::value(""))),
        );
        if let Some(ssl) = &self.definition.ssl_config {
            // Each start from the layer creates its own certificate authority.
            labels.insert(label::SSL_HOSTNAME_KEY, label::value(ssl.hostname.as_str()));
            labels.insert(label::SSL_CA_CERT_PEM_KEY, label::value(""));
        }
        labels.insert(label::SEEDS_KEY, label::value(&self.seeds_label(seeds)));
        labels.insert(label::TAG_KEY, label::value(hash.as_str()));
        Ok(CommitSpec { image: self.resolved.layer(hash)?, labels })
    }

    /// Runs a container script on a layer, without a server, and commits the result.
    async fn run_container_script(&self, from: &SeedHash, hash: &SeedHash, index: usize) -> Result<(), StartError> {
        let Some(seed) = self.seeds.get(index) else { return Ok(()) };
        let Some(script) = seed.container_script() else { return Ok(()) };
        self.begin_seed(seed, index);
        let has_files = !seed.script_files().is_empty();
        // If the script has files, the container first has to wait for them, and the script is run with `exec`
        // afterwards.
        let entrypoint: &[&str] = if has_files { &["tail", "-f", "/dev/null"] } else { &["sh", "-e", "-c", script] };
        let layer = self.resolved.layer(from)?;
        let mut spec = RunSpec::new(self.container_name(OWNED_PREFIX)?, layer).entrypoint(entrypoint.iter().copied());
        spec.user = Some("0".to_owned());
        spec.labels = self.labels(&random_name().map_err(StartError::Thread)?);
        let guard = Guard::run(&self.definition.folders, &self.backend, spec, self.owner.clone(), None).await?;
        if has_files {
            self.exec_script(guard.container(), seed).await?;
        } else {
            let status = guard.container().wait().await.map_err(StartError::Watch)?;
            if !status.success() {
                let log = self.log_tail(guard.container()).await;
                let source = ApplyError::ContainerScript { seed: seed.name().clone(), status: status.code(), log };
                return Err(self.seed_failed(source));
            }
        }
        self.definition.observer.begin(Step::Commit);
        guard.commit(self.commit_spec(hash, index + 1)?).await?;
        guard.remove().await.map_err(StartError::Watch)
    }

    /// Runs a container script whose result is not cached. Runs it in the server's own container, and then restarts the
    /// server, so that it uses what the script has installed.
    pub(super) async fn run_script_in_container(&self, running: &mut Running, index: usize) -> Result<(), StartError> {
        let Some(seed) = self.seeds.get(index) else { return Ok(()) };
        self.begin_seed(seed, index);
        running.disconnect();
        let container = running.launched.guard.container();
        self.exec_script(container, seed).await?;
        if !self.seeds.iter().skip(index + 1).any(|later| later.kind() == SeedKind::ContainerScript) {
            self.add_libraries(container, seed).await?;
        }
        container.stop(STOP_LIMIT).await.map_err(StartError::Watch)?;
        container.start().await.map_err(StartError::Watch)?;
        let limit = self.definition.wait_available_timeout;
        running.client = Some(self.wait(&running.launched, &running.password, limit).await?);
        Ok(())
    }

    /// Reports the files that a seed refers to without their content being part of its key, so that a change of them
    /// would not run the seed again.
    async fn tell_unkeyed_files(&self, index: usize) {
        let Definition { instance, seeds, folder, seed_events, .. } = self.definition;
        let (instance, seeds, folder) = (instance.clone(), seeds.clone(), folder.clone());
        let look = move || {
            let folder = std::path::absolute(folder).ok()?;
            seed::unkeyed_files_of_seed(&instance, &seeds, index, &folder)
        };
        // This is only a warning, so it is left out if no thread can be started.
        if let Ok(Some(unkeyed)) = ociman::blocking::run(look).await {
            seed_events.send(ApplyEvent::Unkeyed(&unkeyed));
        }
    }

    fn begin_seed(&self, seed: &ReadSeed, index: usize) {
        let total = self.seeds.len();
        self.definition.observer.begin(Step::Seed { name: seed.name().clone(), position: index + 1, total });
    }

    /// Runs a container script in a running container, with its files in a folder that is removed afterwards.
    async fn exec_script(&self, container: &Container, seed: &ReadSeed) -> Result<(), StartError> {
        let Some(script) = seed.container_script() else { return Ok(()) };
        for file in seed.script_files() {
            self.append(container, seed, &format!("{FILES_IN_CONTAINER}/{}", file.name), &file.content).await?;
        }
        // Both outputs go to one stream, so that its last lines are the last output of the script.
        let run = match seed.script_files() {
            [] => "exec sh -e -c \"$1\" 2>&1",
            _ => "cd \"$2\" && sh -e -c \"$1\" 2>&1 && cd / && rm -rf \"$2\"",
        };
        let spec = ExecSpec::new(["sh", "-c", run, "sh", script, FILES_IN_CONTAINER]).user("0");
        let output = container.exec(&spec, b"").await.map_err(StartError::Watch)?;
        if output.status.success() {
            return Ok(());
        }
        let log = last_lines(&String::from_utf8_lossy(&output.stdout), LOG_LINES);
        let source = ApplyError::ContainerScript { seed: seed.name().clone(), status: output.status.code(), log };
        Err(self.seed_failed(source))
    }

    /// Makes a server load its libraries from its next start on. It was started without them, because they were not
    /// installed yet. The arguments of the container can't be changed any more, so this writes to the server's
    /// configuration file.
    async fn add_libraries(&self, container: &Container, seed: &ReadSeed) -> Result<(), StartError> {
        let libraries = self.definition.parameters.iter().filter(|(name, _)| layer::preloads(name.as_str()));
        let line = |(name, value): (&ParameterName, &ParameterValue)| {
            let value = value.as_str().replace('\\', "\\\\").replace('\'', "''");
            format!("{} = '{value}'\n", name.as_str())
        };
        let lines: String = libraries.map(line).collect();
        if lines.is_empty() {
            return Ok(());
        }
        self.append(container, seed, &format!("{DATA}/postgresql.auto.conf"), lines.as_bytes()).await
    }

    /// Appends to a file in a container. Creates the file if it does not exist.
    async fn append(
        &self,
        container: &Container,
        seed: &ReadSeed,
        file: &str,
        content: &[u8],
    ) -> Result<(), StartError> {
        let script = "umask 022 && mkdir -p \"$(dirname \"$1\")\" && cat >>\"$1\"";
        let spec = ExecSpec::new(["sh", "-c", script, "sh", file]).user("0");
        let output = container.exec(&spec, content).await.map_err(StartError::Watch)?;
        if output.status.success() {
            return Ok(());
        }
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let file = file.to_owned();
        Err(self.seed_failed(ApplyError::ScriptFile { seed: seed.name().clone(), file, message }))
    }
}

async fn configuration(client: &Client) -> Result<Option<Vec<u8>>, StartError> {
    Ok(client.query_one(CONFIGURATION, &[]).await.map_err(StartError::SetUp)?.get(0))
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(count)..).unwrap_or_default().join("\n")
}
