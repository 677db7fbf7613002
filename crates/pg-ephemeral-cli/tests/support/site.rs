//! A project on one backend for tests of sessions, with the same interface for Docker, Podman and the host. Its session
//! names are unique, and dropping the value removes what is left of its sessions.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use pg_ephemeral_testkit::{Project, ProjectCommand, Ran};
use serde_json::Value;

use super::engine::Engine;
use super::terminal::Terminal;
use super::{project, warm_project};

/// A project on a backend.
pub enum Site {
    /// The host backend, which the project shares with no other test.
    Host(Project),
    /// An engine, which is shared with other tests.
    Engine(Engine),
}

impl Site {
    /// Creates a project without seeds on a backend, which may have a base layer already.
    pub fn new(backend: &'static str) -> Self {
        Self::without_seeds(match backend {
            "host" => Self::Host(warm_project()),
            engine => Self::Engine(Engine::new(engine)),
        })
    }

    /// Creates a project without seeds and without a base layer.
    pub fn cold(backend: &'static str) -> Self {
        Self::without_seeds(match backend {
            "host" => Self::Host(project()),
            engine => Self::Engine(Engine::cold(engine)),
        })
    }

    fn without_seeds(self) -> Self {
        self.configure("", &[]);
        self
    }

    pub fn project(&self) -> &Project {
        match self {
            Self::Host(project) => project,
            Self::Engine(engine) => &engine.project,
        }
    }

    pub fn backend(&self) -> &'static str {
        match self {
            Self::Host(_) => "host",
            Self::Engine(engine) => engine.program(),
        }
    }

    pub fn instance(&self) -> &str {
        match self {
            Self::Host(_) => "main",
            Self::Engine(engine) => engine.instance(),
        }
    }

    /// Returns a unique session name that ends in `part`.
    pub fn name(&self, part: &str) -> String {
        format!("{}-{part}", self.instance())
    }

    /// Writes a configuration with settings of the instance and with seeds, given by name and body.
    pub fn configure(&self, settings: &str, seeds: &[(&str, &str)]) {
        let instance = self.instance();
        let image = if self.backend() == "host" { "" } else { "image = \"15\"\n" };
        let mut text = format!("{image}[instances.{instance}]\n{settings}\n");
        for (name, body) in seeds {
            text.push_str(&format!("[instances.{instance}.seeds.{name}]\n{body}\n"));
        }
        self.project().write("database.toml", text);
    }

    /// Returns a command for this backend and instance.
    pub fn command(&self, arguments: &[&str]) -> ProjectCommand<'_> {
        match self {
            Self::Host(project) => project.command(["--backend", "host"].iter().chain(arguments)),
            Self::Engine(engine) => engine.command(arguments),
        }
    }

    /// Runs a command for this backend and instance in a terminal.
    pub fn terminal(&self, arguments: &str) -> Terminal<'_> {
        match self {
            Self::Host(project) => {
                let line = format!("{} --backend host {arguments}", project.binary().display());
                Terminal::new(project, &line)
            }
            Self::Engine(engine) => engine.terminal(arguments),
        }
    }

    /// Returns a `session` command for the session `name`.
    pub fn on(&self, name: &str, arguments: &[&str]) -> ProjectCommand<'_> {
        self.command(&[&["session", "--name", name], arguments].concat())
    }

    #[track_caller]
    pub fn start(&self, name: &str) -> Ran<'_> {
        self.start_with(name, &[])
    }

    /// Starts a session and checks that it succeeds.
    #[track_caller]
    pub fn start_with(&self, name: &str, options: &[&str]) -> Ran<'_> {
        let ran = self.on(name, &[&["start", "-q"], options].concat()).run();
        ran.status(0).stderr("");
        ran
    }

    #[track_caller]
    pub fn stop(&self, name: &str) {
        let stopped = format!("session {name} is stopped\n");
        self.on(name, &["stop"]).run().status(0).stdout("").stderr(&stopped);
    }

    /// Runs a query in a session and returns its result.
    #[track_caller]
    pub fn ask(&self, name: &str, query: &str) -> String {
        let ran = self.on(name, &["psql", "-Atc", query]).run();
        ran.status(0).stderr("");
        ran.stdout_text().trim_end().to_owned()
    }

    /// Returns what a command prints with `--format json`.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.command(&[arguments, &["--format", "json"]].concat()).run();
        ran.status(0).stderr("");
        serde_json::from_slice(ran.stdout_bytes()).expect("standard output is JSON")
    }

    /// Returns the listed sessions of this instance. On an engine there may be others.
    #[track_caller]
    pub fn sessions(&self) -> Vec<Value> {
        let Value::Array(all) = self.json(&["session", "list"]) else { panic!("a listing is an array") };
        all.into_iter().filter(|session| session["instance"] == self.instance()).collect()
    }

    /// Returns the names of the sessions of this instance.
    #[track_caller]
    pub fn names(&self) -> Vec<String> {
        self.sessions().iter().map(|session| session["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Returns the names of the containers of this instance, as the backend lists them.
    pub fn containers(&self) -> BTreeSet<String> {
        match self {
            Self::Host(project) => {
                let listed = project.command(["--backend", "host", "list", "--format", "json"]).run();
                let listed: Vec<Value> = serde_json::from_slice(listed.stdout_bytes()).unwrap_or_default();
                listed.iter().filter_map(|server| Some(server["name"].as_str()?.to_owned())).collect()
            }
            Self::Engine(engine) => engine.containers().into_iter().collect(),
        }
    }

    /// Kills a session's server without pg-ephemeral.
    #[track_caller]
    pub fn kill_server(&self, name: &str) {
        match self {
            Self::Host(_) => {
                let file = self.ask(name, "select pg_read_file('postmaster.pid')");
                let pid = file.lines().next().expect("the file begins with the process").to_owned();
                let killed = Command::new("kill").args(["-KILL", &pid]).status().expect("there is a program kill");
                assert!(killed.success(), "kill {pid}");
            }
            Self::Engine(engine) => {
                let output = engine.engine(&["kill", &format!("pg-ephemeral-session-{name}")]);
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            }
        }
    }

    #[track_caller]
    pub fn assert_nothing_left(&self) {
        match self {
            Self::Host(project) => project.assert_nothing_left(),
            Self::Engine(engine) => engine.assert_nothing_left(),
        }
    }
}

/// Stops the sessions on the host. On an engine, dropping [`Engine`] removes them.
impl Drop for Site {
    fn drop(&mut self) {
        let Self::Host(project) = self else { return };
        let mut stop = Command::new(project.binary());
        stop.args(["--backend", "host", "--no-config-file", "session", "stop", "--all"]);
        stop.env_clear().envs(project.environment()).current_dir(project.root());
        // A failure is ignored, because the test has reported its own result by now.
        let _ = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}
