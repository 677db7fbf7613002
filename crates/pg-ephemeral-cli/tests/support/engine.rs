//! One engine and a project with an instance of its own on it, so that nothing of it is anybody
//! else's. What is left of the instance goes with the value.

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
    /// What leads the engine's program to another one than this machine's.
    variables: Vec<(&'static str, String)>,
    /// Whose it is, and a copy of the binary for that user.
    user: Option<(PathBuf, PathBuf)>,
    pub project: Project,
}

impl Engine {
    /// Its first start may find a base layer, as that of [`Engine::cold`] does not.
    pub fn new(program: &'static str) -> Self {
        let engine = Self::cold(program);
        put_base_layer_on_engine(program.parse().unwrap(), &engine.instance, &engine.project.state());
        engine
    }

    pub fn cold(program: &'static str) -> Self {
        Self::at(program, Vec::new())
    }

    /// The one that variables lead to.
    pub fn at(program: &'static str, variables: Vec<(&'static str, String)>) -> Self {
        let project = project().with_the_users_engines();
        let project = variables.iter().fold(project, |project, (name, value)| project.variable(name, value));
        let unique = project.root().file_name().unwrap().to_string_lossy().to_lowercase();
        // Upper and lower case may make two folders one name; the process makes it two again.
        let instance = format!("test-{}-{}", unique.trim_start_matches("pge-"), std::process::id());
        project.write("database.toml", format!("image = \"15\"\n[instances.{instance}]\n"));
        Self { program, instance, variables, user: None, project }
    }

    /// Another user's Podman, and commands of that user.
    pub fn of(rootless: &Rootless) -> Self {
        let own = rootless.variables().map(|(name, path)| (name, path.to_string_lossy().into_owned()));
        let mut engine = Self::at("podman", own.into());
        rootless.give(engine.project.root());
        engine.user = Some((rootless.become_path(), rootless.copy_of(engine.project.binary())));
        engine
    }

    /// The engine's program.
    pub fn program(&self) -> &'static str {
        self.program
    }

    /// The instance, whose name nobody else has.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Removes what killed commands left; what another test's left may be found here as well, and ours there.
    #[track_caller]
    pub fn gc(&self) {
        let ran = self.command(&["gc"]).run();
        ran.status(0).stderr("");
        let told = ran.stdout_text();
        assert!(told.lines().all(|line| line.starts_with("removed pg-ephemeral-")), "{told}");
    }

    /// A command with the engine and the instance chosen.
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

    /// The same in a terminal.
    pub fn terminal(&self, arguments: &str) -> Terminal<'_> {
        let binary = self.project.binary().display();
        let line = format!("{binary} --backend {} --instance {} {arguments}", self.program, self.instance);
        Terminal::new(&self.project, &line)
    }

    /// Makes the base layer.
    #[track_caller]
    pub fn warm_up(&self) {
        self.command(&["-q", "run-env", "true"]).run().status(0).stdout("").stderr("");
    }

    /// Names of the instance's containers, running or not.
    pub fn containers(&self) -> Vec<String> {
        let filter = format!("label=pg-ephemeral.instance={}", self.instance);
        self.lines_of(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"])
    }

    /// Names of the instance's layers.
    pub fn layers(&self) -> Vec<String> {
        let all = self.lines_of(&["images", "--format", "{{.Repository}}:{{.Tag}}"]);
        let name = format!("pg-ephemeral/{}:", self.instance);
        all.into_iter().filter(|image| image.contains(&name)).collect()
    }

    /// The lines of a listing, which fails now and then while others remove what it is about to show.
    fn lines_of(&self, arguments: &[&str]) -> Vec<String> {
        for _ in 0..20 {
            let output = self.engine(arguments);
            if output.status.success() {
                return String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
            }
        }
        Vec::from(["the engine lists nothing".to_owned()])
    }

    /// Runs the engine's own program.
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

    /// No container, process, record, socket or temporary file.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        wait_until("every container has gone", AMPLE, || self.containers().is_empty());
        self.project.assert_nothing_left();
    }

    /// A folder for `PATH` whose program notes its arguments in a file and then is the engine's.
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

/// How many of the commands that were noted belong to a start. What runs the caller's own command is the command, and
/// the death of a server is only watched for when its start is slow, as on a busy machine.
pub fn commands_of_a_start(noted: &str) -> usize {
    noted.lines().filter(|line| !line.starts_with("exec ") && !line.starts_with("wait ")).count()
}
