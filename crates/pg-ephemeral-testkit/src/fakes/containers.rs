//! Operations of a fake engine on existing containers.

use std::io;
use std::time::Duration;

use ociman::host::parse_signal;
use serde_json::Value;
use tokio::time::Instant;

use super::answer::{Answer, Exec};
use super::files::in_container;
use super::flags::Arguments;
use super::image::Program;
use super::machine::{Call, Machine, Result};
use super::not_started::NotStarted;
use super::operation::Operation;
use super::program_line::{ResolvedProgram, environment, process_line, resolve_program, user, variables};
use super::reply::Reply;
use super::speech::Speech;
use super::state::{Container, Life, State};
use super::{postgres, shapes};

const PAUSE: Duration = Duration::from_millis(2);
/// The default time limit of a stop, in seconds.
const STOP_LIMIT: u64 = 10;
/// The exit status of a process that was killed by SIGKILL.
const KILLED: i32 = 137;

impl Machine {
    /// Runs a step for each name and merges the replies. A failed step does not stop the later ones.
    pub(super) fn each(
        &self,
        names: &[String],
        mut step: impl FnMut(&mut State, &str) -> Result<Reply>,
    ) -> Result<Reply> {
        let mut all = Reply::default();
        for name in names {
            let reply = self.store.update(|state| step(state, name))??;
            merge(&mut all, reply);
        }
        Ok(all)
    }

    fn container(&self, name: &str) -> Result<Option<Container>> {
        self.store.update(|state| state.container(name).cloned())
    }

    pub(super) fn list(&self, arguments: &Arguments) -> Result<Reply> {
        let mut filters = Vec::new();
        for filter in arguments.values("filter") {
            match Filter::parse(self.speech, filter) {
                Ok(filter) => filters.push(filter),
                Err(()) => return Ok(self.speech.bad_filter(filter)),
            }
        }
        let mut containers = self.store.update(|state| state.containers.clone())?;
        // Engines list the newest container first.
        containers.reverse();
        containers.retain(|container| {
            (arguments.has("all") || self.is_running(container))
                && filters.iter().all(|filter| filter.matches(container))
        });
        let format = arguments.value("format").unwrap_or("table");
        if self.speech == Speech::Podman && format == "json" {
            let all: Vec<Value> =
                containers.iter().map(|container| shapes::podman_listed(container, &self.now(container))).collect();
            return Ok(Reply::success(format!("{:#}\n", Value::Array(all))));
        }
        let is_whole = arguments.has("no-trunc");
        let fields = |container: &Container| shapes::docker_listed(container, &self.now(container), is_whole);
        let all: Vec<Value> = containers.iter().map(fields).collect();
        let format = if format == "table" { "{{.ID}}  {{.Image}}  {{.Status}}  {{.Names}}" } else { format };
        Ok(self.formatted(format, &all, &|position, key| {
            containers.get(position).and_then(|container| container.config.labels.get(key)).cloned().unwrap_or_default()
        }))
    }

    pub(super) fn inspect(&self, arguments: &Arguments) -> Result<Reply> {
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for name in &arguments.positional {
            match self.container(name)? {
                Some(container) => found.push(shapes::container(self.speech, &container, &self.now(&container))),
                None => missing.push(match self.speech {
                    Speech::Docker => format!("No such container: {name}"),
                    Speech::Podman => format!("no such container {name}"),
                }),
            }
        }
        Ok(self.inspected(arguments, &found, missing))
    }

    /// Returns a reply with the found values on standard output and the missing names on standard error.
    pub(super) fn inspected(&self, arguments: &Arguments, found: &[Value], mut missing: Vec<String>) -> Reply {
        let mut reply = match arguments.value("format") {
            Some(format) => self.formatted(format, found, &|_, _| String::new()),
            None => Reply::success(format!("{:#}\n", Value::Array(found.to_vec()))),
        };
        if missing.is_empty() {
            return reply;
        }
        match self.speech {
            Speech::Docker => {
                reply.status = 1;
                reply.stderr = missing
                    .iter()
                    .map(|text| format!("Error response from daemon: {text}\n"))
                    .collect::<String>()
                    .into();
            }
            Speech::Podman => {
                // Podman ends with the error of the first missing name, and prints the errors of the others before it.
                reply.status = 125;
                let first = missing.remove(0);
                let others: String = missing.iter().map(|text| format!("error inspecting object: {text}\n")).collect();
                reply.stderr = format!("{others}Error: inspecting object: {first}\n").into();
            }
        }
        reply
    }

    pub(super) fn exec(&self, arguments: &Arguments, call: &Call) -> Result<Answer> {
        let Some((name, argv)) = arguments.positional.split_first() else { return Ok(Answer::Hang) };
        let Some(mut container) = self.container(name)? else {
            return Ok(Answer::Reply(self.speech.no_container(Operation::Exec, name)));
        };
        if !self.is_running(&container) {
            return Ok(Answer::Reply(self.speech.exec_in_stopped(&container.id)));
        }
        if argv.is_empty() {
            return Ok(Answer::Reply(self.speech.exec_of_nothing()));
        }
        let config = &mut container.config;
        for (name, value) in variables(arguments, call) {
            config.set(&name, &value);
        }
        let refused = |why| Ok(Answer::Reply(self.speech.exec_not_started(why)));
        let user_text = arguments.value("user").unwrap_or(&config.user).to_owned();
        let Ok(user) = user(&user_text, config) else { return refused(NotStarted::NoUser(&user_text)) };
        let processes = self.processes(&container.id);
        let root = processes.root();
        let argv = &postgres::localize(config, &root, &container.mounts, argv);
        let folder_text = arguments.value("workdir").unwrap_or(&config.folder).to_owned();
        let folder = root.join(in_container(&folder_text));
        if !folder.is_dir() {
            return refused(NotStarted::NoFolder(&folder_text));
        }
        let (program, rest) = argv.split_first().map_or(("", &[][..]), |(program, rest)| (program.as_str(), rest));
        let path = match resolve_program(config, &root, program) {
            ResolvedProgram::Path(path) => path,
            ResolvedProgram::Not(why) => return refused(why),
            ResolvedProgram::Fake(Program::Idle) => return Ok(Answer::Hang),
            ResolvedProgram::Fake(Program::Answer { status, stdout, stderr }) => {
                let (stdout, stderr) = (stdout.clone().into_bytes(), stderr.clone().into_bytes());
                return Ok(Answer::Reply(Reply { status: *status, stdout, stderr }));
            }
        };
        let line = process_line(path, rest, environment(config), folder, user);
        Ok(Answer::Exec(Box::new(Exec { line, interactive: arguments.has("interactive"), processes, first_of: None })))
    }

    pub(super) fn remove(&self, arguments: &Arguments) -> Result<Reply> {
        let is_forced = arguments.has("force");
        self.each(&arguments.positional, |state, name| {
            let Some(container) = state.container(name).cloned() else {
                let missing = self.speech.no_container(Operation::Remove, name);
                return Ok(match (is_forced, self.speech) {
                    (false, _) => missing,
                    (true, Speech::Docker) => Reply { status: 0, ..missing },
                    (true, Speech::Podman) => Reply::default(),
                });
            };
            if self.is_running(&container) && !is_forced {
                return Ok(self.speech.removal_of_running(&container.id));
            }
            let processes = self.processes(&container.id);
            if container.life == Life::Process {
                processes.end(postgres::removal_signal(&container.config));
            }
            state.containers.retain(|other| other.id != container.id);
            self.remove_files(&container.id)?;
            Ok(Reply::success(format!("{name}\n")))
        })
    }

    pub(super) fn rename(&self, name: &str, to: &str) -> Result<Reply> {
        self.store.update(|state| {
            let Some(id) = state.container(name).map(|container| container.id.clone()) else {
                return self.speech.nothing_to_rename(name);
            };
            if let Some(other) = state.containers.iter().find(|container| container.name == to) {
                return self.speech.new_name_taken(name, &id, to, &other.id);
            }
            if let Some(container) = state.container_mut(&id) {
                container.name = to.to_owned();
            }
            Reply::default()
        })
    }

    /// Removes an ended container, if it still exists.
    pub(crate) fn discard(&self, id: &str) -> Result<()> {
        self.store.update(|state| {
            state.containers.retain(|container| container.id != id);
            self.remove_files(id)
        })?
    }

    fn remove_files(&self, id: &str) -> Result<()> {
        match std::fs::remove_dir_all(self.container_folder(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) async fn stop(&self, arguments: &Arguments) -> Result<Reply> {
        let limit = arguments.value("time").and_then(|text| text.parse().ok()).unwrap_or(STOP_LIMIT);
        let mut all = Reply::default();
        for name in &arguments.positional {
            let Some(container) = self.container(name)? else {
                merge(&mut all, self.speech.no_container(Operation::Stop, name));
                continue;
            };
            self.stop_one(&container, Duration::from_secs(limit)).await?;
            merge(&mut all, Reply::success(format!("{name}\n")));
        }
        Ok(all)
    }

    async fn stop_one(&self, container: &Container, limit: Duration) -> Result<()> {
        match container.life {
            Life::Created | Life::Ended(_) => {}
            Life::Idle => self.store.update(|state| {
                if let Some(container) = state.container_mut(&container.id) {
                    container.life = Life::Ended(0);
                }
            })?,
            Life::Process => {
                let processes = self.processes(&container.id);
                let wanted = container.config.stop_signal.as_deref().and_then(|signal| parse_signal(signal).ok());
                let end = Instant::now() + limit;
                processes.signal(wanted.unwrap_or(rustix::process::Signal::TERM));
                while processes.exit_code().is_none() && Instant::now() < end {
                    tokio::time::sleep(PAUSE).await;
                }
                if processes.exit_code().is_none() {
                    processes.end(postgres::removal_signal(&container.config));
                }
            }
        }
        Ok(())
    }

    pub(super) async fn wait(&self, names: &[String]) -> Result<Reply> {
        let mut all = Reply::default();
        for name in names {
            loop {
                let Some(container) = self.container(name)? else {
                    merge(&mut all, self.speech.no_container(Operation::Wait, name));
                    break;
                };
                let now = self.now(&container);
                if now.status != "running" {
                    merge(&mut all, Reply::success(format!("{}\n", now.exit_code)));
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(all)
    }

    pub(super) fn logs(&self, arguments: &Arguments) -> Result<Reply> {
        let Some(name) = arguments.positional.first() else { return Ok(Reply::default()) };
        let Some(container) = self.container(name)? else {
            return Ok(self.speech.no_container(Operation::Logs, name));
        };
        let count = arguments.value("tail").and_then(|text| text.parse().ok()).unwrap_or(usize::MAX);
        let (stdout, stderr) = self.processes(&container.id).log(count)?;
        Ok(Reply { status: 0, stdout, stderr })
    }

    /// Ends every process of every container. Called when the engine itself is removed.
    pub(crate) fn end_all(&self) {
        // There is no caller left that could handle an error.
        let _ = self.store.update(|state| {
            for container in state.containers.iter_mut().filter(|container| container.life == Life::Process) {
                self.processes(&container.id).end(postgres::removal_signal(&container.config));
                container.life = Life::Ended(KILLED);
            }
        });
    }
}

/// Appends the reply for one name to the reply of the whole command. The highest status counts.
pub(super) fn merge(all: &mut Reply, one: Reply) {
    all.stdout.extend(one.stdout);
    all.stderr.extend(one.stderr);
    all.status = all.status.max(one.status);
}

/// A filter of `ps`.
enum Filter {
    Label(String, Option<String>),
    /// A part of the name.
    Name(String),
    /// The start of the ID.
    Id(String),
    /// A kind of filter that the fake does not support. It matches no container.
    Unknown,
}

impl Filter {
    /// Parses a filter as each engine does. Podman reads it as a record of CSV, so the fake refuses quotes. Docker
    /// trims the value.
    fn parse(speech: Speech, text: &str) -> std::result::Result<Self, ()> {
        if speech == Speech::Podman && text.contains('"') {
            return Err(());
        }
        let (kind, rest) = text.split_once('=').unwrap_or((text, ""));
        let rest = if speech == Speech::Docker { rest.trim() } else { rest };
        Ok(match kind {
            "label" => match rest.split_once('=') {
                Some((key, value)) if speech == Speech::Podman && value.is_empty() => Self::Label(key.to_owned(), None),
                Some((key, value)) => Self::Label(key.to_owned(), Some(value.to_owned())),
                None => Self::Label(rest.to_owned(), None),
            },
            "name" => Self::Name(rest.to_owned()),
            "id" => Self::Id(rest.to_owned()),
            _ => Self::Unknown,
        })
    }

    fn matches(&self, container: &Container) -> bool {
        match self {
            Self::Label(key, wanted) => container
                .config
                .labels
                .get(key)
                .is_some_and(|value| wanted.as_ref().is_none_or(|wanted| wanted == value)),
            Self::Name(part) => container.name.contains(part),
            Self::Id(start) => container.id.starts_with(start),
            Self::Unknown => false,
        }
    }
}
