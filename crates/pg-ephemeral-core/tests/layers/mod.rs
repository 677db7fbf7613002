//! Shared code of the tests of layers: a project on any backend for a single test, and a record of the steps that were
//! done in it.
#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod chains;
pub(crate) mod contents;
pub(crate) mod dumps;
pub(crate) mod failures;
pub(crate) mod forms;
pub(crate) mod gone;
pub(crate) mod killed;
pub(crate) mod locales;
pub(crate) mod logins;
pub(crate) mod scripts;
pub(crate) mod together;
pub(crate) mod unlogged;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use ociman::{ExecSpec, Kind};
use pg_ephemeral_core::config::{BackendChoice, Config, Overrides};
use pg_ephemeral_core::parameter::ParameterAssignment;
use pg_ephemeral_core::progress::{Observer, Step};
use pg_ephemeral_core::{Definition, Folders, Server, StartError};
use pg_ephemeral_testkit::Recorder;
use pg_ephemeral_testkit::base_layer::{put_base_layer_on_engine, put_base_layer_on_host};

/// The base image on the engines.
pub(crate) const IMAGE: &str = "docker.io/library/postgres:15";

/// A project folder, a state folder, an instance with a unique name, and a record of the steps that are done.
pub(crate) struct TestProject {
    pub(crate) kind: Kind,
    pub(crate) instance: String,
    pub(crate) image: String,
    pub(crate) home: PathBuf,
    pub(crate) recorder: Recorder,
    steps: Arc<Mutex<Vec<Step>>>,
    /// `true` if another process owns the folders and images and removes them.
    borrowed: bool,
}

impl TestProject {
    /// Creates a ground that may already have the base layer, unlike [`TestProject::cold`].
    pub(crate) fn new(kind: Kind) -> Self {
        let ground = Self::cold(kind);
        match kind {
            Kind::Host => put_base_layer_on_host(&ground.instance, &ground.state()),
            _ => put_base_layer_on_engine(kind, &ground.instance, &ground.state()),
        }
        ground
    }

    /// Creates a ground without any layer.
    pub(crate) fn cold(kind: Kind) -> Self {
        let home = tempfile::Builder::new().prefix("layers-").tempdir().unwrap().keep();
        let name = home.file_name().unwrap().to_str().unwrap().to_lowercase().replace(['_', '.'], "-");
        std::fs::create_dir(home.join("project")).unwrap();
        std::fs::create_dir(home.join("state")).unwrap();
        Self::with(kind, name.trim_end_matches('-').to_owned(), home, false)
    }

    /// Returns the ground that another process owns.
    pub(crate) fn borrowed(kind: Kind, instance: String, home: PathBuf) -> Self {
        Self::with(kind, instance, home, true)
    }

    fn with(kind: Kind, instance: String, home: PathBuf, borrowed: bool) -> Self {
        let recorder = Recorder::system();
        Self { kind, instance, image: IMAGE.to_owned(), home, recorder, steps: Arc::default(), borrowed }
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.home.join("project")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.home.join("state")
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.project().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Returns the definition for a `database.toml` in the project folder. `seeds` is the content of its `seeds` table.
    pub(crate) fn definition(&self, seeds: &str) -> Definition {
        self.definition_in(&self.project(), seeds)
    }

    pub(crate) fn definition_in(&self, folder: &Path, seeds: &str) -> Definition {
        let text = format!("[instances.{}.seeds]\n{seeds}", self.instance);
        let config =
            Config::parse(&text, folder.join("database.toml")).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let instance = config.instance(&self.instance.parse().unwrap(), &Overrides::default()).unwrap();
        let steps = self.steps.clone();
        let definition = Definition::of_instance(Folders::at(self.state()), &instance)
            .backend_choice(BackendChoice::Only(self.kind))
            .executor(Arc::new(self.recorder.clone()))
            .observer(Observer::new(move |step| steps.lock().unwrap().push(step)));
        match self.kind {
            Kind::Host => definition,
            _ => definition.image(self.image.parse().unwrap()),
        }
    }

    /// Clears the record of what was done so far.
    pub(crate) fn forget(&self) {
        self.steps.lock().unwrap().clear();
        self.recorder.journal().clear();
    }

    pub(crate) fn steps(&self) -> Vec<Step> {
        self.steps.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, step: &Step) -> usize {
        self.steps().iter().filter(|done| *done == step).count()
    }

    /// Returns the positions in the chain of the seeds that were applied, in order. The first seed has position 1.
    pub(crate) fn applied(&self) -> Vec<usize> {
        let place = |step| if let Step::Seed { position, .. } = step { Some(position) } else { None };
        self.steps().into_iter().filter_map(place).collect()
    }

    pub(crate) async fn populate(&self, seeds: &str) {
        self.forget();
        self.definition(seeds).populate_cache().await.unwrap_or_else(|error| panic!("{}", error_chain(&error)));
    }

    pub(crate) async fn start(&self, seeds: &str) -> Server {
        self.forget();
        self.definition(seeds).start().await.unwrap_or_else(|error| panic!("{}", error_chain(&error)))
    }

    /// Starts a server as [`start`](Self::start) does, with a server parameter.
    pub(crate) async fn start_with(&self, seeds: &str, parameter: &str) -> Server {
        self.forget();
        let parameters = [parameter.parse::<ParameterAssignment>().unwrap()].into_iter().collect();
        let started = self.definition(seeds).parameters(parameters).start().await;
        started.unwrap_or_else(|error| panic!("{}", error_chain(&error)))
    }

    pub(crate) async fn failed(&self, seeds: &str) -> StartError {
        self.forget();
        let error = self.definition(seeds).start().await.map(drop).unwrap_err();
        self.assert_nothing_runs();
        error
    }

    /// Starts a server, returns the content of its database as SQL, and stops it.
    pub(crate) async fn dump(&self, seeds: &str) -> String {
        let server = self.start(seeds).await;
        let dumped = dump(&server).await;
        server.stop().await.unwrap();
        dumped
    }

    /// Asserts that no container of this ground is left, and no container or record of a server in the state folder.
    pub(crate) fn assert_nothing_runs(&self) {
        for folder in ["ociman/containers", "pg-ephemeral/servers"] {
            let entries = std::fs::read_dir(self.state().join(folder)).into_iter().flatten();
            let left: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
            assert!(left.is_empty(), "left in {folder}: {left:?}");
        }
        if self.kind != Kind::Host {
            let ours = format!("label=pg-ephemeral.instance={}", self.instance);
            let left = self.engine(&["ps", "--all", "--quiet", "--filter", &ours]);
            assert!(left.is_empty(), "containers are left: {left}");
        }
    }

    /// Runs a command of the engine and returns what it prints.
    pub(crate) fn engine(&self, arguments: &[&str]) -> String {
        let output = Command::new(self.kind.as_str()).args(arguments).stdin(Stdio::null()).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{} {arguments:?}: {message}", self.kind);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Returns the tags of the layers of this instance.
    pub(crate) fn layers(&self) -> Vec<String> {
        if self.kind == Kind::Host {
            let folder = self.state().join("ociman");
            return tags_below(&folder, &self.instance);
        }
        // Don't list all images: Podman fails if another process removes an image meanwhile.
        let ours = self.layer_name();
        let listed = self.engine(&["images", "--format", "{{.Repository}}:{{.Tag}}", &ours]);
        tags_of(&ours, &listed)
    }

    /// Returns the name of this instance's layers on its engine, without a tag.
    pub(crate) fn layer_name(&self) -> String {
        let domain = if self.kind == Kind::Podman { "localhost/" } else { "" };
        format!("{domain}pg-ephemeral/{}", self.instance)
    }

    /// Returns a command that runs this binary's helper test on this ground in another process.
    pub(crate) fn helper(&self, work: &str, seeds: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "layering::helper::a_process_of_its_own", "--ignored", "--nocapture", "--test-threads=1"])
            .env("LAYERS_HELPER_WORK", work)
            .env("LAYERS_HELPER_SEEDS", seeds)
            .env("LAYERS_HELPER_HOME", &self.home)
            .env("LAYERS_HELPER_INSTANCE", &self.instance)
            .env("LAYERS_HELPER_KIND", self.kind.as_str())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

impl Drop for TestProject {
    fn drop(&mut self) {
        if self.borrowed {
            return;
        }
        if self.kind != Kind::Host {
            let program = self.kind.as_str();
            let quiet = |arguments: Vec<String>| {
                let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
                output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
            };
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let ours = format!("--filter=label=pg-ephemeral.instance={}", self.instance);
            let containers = quiet(words(&format!("ps --all --quiet {ours}")));
            if !containers.trim().is_empty() {
                quiet(words(&format!("rm --force --volumes {containers}")));
            }
            let name = self.layer_name();
            let listed = quiet(words(&format!("images --format {{{{.Repository}}}}:{{{{.Tag}}}} {name}")));
            let named: Vec<_> = tags_of(&name, &listed).iter().map(|tag| format!("{name}:{tag}")).collect();
            if !named.is_empty() {
                quiet(words(&format!("rmi --force {}", named.join(" "))));
            }
            // Also remove images that have no name.
            let images = quiet(words(&format!("images --quiet --no-trunc {ours}")));
            if !images.trim().is_empty() {
                quiet(words(&format!("rmi --force {images}")));
            }
        }
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

/// Returns the tags of a name in a listing. Podman also lists other names of the same images.
fn tags_of(name: &str, listing: &str) -> Vec<String> {
    let tags = listing.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    tags.map(str::to_owned).collect()
}

fn tags_below(folder: &Path, instance: &str) -> Vec<String> {
    let mut tags = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name == instance {
            let layers = std::fs::read_dir(&path).unwrap().flatten();
            tags.extend(layers.map(|layer| layer.file_name().to_string_lossy().into_owned()));
        } else if entry.file_type().unwrap().is_dir() && name != "root" {
            tags.extend(tags_below(&path, instance));
        }
    }
    tags
}

/// Does the work of [`TestProject::helper`] in its process.
pub(crate) async fn help() {
    let variable = |name: &str| std::env::var(format!("LAYERS_HELPER_{name}")).ok();
    let Some(work) = variable("WORK") else { return };
    let kind = variable("KIND").unwrap().parse().unwrap();
    let ground = TestProject::borrowed(kind, variable("INSTANCE").unwrap(), variable("HOME").unwrap().into());
    let seeds = variable("SEEDS").unwrap();
    match work.as_str() {
        "populate" => ground.populate(&seeds).await,
        "start" => {
            let server = ground.start(&seeds).await;
            println!("commits={} initialises={}", ground.count(&Step::Commit), ground.count(&Step::Initialise));
            println!("value={}", value(&server, "select count(*) from t").await);
            server.stop().await.unwrap();
        }
        other => panic!("no such work: {other}"),
    }
}

/// Runs git in the project folder.
pub(crate) fn git(ground: &TestProject, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-C"]).arg(ground.project()).args(arguments);
    let output = command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Returns an error and all its causes, one per line.
pub(crate) fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!("\ncaused by: {error}"));
        cause = error.source();
    }
    text
}

/// Returns the only value of a query's result, as text.
pub(crate) async fn value(server: &Server, query: &str) -> String {
    let client = server.connect().await.unwrap();
    client.query_one(&format!("select ({query})::text"), &[]).await.unwrap().get(0)
}

/// Runs a program of PostgreSQL against a server and returns what it prints.
pub(crate) async fn tool(server: &Server, program: &str, arguments: &[&str]) -> String {
    let words = |program: String| std::iter::once(program).chain(arguments.iter().map(|word| (*word).to_owned()));
    let (status, stdout, stderr) = match server.programs() {
        Some(folder) => {
            let mut command = Command::new(folder.join(program));
            command.args(arguments).stdin(Stdio::null());
            for variable in server.pg_env() {
                command.env(&variable.name, variable.expose());
            }
            let output = command.output().unwrap();
            (output.status.success(), output.stdout, output.stderr)
        }
        None => {
            let output = server.exec(ExecSpec::new(words(program.to_owned())), b"").await.unwrap();
            (output.status.success(), output.stdout, output.stderr)
        }
    };
    let message = String::from_utf8_lossy(&stderr);
    assert!(status, "{program} {arguments:?}: {message}{}", String::from_utf8_lossy(&stdout));
    String::from_utf8(stdout).unwrap()
}

/// Returns the schema and data of the server's database as SQL, without version comments and random keys.
pub(crate) async fn dump(server: &Server) -> String {
    let text = tool(server, "pg_dump", &[]).await;
    let tells = |line: &&str| {
        !line.starts_with("-- Dumped") && !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict")
    };
    text.lines().filter(tells).fold(String::new(), |all, line| all + line + "\n")
}

/// Defines a test for each of these scenarios on one backend.
#[macro_export]
macro_rules! scenarios {
    ($kind:expr, $($module:ident :: $name:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                $crate::layers::$module::$name($crate::layers::TestProject::new($kind)).await;
            }
        )+
    };
}

/// Asserts that two dumps are the same, and shows the first line that differs.
pub(crate) fn assert_same(left: &str, right: &str) {
    if left == right {
        return;
    }
    let pairs = left.lines().zip(right.lines()).enumerate();
    let differing = pairs.into_iter().find(|(_, (left, right))| left != right);
    panic!("the dumps differ ({} and {} bytes): {differing:?}", left.len(), right.len());
}
