//! Building layers: one server is started, seed after seed is applied to it, and its files are committed after each.

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

/// How long a clean stop may take.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(300);

/// The working directory of a container script that has files.
const FILES_IN_CONTAINER: &str = "/tmp/pg-ephemeral-files";

/// Whether any database has an UNLOGGED relation, in any tablespace: those have a fork of their own in the file system.
/// The catalog of each database would tell the same, at the price of a connection to each.
///
/// Folders are made of what catalogs tell, as PostgreSQL makes them, and not looked for: it expects a thousand entries of
/// a folder, and for a thousand times a thousand it would compile the query, which takes a hundred times its own time.
pub(crate) const ANY_UNLOGGED: &str = "WITH version (folder) AS ( \
        SELECT concat('PG_', current_setting('server_version_num')::int / 10000, '_', catalog_version_no) \
        FROM pg_control_system()), \
    folder (path) AS ( \
        SELECT 'base/' || oid FROM pg_database UNION ALL \
        SELECT concat_ws('/', 'pg_tblspc', space.oid, version.folder, base.oid) \
        FROM version, pg_tablespace AS space, pg_database AS base WHERE spcname NOT IN ('pg_default', 'pg_global')) \
    SELECT EXISTS (SELECT FROM folder, LATERAL pg_ls_dir(path, true, false) AS file WHERE file LIKE '%\\_init')";

/// A hash of the server's configuration files. Their times would tell changes too, but are given in whole seconds.
const CONFIGURATION: &str = "SELECT string_agg(sha256(pg_read_binary_file(file, 0, 100000000, true)), '' ORDER BY file) \
    FROM unnest(ARRAY[current_setting('config_file'), current_setting('hba_file'), current_setting('ident_file'), \
        current_setting('data_directory') || '/postgresql.auto.conf']) AS file";

impl Boot<'_> {
    /// Does everything of a plan up to its last commit. The server goes on to run when there is one at that point.
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
        // The server of the first start gives way to one that runs on the base layer. A commit holds everything that
        // differs from the image of its container: on the base image that is the whole cluster, each time. It goes
        // while the seeds are applied, since removing a container is mostly waiting.
        let running = match next.place {
            Place::Server => Some(self.boot_layer(at, reach, Role::Builder).await?),
            Place::Image => None,
        };
        let (removed, built) = tokio::join!(first.launched.guard.remove(), self.build_from(running, at, &steps, reach));
        removed.map_err(StartError::Watch)?;
        built
    }

    /// Applies and commits, from a server at the state `at` or from the layer of it.
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
                        Some(self.commit(server, hash, step.seed + 1).await?)
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

    async fn initialise(&self) -> Result<Option<Running>, StartError> {
        self.definition.observer.begin(Step::Initialise);
        match &self.resolved.installation {
            Some(installation) => self.initialise_on_host(installation).await.map(|()| None),
            None => self.initialise_on_engine().await,
        }
    }

    /// Commits the files of a server under a key, with that layer's password in them: while the server runs, where that is
    /// possible.
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
                // Every start from this layer would fail.
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

    /// Gives a server a layer's password, and commits its files as they are, and tells whether it did. On the host it does
    /// not, nor when an engine can't make the server hold still, nor with UNLOGGED relations: those come back empty from
    /// what looks like a crash. Nor after a seed that has changed the server's configuration: the seeds that follow run
    /// under it, as they do on the host, and a server that does not start with it is that seed's failure.
    pub(super) async fn commit_running(
        &self,
        running: &mut Running,
        hash: &SeedHash,
        seeds: usize,
    ) -> Result<bool, StartError> {
        let password = self.layer_password(hash);
        let verified = password.clone();
        // It takes milliseconds to compute, as logging in does.
        let verifier = ociman::blocking::run(move || secret::verifier(&verified));
        let client = self.client(running).await?;
        self.definition.observer.begin(Step::Commit);
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

    /// Notes the configuration that a server was started with, before the first seed that may change it.
    async fn note_configuration(&self, running: &mut Running) -> Result<(), StartError> {
        if self.backend.kind() != Kind::Host && running.configuration.is_none() {
            let client = self.client(running).await?;
            running.configuration = configuration(&client).await?;
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

    /// An image takes over the labels of its container. Those that tell of one server must not be of an image, and
    /// the seeds are those that are in it.
    pub(super) fn commit_spec(&self, hash: &SeedHash, seeds: usize) -> Result<CommitSpec, StartError> {
        let mut labels = Labels::from_iter(
            [label::OWNER_KEY, label::NONCE_KEY, label::STARTED_KEY, label::FOLDER_KEY]
                .map(|key| (key, label::value(""))),
        );
        if let Some(ssl) = &self.definition.ssl_config {
            // Whoever starts a server from it makes another authority.
            labels.insert(label::SSL_HOSTNAME_KEY, label::value(ssl.hostname.as_str()));
            labels.insert(label::SSL_CA_CERT_PEM_KEY, label::value(""));
        }
        labels.insert(label::SEEDS_KEY, label::value(&self.seeds_label(seeds)));
        labels.insert(label::TAG_KEY, label::value(hash.as_str()));
        Ok(CommitSpec { image: self.resolved.layer(hash)?, labels })
    }

    /// Runs a container script on a layer, with no server, and commits what comes of it.
    async fn run_container_script(&self, from: &SeedHash, hash: &SeedHash, index: usize) -> Result<(), StartError> {
        let Some(seed) = self.seeds.get(index) else { return Ok(()) };
        let Some(script) = seed.container_script() else { return Ok(()) };
        self.begin_seed(seed, index);
        let has_files = !seed.script_files().is_empty();
        // With files to come first it waits for them, and the script is run inside.
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
                let log = self.last_words(guard.container()).await;
                let source = ApplyError::ContainerScript { seed: seed.name().clone(), status: status.code(), log };
                return Err(self.seed_failed(source));
            }
        }
        self.definition.observer.begin(Step::Commit);
        guard.commit(self.commit_spec(hash, index + 1)?).await?;
        guard.remove().await.map_err(StartError::Watch)
    }

    /// Runs a container script that no layer can have, in the server's own container, and starts the server anew with
    /// what it installed.
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

    /// Tells which files a seed that is about to run for its layer names, though a change of them would not run it again.
    async fn tell_unkeyed_files(&self, index: usize) {
        let Definition { instance, seeds, folder, seed_events, .. } = self.definition;
        let (instance, seeds, folder) = (instance.clone(), seeds.clone(), folder.clone());
        let look = move || {
            let folder = std::path::absolute(folder).ok()?;
            seed::unkeyed_files_of_seed(&instance, &seeds, index, &folder)
        };
        // It is a warning: without the thread there is none.
        if let Ok(Some(unkeyed)) = ociman::blocking::run(look).await {
            seed_events.send(ApplyEvent::Unkeyed(&unkeyed));
        }
    }

    fn begin_seed(&self, seed: &ReadSeed, index: usize) {
        let total = self.seeds.len();
        self.definition.observer.begin(Step::Seed { name: seed.name().clone(), position: index + 1, total });
    }

    /// Runs a container script in a container that runs, with its files in a folder that goes with it.
    async fn exec_script(&self, container: &Container, seed: &ReadSeed) -> Result<(), StartError> {
        let Some(script) = seed.container_script() else { return Ok(()) };
        for file in seed.script_files() {
            self.append(container, seed, &format!("{FILES_IN_CONTAINER}/{}", file.name), &file.content).await?;
        }
        // One stream, so that the last words are the last.
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

    /// Gives a server that was started without its libraries, since they were not there yet, those from its next start
    /// on: what its container runs does not change any more, its files do.
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

    /// Adds to the end of a file in a container, which may not be there yet.
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
