//! An engine, and a project on it with an instance of its own, so that tests do not share containers or layers.
//! Dropping the value removes what is left of the instance.

use std::path::PathBuf;
use std::process::{Command, Output};

use pg_ephemeral_testkit::base_layer::put_base_layer_on_engine;
use pg_ephemeral_testkit::{Project, ProjectCommand, wait_until};

use super::rootless::Rootless;
use super::terminal::Terminal;
use super::{AMPLE, make_executable, project};

/// A project on an engine.
pub struct Engine {
    program: &'static str,
    instance: String,
    /// Variables that make the engine's client program use another engine than this machine's.
    variables: Vec<(&'static str, String)>,
    /// The program that runs commands as another user, and that user's copy of the binary.
    user: Option<(PathBuf, PathBuf)>,
    pub project: Project,
}

impl Engine {
    /// Creates a project that may have a base layer already.
    pub fn new(program: &'static str) -> Self {
        let engine = Self::cold(program);
        put_base_layer_on_engine(program.parse().unwrap(), &engine.instance, &engine.project.state());
        engine
    }

    /// Creates a project without a base layer.
    pub fn cold(program: &'static str) -> Self {
        Self::at(program, Vec::new())
    }

    /// Creates a project without a base layer on the engine that `variables` select.
    pub fn at(program: &'static str, variables: Vec<(&'static str, String)>) -> Self {
        let project = project().with_the_users_engines();
        let project = variables.iter().fold(project, |project, (name, value)| project.variable(name, value));
        let unique = project.root().file_name().unwrap().to_string_lossy().to_lowercase();
        // Two folder names may differ in case only. The process ID keeps the instance names apart.
        let instance = format!("test-{}-{}", unique.trim_start_matches("pge-"), std::process::id());
        project.write("database.toml", format!("image = \"15\"\n[instances.{instance}]\n"));
        Self { program, instance, variables, user: None, project }
    }

    /// Creates a project on another user's Podman. Its commands run as that user.
    pub fn of(rootless: &Rootless) -> Self {
        let own = rootless.variables().map(|(name, path)| (name, path.to_string_lossy().into_owned()));
        let mut engine = Self::at("podman", own.into());
        rootless.give(engine.project.root());
        engine.user = Some((rootless.become_path(), rootless.copy_of(engine.project.binary())));
        engine
    }

    /// Returns the name of the engine's client program.
    pub fn program(&self) -> &'static str {
        self.program
    }

    /// Returns the name of the instance, which is unique.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Removes leftovers of killed commands, possibly also those of other tests on the same engine.
    #[track_caller]
    pub fn gc(&self) {
        let ran = self.command(&["gc"]).run();
        ran.status(0).stderr("");
        let told = ran.stdout_text();
        assert!(told.lines().all(|line| line.starts_with("removed pg-ephemeral-")), "{told}");
    }

    /// Returns a command for this engine and instance.
    pub fn command(&self, arguments: &[&str]) -> ProjectCommand<'_> {
        let chosen = ["--backend", self.program, "--instance", &self.instance];
        let words = chosen.iter().chain(arguments);
        match &self.user {
            None => self.project.command(words),
            Some((user, binary)) => {
                let binary = binary.to_str().expect("a folder of tests is text");
                self.project.command([&binary].into_iter().chain(words)).program(user)
            }
        }
    }

    /// Runs a command for this engine and instance in a terminal.
    pub fn terminal(&self, arguments: &str) -> Terminal<'_> {
        let binary = self.project.binary().display();
        let line = format!("{binary} --backend {} --instance {} {arguments}", self.program, self.instance);
        Terminal::new(&self.project, &line)
    }

    /// Builds the base layer if it is missing.
    #[track_caller]
    pub fn warm_up(&self) {
        self.command(&["-q", "run-env", "true"]).run().status(0).stdout("").stderr("");
    }

    /// Returns the names of the instance's containers, running or not.
    pub fn containers(&self) -> Vec<String> {
        let filter = format!("label=pg-ephemeral.instance={}", self.instance);
        self.lines_of(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"])
    }

    /// Returns the names of the instance's layers.
    pub fn layers(&self) -> Vec<String> {
        let all = self.lines_of(&["images", "--format", "{{.Repository}}:{{.Tag}}"]);
        let name = format!("pg-ephemeral/{}:", self.instance);
        all.into_iter().filter(|image| image.contains(&name)).collect()
    }

    /// Returns the lines of a listing. Retries, because a listing may fail while another test removes an entry.
    fn lines_of(&self, arguments: &[&str]) -> Vec<String> {
        for _ in 0..20 {
            let output = self.engine(arguments);
            if output.status.success() {
                return String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
            }
        }
        Vec::from(["the engine lists nothing".to_owned()])
    }

    /// Runs the engine's client program.
    pub fn engine(&self, arguments: &[&str]) -> Output {
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        let mut command = match &self.user {
            None => Command::new(self.program),
            Some((user, _)) => Command::new(user),
        };
        if self.user.is_some() {
            command.arg(self.program).current_dir("/");
        }
        command.args(arguments).envs(variables).output().expect("the engine is installed")
    }

    /// Checks that no container, process, record, socket or temporary file is left.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        wait_until("every container has gone", AMPLE, || self.containers().is_empty());
        self.project.assert_nothing_left();
    }

    /// Returns a `PATH` with a script that records the first two arguments of each engine command and then runs the
    /// engine's client program, and the file with these records.
    pub fn noting(&self) -> (String, std::path::PathBuf) {
        let path = std::env::var("PATH").unwrap();
        let real =
            std::env::split_paths(&path).map(|folder| folder.join(self.program)).find(|file| file.is_file()).unwrap();
        let notes = self.project.folder().join("notes");
        let script = format!("#!/bin/sh\necho \"$1 $2\" >>{}\nexec {} \"$@\"\n", notes.display(), real.display());
        self.project.write(format!("bin/{}", self.program), script);
        let folder = self.project.folder().join("bin");
        make_executable(&folder.join(self.program));
        (format!("{}:{path}", folder.display()), notes)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let containers = self.containers();
        for container in &containers {
            self.engine(&["rm", "--force", "--volumes", container]);
        }
        for layer in self.layers() {
            self.engine(&["rmi", "--force", &layer]);
        }
    }
}

/// Returns how many of the recorded engine commands belong to a start. `exec` is not counted, because it runs the
/// caller's command. `wait` is not counted, because it is used only if the start is slow, as on a busy machine.
pub fn commands_of_a_start(noted: &str) -> usize {
    noted.lines().filter(|line| !line.starts_with("exec ") && !line.starts_with("wait ")).count()
}
