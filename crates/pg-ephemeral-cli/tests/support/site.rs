//! A place for sessions: a project on one backend, alike for docker, podman and the host, with names that nobody else
//! has. What is left of its sessions goes with the value.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use pg_ephemeral_testkit::{Project, ProjectCommand, Ran};
use serde_json::Value;

use super::engine::Engine;
use super::terminal::Terminal;
use super::{project, warm_project};

/// A project on a backend.
pub enum Site {
    /// Whatever the project has on the host is its own.
    Host(Project),
    /// An engine is everybody's.
    Engine(Engine),
}

impl Site {
    /// A project without seeds on the backend of this name. Its first start may find a base layer, as that of
    /// [`Site::cold`] does not.
    pub fn new(backend: &'static str) -> Self {
        Self::without_seeds(match backend {
            "host" => Self::Host(warm_project()),
            engine => Self::Engine(Engine::new(engine)),
        })
    }

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

    /// A session's name that nobody else uses.
    pub fn name(&self, part: &str) -> String {
        format!("{}-{part}", self.instance())
    }

    /// Writes the configuration: settings of the instance, and seeds by name and body.
    pub fn configure(&self, settings: &str, seeds: &[(&str, &str)]) {
        let instance = self.instance();
        let image = if self.backend() == "host" { "" } else { "image = \"15\"\n" };
        let mut text = format!("{image}[instances.{instance}]\n{settings}\n");
        for (name, body) in seeds {
            text.push_str(&format!("[instances.{instance}.seeds.{name}]\n{body}\n"));
        }
        self.project().write("database.toml", text);
    }

    /// A command on this backend and instance.
    pub fn command(&self, arguments: &[&str]) -> ProjectCommand<'_> {
        match self {
            Self::Host(project) => project.command(["--backend", "host"].iter().chain(arguments)),
            Self::Engine(engine) => engine.command(arguments),
        }
    }

    /// A command on this backend and instance, in a terminal.
    pub fn terminal(&self, arguments: &str) -> Terminal<'_> {
        match self {
            Self::Host(project) => {
                let line = format!("{} --backend host {arguments}", project.binary().display());
                Terminal::new(project, &line)
            }
            Self::Engine(engine) => engine.terminal(arguments),
        }
    }

    /// A command on a session.
    pub fn on(&self, name: &str, arguments: &[&str]) -> ProjectCommand<'_> {
        self.command(&[&["session", "--name", name], arguments].concat())
    }

    #[track_caller]
    pub fn start(&self, name: &str) -> Ran<'_> {
        self.start_with(name, &[])
    }

    /// Starts a session, which has to work.
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

    /// What a query gives in a session.
    #[track_caller]
    pub fn ask(&self, name: &str, query: &str) -> String {
        let ran = self.on(name, &["psql", "-Atc", query]).run();
        ran.status(0).stderr("");
        ran.stdout_text().trim_end().to_owned()
    }

    /// What a command prints with `--format json`.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.command(&[arguments, &["--format", "json"]].concat()).run();
        ran.status(0).stderr("");
        serde_json::from_slice(ran.stdout_bytes()).expect("standard output is JSON")
    }

    /// The listed sessions of this instance: on an engine there may be others.
    #[track_caller]
    pub fn sessions(&self) -> Vec<Value> {
        let Value::Array(all) = self.json(&["session", "list"]) else { panic!("a listing is an array") };
        all.into_iter().filter(|session| session["instance"] == self.instance()).collect()
    }

    /// Names of the sessions.
    #[track_caller]
    pub fn names(&self) -> Vec<String> {
        self.sessions().iter().map(|session| session["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Names of the containers of this instance, as the backend knows them.
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

    /// Kills a session's server behind everybody's back.
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

/// On an engine its own value does this.
impl Drop for Site {
    fn drop(&mut self) {
        let Self::Host(project) = self else { return };
        let mut stop = Command::new(project.binary());
        stop.args(["--backend", "host", "--no-config-file", "session", "stop", "--all"]);
        stop.env_clear().envs(project.environment()).current_dir(project.root());
        // The test has said by now what is wrong.
        let _ = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}
