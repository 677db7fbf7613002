//! Docker and Podman through their command lines: one implementation, with the differences in a [`Dialect`]. It builds
//! command lines and passes them to the executor; `parse` reads the output, and `dialect` classifies errors.

pub(crate) mod address;
mod arguments;
mod dialect;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub(crate) mod message;
mod parse;
mod scratch;

use std::sync::Arc;
use std::time::Duration;

use crate::command::{
    CommandLine, Executor, ExitStatus, Orphaning, Output, Process, ProcessError, ProcessGroup, QueryOutput, Stream,
};
use crate::engine::message::{shorten, without_warnings};
use crate::error::Failure;
use crate::label::{Filter, Key, Labels, Value};
use crate::spec::Removal;
use crate::{
    CommandError, CommitSpec, ContainerInfo, ContainerName, ContainerSummary, EngineInfo, ExecSpec, ImageInfo,
    ImageSummary, Kind, Reference, RunSpec, Terminal, Version,
};
use address::{Address, Selection};
use dialect::{Dialect, Subject};
use scratch::Scratch;
pub(crate) use scratch::sweep as sweep_scratch;

/// How long a query may take. An engine normally answers within milliseconds, and under heavy load within seconds.
const QUERY_LIMIT: Duration = Duration::from_secs(60);
/// How long the first query, which checks whether the engine answers, may take.
const VERSION_LIMIT: Duration = Duration::from_secs(10);
/// How often, and at what interval, a removal is repeated while another process removes the same container.
const REMOVAL_ATTEMPTS: u32 = 100;
const REMOVAL_PAUSE: Duration = Duration::from_millis(100);
/// How often, and at what interval, a commit is repeated if the container could not be paused.
const COMMIT_ATTEMPTS: u32 = 5;
const COMMIT_PAUSE: Duration = Duration::from_millis(200);
/// How often a listing is repeated if something that it shows is removed meanwhile.
const LISTING_ATTEMPTS: u32 = 20;
/// How much of an engine's message an error shows, in characters.
const MESSAGE_LENGTH: usize = 2000;

fn pair((key, value): (&Key, &Value)) -> (Key, Value) {
    (key.clone(), value.clone())
}

/// Returns `true` if `labels` contains this label. A label with an empty value counts as absent and is not looked for.
fn is_among((key, value): (&Key, &Value), labels: &Labels) -> bool {
    value.as_str().is_empty() || labels.get(key) == Some(value)
}

/// Returns the part of a filter that every engine takes literally, or `None` if there is none. Docker drops spaces at
/// the ends of a value; Podman reads the whole filter as a CSV record, and `*` as a pattern.
fn safe_filter(filter: &Filter) -> Option<String> {
    let is_safe =
        |text: &str| text.chars().all(|character| character.is_ascii_alphanumeric() || "._-/:+@".contains(character));
    if !is_safe(filter.key().as_str()) {
        return None;
    }
    let with_value = filter.value().is_some_and(|value| is_safe(value.as_str()));
    Some(if with_value { filter.to_string() } else { filter.key().to_string() })
}

/// Directs the temporary files of a command into a folder of their own.
fn in_scratch(mut line: CommandLine, scratch: Option<&Scratch>) -> CommandLine {
    let path = scratch.and_then(|scratch| scratch.path().to_str());
    line.environment.extend(path.map(|path| ("TMPDIR".to_owned(), path.to_owned())));
    line
}

#[derive(Debug)]
pub(crate) struct Engine {
    executor: Arc<dyn Executor>,
    dialect: &'static Dialect,
    program: &'static str,
    address: Address,
    /// Whether the environment or a [`Selection`] decides which engine the program uses.
    led: EngineChoice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EngineChoice {
    ByEnvironment,
    BySelection,
}

impl Engine {
    pub(crate) fn docker(executor: Arc<dyn Executor>) -> Self {
        Self::new(executor, &dialect::DOCKER, "docker")
    }

    pub(crate) fn podman(executor: Arc<dyn Executor>) -> Self {
        Self::new(executor, &dialect::PODMAN, "podman")
    }

    /// Creates an engine for Podman behind a program that is called `docker`.
    pub(crate) fn podman_as_docker(executor: Arc<dyn Executor>) -> Self {
        Self::new(executor, &dialect::PODMAN, "docker")
    }

    fn new(executor: Arc<dyn Executor>, dialect: &'static Dialect, program: &'static str) -> Self {
        let address = Address::of(dialect.kind, |name| executor.variable(name));
        Self { executor, dialect, program, address, led: EngineChoice::ByEnvironment }
    }

    /// Returns the same program with another engine selected.
    pub(crate) fn selected(&self, selection: &Selection) -> Self {
        let kind = self.kind();
        let set = address::to_set(kind, selection);
        let variable = |name: &str| match address::selecting(kind).contains(&name) {
            true => set.get(name).cloned(),
            false => self.executor.variable(name),
        };
        let address = Address::of(kind, variable);
        let Self { executor, dialect, program, .. } = self;
        Self { executor: executor.clone(), dialect, program, address, led: EngineChoice::BySelection }
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    pub(crate) fn kind(&self) -> Kind {
        self.dialect.kind
    }

    pub(crate) async fn version(&self) -> Result<Version, CommandError> {
        let line = self.line(&["version", "--format", "{{json .}}"]);
        let answer = self.executor.query(line, VERSION_LIMIT).await.map_err(|error| self.unreachable(error))?;
        match parse::version(&answer.stdout) {
            Some(version) if answer.success => Ok(version),
            _ => {
                let text = if answer.stderr.trim().is_empty() { &answer.stdout } else { &answer.stderr };
                Err(CommandError::Unreachable { backend: self.kind(), detail: shorten(text, MESSAGE_LENGTH) })
            }
        }
    }

    pub(crate) async fn info(&self) -> Result<EngineInfo, CommandError> {
        let answer = self.query("info", self.line(&["info", "--format", "{{json .}}"])).await?;
        if !answer.success {
            return Err(self.query_failure("info", &answer, Subject::default()));
        }
        let mut info = (self.dialect.parse_info)(&answer.stdout)
            .ok_or_else(|| self.unexpected("info", "an engine's set-up", &answer.stdout))?;
        if info.endpoint.is_none() && self.dialect.has_contexts {
            info.endpoint = self.context_endpoint().await;
        }
        Ok(info)
    }

    /// Returns the endpoint of Docker's current context. The client knows it, but the engine does not.
    async fn context_endpoint(&self) -> Option<String> {
        let line = self.line(&["context", "inspect", "--format", "{{json .Endpoints.docker.Host}}"]);
        let answer = self.query("context inspect", line).await.ok().filter(|answer| answer.success)?;
        serde_json::from_str(answer.stdout.trim()).ok()
    }

    /// Returns `true` if the version output has Podman's shape, whatever the program is called.
    pub(crate) fn speaks_podman(version: &Version) -> bool {
        version.server.is_none()
    }

    pub(crate) async fn run(&self, spec: &RunSpec) -> Result<(), CommandError> {
        let image = self.dialect.written(&spec.image);
        let line = arguments::run(self.line(&["run", "--detach"]), spec, &image);
        let output = self.capture("run", line, b"").await?;
        if output.status.success() {
            return Ok(());
        }
        let subject = Subject { container: spec.name.as_str(), image: &image };
        let error = self.failure("run", &output, subject);
        let nothing_was_made = matches!(
            error,
            CommandError::NameTaken { .. } | CommandError::ImageNotFound { .. } | CommandError::Unreachable { .. }
        );
        if !nothing_was_made {
            // The first error is the error to report.
            let _ = self.remove_unstarted(spec).await;
        }
        Err(error)
    }

    /// Removes a container that Docker keeps although it could not be started. Podman does not keep such a container,
    /// so another process may have taken the name meanwhile; a container with other labels is not removed.
    async fn remove_unstarted(&self, spec: &RunSpec) -> Result<(), CommandError> {
        let found = self.inspect(std::slice::from_ref(&spec.name)).await?.into_iter().flatten().next();
        match found {
            Some(info) if spec.labels.iter().all(|label| is_among(label, &info.labels)) => {
                self.remove_force_if(&spec.name, &info.id).await
            }
            _ => Ok(()),
        }
    }

    pub(crate) async fn run_attached(&self, spec: &RunSpec, terminal: Terminal) -> Result<Process, CommandError> {
        // Output that also goes through the engine's log takes several times as long.
        let mut line = self.line(&["run", "--rm", "--interactive", "--log-driver", "none"]);
        if terminal == Terminal::Yes {
            line = line.argument("--tty");
        }
        line = arguments::run(line, spec, &self.dialect.written(&spec.image));
        line = line.streams(Stream::Inherit, Stream::Inherit, Stream::Inherit);
        line.group = ProcessGroup::Caller;
        // The program forwards SIGTERM to the container's process.
        line.orphaning = Orphaning::Killed;
        self.executor.spawn(line).await.map_err(|source| self.command_failure("run", source))
    }

    pub(crate) async fn list(&self, filters: &[Filter], labels: &[Key]) -> Result<Vec<ContainerSummary>, CommandError> {
        let mut keys = labels.to_vec();
        keys.extend(filters.iter().map(|filter| filter.key().clone()).filter(|key| !labels.contains(key)));
        let mut line = self.line(&["ps", "--all", "--no-trunc", "--format"]);
        line = line.argument((self.dialect.list_format)(&keys));
        for filter in filters.iter().filter_map(safe_filter) {
            line = line.arguments(["--filter".to_owned(), format!("label={filter}")]);
        }
        let answer = self.listing("ps", line).await?;
        let mut found = (self.dialect.parse_list)(&answer.stdout, &keys)
            .ok_or_else(|| self.unexpected("ps", "containers", &answer.stdout))?;
        // The engine may have been asked for more than the filters match, and Podman reads an empty value as any value.
        found.retain(|container| filters.iter().all(|filter| filter.matches(&container.labels)));
        for container in &mut found {
            container.labels = container.labels.iter().filter(|(key, _)| labels.contains(key)).map(pair).collect();
        }
        Ok(found)
    }

    pub(crate) async fn inspect(&self, names: &[ContainerName]) -> Result<Vec<Option<ContainerInfo>>, CommandError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let line = self.line(&["container", "inspect"]).arguments(names.iter().map(ContainerName::as_str));
        let answer = self.query("container inspect", line).await?;
        let found = parse::containers(&answer.stdout)
            .ok_or_else(|| self.query_failure("container inspect", &answer, Subject::default()))?;
        if !answer.success && !self.only_missing(&answer, names.len() - found.len().min(names.len())) {
            return Err(self.query_failure("container inspect", &answer, Subject::default()));
        }
        Ok(names.iter().map(|name| found.iter().find(|info| info.name == *name).cloned()).collect())
    }

    pub(crate) async fn inspect_images(&self, images: &[Reference]) -> Result<Vec<Option<ImageInfo>>, CommandError> {
        if images.is_empty() {
            return Ok(Vec::new());
        }
        let written: Vec<String> = images.iter().map(|image| self.dialect.written(image)).collect();
        let line = self.line(&["image", "inspect"]).arguments(&written);
        let answer = self.query("image inspect", line).await?;
        let found = parse::images(&answer.stdout)
            .ok_or_else(|| self.query_failure("image inspect", &answer, Subject::default()))?;
        if answer.success && found.len() == images.len() {
            return Ok(found.into_iter().map(Some).collect());
        }
        if !self.only_missing(&answer, images.len() - found.len().min(images.len())) {
            return Err(self.query_failure("image inspect", &answer, Subject::default()));
        }
        Ok(written.iter().map(|image| found.iter().find(|info| self.dialect.names(info, image)).cloned()).collect())
    }

    pub(crate) async fn images(&self, prefix: &str) -> Result<Vec<ImageSummary>, CommandError> {
        let all = self.image_list(None).await?;
        Ok(all.into_iter().filter(|image| image.reference.name().starts_with(prefix)).collect())
    }

    pub(crate) async fn images_of(&self, repository: &Reference) -> Result<Vec<ImageSummary>, CommandError> {
        // Podman takes long to describe all of its images. Docker does not understand `docker.io/library/` in a
        // repository's name.
        let asked = repository.domain().filter(|_| self.dialect.lists_repositories).map(|_| repository.name());
        let all = self.image_list(asked).await?;
        Ok(all.into_iter().filter(|image| image.reference.name() == repository.name()).collect())
    }

    async fn image_list(&self, repository: Option<&str>) -> Result<Vec<ImageSummary>, CommandError> {
        let line = self.line(&["images", "--no-trunc", "--format", self.dialect.images_format]).arguments(repository);
        let answer = self.listing("images", line).await?;
        (self.dialect.parse_images)(&answer.stdout).ok_or_else(|| self.unexpected("images", "images", &answer.stdout))
    }

    pub(crate) async fn nameless_images(&self, label: &Key) -> Result<Vec<ImageInfo>, CommandError> {
        let line = self.line(&["images", "--no-trunc", "--quiet", "--filter", "dangling=true", "--filter"]);
        let answer = self.listing("images", line.argument(format!("label={label}"))).await?;
        let ids: Vec<&str> = answer.stdout.split_whitespace().collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        // Images that have been removed meanwhile are left out.
        let answer = self.query("image inspect", self.line(&["image", "inspect"]).arguments(ids)).await?;
        parse::images(&answer.stdout).ok_or_else(|| self.query_failure("image inspect", &answer, Subject::default()))
    }

    pub(crate) async fn remove_nameless_image(&self, id: &str) -> Result<(), CommandError> {
        let line = self.line(&["image", "rm"]).argument(id);
        self.succeed("image rm", line, Subject { container: "", image: id }).await.map(drop)
    }

    pub(crate) async fn tag(&self, image: &Reference, name: &Reference) -> Result<(), CommandError> {
        let image = self.dialect.written(image);
        let line = self.line(&["tag"]).arguments([image.clone(), self.dialect.written(name)]);
        let answer = self.query("tag", line).await?;
        if answer.success {
            return Ok(());
        }
        Err(self.query_failure("tag", &answer, Subject { container: "", image: &image }))
    }

    pub(crate) async fn remove_image(&self, image: &Reference) -> Result<(), CommandError> {
        let image = self.dialect.written(image);
        let line = self.line(&["image", "rm"]).argument(image.clone());
        self.succeed("image rm", line, Subject { container: "", image: &image }).await.map(drop)
    }

    pub(crate) async fn pull(&self, image: &Reference) -> Result<(), CommandError> {
        self.transfer("pull", image).await
    }

    pub(crate) async fn push(&self, image: &Reference) -> Result<(), CommandError> {
        self.transfer("push", image).await
    }

    /// Pulls or pushes an image. Plain HTTP is allowed for a registry on this machine, which need not use TLS.
    async fn transfer(&self, operation: &str, image: &Reference) -> Result<(), CommandError> {
        let written = self.dialect.written(image);
        let mut line = self.line(&[operation, "--quiet"]);
        if image.has_registry_on_loopback() {
            line = line.arguments(self.dialect.plain_http);
        }
        let subject = Subject { container: "", image: &written };
        let scratch = self.scratch();
        let line = in_scratch(line.argument(&written), scratch.as_ref());
        self.succeed(operation, line, subject).await.map(drop)
    }

    pub(crate) async fn start(&self, name: &ContainerName) -> Result<(), CommandError> {
        self.on_container("start", &["start"], name).await.map(drop)
    }

    pub(crate) async fn stop(&self, name: &ContainerName, limit: Duration) -> Result<(), CommandError> {
        let seconds = limit.as_secs() + u64::from(limit.subsec_nanos() > 0);
        // The long form is `--time` or `--timeout`, depending on the version.
        self.on_container("stop", &["stop", "-t", &seconds.to_string()], name).await.map(drop)
    }

    pub(crate) async fn wait(&self, name: &ContainerName) -> Result<ExitStatus, CommandError> {
        let output = self.on_container("wait", &["wait"], name).await?;
        let text = String::from_utf8_lossy(&output.stdout);
        let code = text.trim().parse().map_err(|_| self.unexpected("wait", "an exit status", &text))?;
        Ok(ExitStatus::Exited(code))
    }

    pub(crate) async fn remove(&self, name: &ContainerName, how: Removal) -> Result<(), CommandError> {
        let arguments = match how {
            Removal::Stopped => &["rm", "--volumes"][..],
            Removal::Forced => self.dialect.remove_force,
        };
        let mut removed = self.on_container("rm", arguments, name).await;
        for _ in 0..REMOVAL_ATTEMPTS {
            match &removed {
                Err(CommandError::Failed { stderr, .. }) if self.dialect.is_being_removed(stderr) => {
                    tokio::time::sleep(REMOVAL_PAUSE).await;
                    removed = self.on_container("rm", arguments, name).await;
                }
                _ => break,
            }
        }
        match (removed, how) {
            (Err(CommandError::ContainerNotFound { .. }), Removal::Forced) | (Ok(_), Removal::Forced) => Ok(()),
            (Ok(output), Removal::Stopped) => self.refuse_silent_miss(&output, name),
            (Err(error), _) => Err(error),
        }
    }

    /// Removes the container with this ID, whatever its name is.
    pub(crate) async fn remove_force_if(&self, name: &ContainerName, id: &str) -> Result<(), CommandError> {
        match id.parse() {
            Ok(id) => self.remove(&id, Removal::Forced).await,
            // No engine has such an ID, so there is no such container.
            Err(_) => Err(self.unexpected("ps", "an identifier", &format!("{id} of {name}"))),
        }
    }

    pub(crate) async fn rename(&self, name: &ContainerName, to: &ContainerName) -> Result<(), CommandError> {
        let line = self.line(&["rename"]).arguments([name.as_str(), to.as_str()]);
        let output = self.capture("rename", line, b"").await?;
        if output.status.success() {
            return Ok(());
        }
        match self.failure("rename", &output, Subject { container: name.as_str(), image: "" }) {
            CommandError::NameTaken { .. } => Err(CommandError::NameTaken { name: to.to_string() }),
            error => Err(error),
        }
    }

    /// Returns an error if the engine succeeded but printed that there was no container to remove.
    fn refuse_silent_miss(&self, output: &Output, name: &ContainerName) -> Result<(), CommandError> {
        let subject = Subject { container: name.as_str(), image: "" };
        match self.dialect.classify(self.program, &String::from_utf8_lossy(&output.stderr), subject) {
            Some(error @ CommandError::ContainerNotFound { .. }) => Err(error),
            _ => Ok(()),
        }
    }

    pub(crate) async fn exec(
        &self,
        name: &ContainerName,
        spec: &ExecSpec,
        input: &[u8],
    ) -> Result<Output, CommandError> {
        let stdin = if input.is_empty() { Stream::Null } else { Stream::Piped };
        let line = arguments::exec(self.line(&["exec"]), name, spec, stdin, Terminal::No);
        let output = self.capture("exec", line, input).await?;
        match self.exec_refusal(&output, name) {
            Some(error) => Err(error),
            None => Ok(output),
        }
    }

    pub(crate) async fn exec_streamed(&self, name: &ContainerName, spec: &ExecSpec) -> Result<Process, CommandError> {
        let line = arguments::exec(self.line(&["exec"]), name, spec, Stream::Piped, Terminal::No);
        let line = line.streams(Stream::Piped, Stream::Piped, Stream::Piped);
        self.executor.spawn(line).await.map_err(|source| self.command_failure("exec", source))
    }

    pub(crate) async fn attach(&self, name: &ContainerName, spec: &ExecSpec) -> Result<Process, CommandError> {
        let mut line = arguments::exec(self.line(&["exec"]), name, spec, Stream::Inherit, spec.terminal);
        line = line.streams(Stream::Inherit, Stream::Inherit, Stream::Inherit);
        line.group = ProcessGroup::Caller;
        line.orphaning = Orphaning::Terminated;
        self.executor.spawn(line).await.map_err(|source| self.command_failure("exec", source))
    }

    pub(crate) async fn last_log_lines(&self, name: &ContainerName, count: usize) -> Result<String, CommandError> {
        let output = self.on_container("logs", &["logs", "--tail", &count.to_string()], name).await?;
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        Ok(text)
    }

    pub(crate) async fn commit(&self, name: &ContainerName, spec: &CommitSpec) -> Result<(), CommandError> {
        let image = self.dialect.written(&spec.image);
        let changes =
            arguments::label_changes(&spec.labels, self.dialect.label_value).ok_or(CommandError::Unsupported {
                backend: self.kind(),
                operation: "commit a label whose value has a line break",
            })?;
        let scratch = self.scratch();
        let line =
            in_scratch(arguments::commit(self.line(self.dialect.commit), name, changes, &image), scratch.as_ref());
        let subject = Subject { container: name.as_str(), image: "" };
        let mut committed = self.succeed("commit", line.clone(), subject).await;
        for _ in 0..COMMIT_ATTEMPTS {
            match &committed {
                Err(CommandError::Failed { stderr, .. }) if self.dialect.could_not_pause(stderr) => {
                    tokio::time::sleep(COMMIT_PAUSE).await;
                    committed = self.succeed("commit", line.clone(), subject).await;
                }
                _ => break,
            }
        }
        committed.map(drop)
    }

    /// Creates a folder for the temporary files of a command, if the engine's program itself creates such files.
    fn scratch(&self) -> Option<Scratch> {
        if self.kind() == Kind::Podman { Scratch::new() } else { None }
    }

    fn line(&self, arguments: &[&str]) -> CommandLine {
        let mut line = CommandLine::new(self.program).arguments(arguments);
        if self.led == EngineChoice::BySelection {
            let kind = self.kind();
            line.removed_environment = address::selecting(kind).iter().map(|name| (*name).to_owned()).collect();
            line.environment = address::to_set(kind, &self.address.selection).into_iter().collect();
        }
        line
    }

    async fn on_container(
        &self,
        operation: &str,
        arguments: &[&str],
        name: &ContainerName,
    ) -> Result<Output, CommandError> {
        let line = self.line(arguments).argument(name.as_str());
        self.succeed(operation, line, Subject { container: name.as_str(), image: "" }).await
    }

    async fn succeed(&self, operation: &str, line: CommandLine, subject: Subject<'_>) -> Result<Output, CommandError> {
        let output = self.capture(operation, line, b"").await?;
        if output.status.success() { Ok(output) } else { Err(self.failure(operation, &output, subject)) }
    }

    async fn capture(&self, operation: &str, line: CommandLine, input: &[u8]) -> Result<Output, CommandError> {
        self.executor.capture(line, input).await.map_err(|source| self.command_failure(operation, source))
    }

    async fn query(&self, operation: &str, line: CommandLine) -> Result<QueryOutput, CommandError> {
        self.executor.query(line, QUERY_LIMIT).await.map_err(|source| self.command_failure(operation, source))
    }

    /// Runs a listing. It fails if something that it is about to show is removed meanwhile; then it is repeated.
    async fn listing(&self, operation: &str, line: CommandLine) -> Result<QueryOutput, CommandError> {
        let mut answer = self.query(operation, line.clone()).await?;
        for _ in 0..LISTING_ATTEMPTS {
            let message = &answer.stderr;
            match self.dialect.classify(self.program, message, Subject::default()) {
                Some(CommandError::ContainerNotFound { .. } | CommandError::ImageNotFound { .. })
                    if !answer.success =>
                {
                    answer = self.query(operation, line.clone()).await?;
                }
                _ => break,
            }
        }
        if answer.success { Ok(answer) } else { Err(self.query_failure(operation, &answer, Subject::default())) }
    }

    /// Returns an error if the engine refused to run a command. `exec` passes on the status of the command that it ran,
    /// so only the engine's own message shows that it ran nothing.
    fn exec_refusal(&self, output: &Output, name: &ContainerName) -> Option<CommandError> {
        if !self.dialect.exec_refused.contains(&output.status.code()) {
            return None;
        }
        let message = String::from_utf8_lossy(&output.stderr);
        if !self.dialect.is_own_message(&message) {
            return None;
        }
        self.dialect.classify(self.program, &message, Subject { container: name.as_str(), image: "" })
    }

    /// Returns `true` if a failed query failed only because `missing` of its subjects don't exist.
    fn only_missing(&self, answer: &QueryOutput, missing: usize) -> bool {
        missing > 0
            && matches!(
                self.dialect.classify(self.program, &answer.stderr, Subject::default()),
                Some(CommandError::ContainerNotFound { .. } | CommandError::ImageNotFound { .. })
            )
    }

    fn failure(&self, operation: &str, output: &Output, subject: Subject<'_>) -> CommandError {
        let message = String::from_utf8_lossy(&output.stderr);
        self.classify_failure(operation, &message, Failure::Status(output.status), subject)
    }

    fn query_failure(&self, operation: &str, answer: &QueryOutput, subject: Subject<'_>) -> CommandError {
        if answer.success {
            return self.unexpected(operation, "JSON", &answer.stdout);
        }
        self.classify_failure(operation, &answer.stderr, Failure::Unknown, subject)
    }

    fn classify_failure(&self, operation: &str, message: &str, status: Failure, subject: Subject<'_>) -> CommandError {
        self.dialect.classify(self.program, message, subject).unwrap_or_else(|| CommandError::Failed {
            command: self.command(operation),
            status,
            stderr: shorten(&without_warnings(message), MESSAGE_LENGTH),
        })
    }

    fn unexpected(&self, operation: &str, expected: &'static str, got: &str) -> CommandError {
        CommandError::UnexpectedOutput { command: self.command(operation), expected, got: shorten(got, 200) }
    }

    fn command_failure(&self, operation: &str, source: ProcessError) -> CommandError {
        match source {
            ProcessError::ProgramNotFound { .. } | ProcessError::TimedOut { .. } => self.unreachable(source),
            source => CommandError::Command { command: self.command(operation), source },
        }
    }

    fn unreachable(&self, error: ProcessError) -> CommandError {
        CommandError::Unreachable { backend: self.kind(), detail: error.to_string() }
    }

    fn command(&self, operation: &str) -> String {
        format!("{} {operation}", self.program)
    }
}
