//! [`Machine`]: takes the arguments of an engine command and does what the engine would do. How a command is executed
//! and where its streams go is the business of whoever asks it.

use std::io;
use std::path::PathBuf;

use serde_json::Value;

use super::fault::Failure;
use super::flags::{self, Arguments};
use super::process::{Keeper, Processes};
use super::reply::{Answer, Reply};
use super::speech::Speech;
use super::state::{Container, Life, State, new_id};
use super::store::Store;
use super::{shapes, template};
use crate::Operation;

/// What may go wrong in a fake that no engine has: its own files.
pub(super) type Result<T> = io::Result<T>;

/// One command as the engine's program gets it.
#[derive(Debug, Default)]
pub(crate) struct Call {
    /// What stands behind the program.
    pub(crate) arguments: Vec<String>,
    /// Its environment, from which `--env NAME` takes values.
    pub(crate) variables: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(super) speech: Speech,
    pub(super) store: Store,
    /// Where files of images and containers are.
    pub(super) folder: PathBuf,
    pub(super) keeper: Keeper,
}

impl Machine {
    pub(crate) fn new(speech: Speech, store: Store, folder: PathBuf, keeper: Keeper) -> Self {
        Self { speech, store, folder, keeper }
    }

    pub(super) fn processes(&self, id: &str) -> Processes {
        Processes::new(self.container_folder(id))
    }

    /// The start of the identifier is enough, and the path of a socket must not be long.
    pub(super) fn container_folder(&self, id: &str) -> PathBuf {
        self.folder.join("containers").join(id.get(..12).unwrap_or(id))
    }

    pub(super) fn image_root(&self, id: &str) -> PathBuf {
        self.folder.join("images").join(id).join("root")
    }

    /// Does what a command asks for, unless it is meant to go wrong.
    pub(crate) async fn answer(&self, call: Call) -> Result<Answer> {
        let (operation, words) = Operation::split(&call.arguments);
        let failure = self.store.update(|state| {
            let count = state.calls.entry(operation.as_str().to_owned()).or_default();
            *count += 1;
            let count = *count;
            state.faults.iter().find(|fault| fault.concerns(operation, count)).map(|fault| fault.failure.clone())
        })?;
        let arguments = call.arguments.get(words..).unwrap_or_default();
        let arguments = match flags::parse(self.speech, operation, arguments) {
            Ok(arguments) => arguments,
            Err(bad) => return Ok(Answer::Reply(self.speech.bad_flag(operation, &bad.0))),
        };
        let Some(failure) = failure else { return self.carry_out(operation, &arguments, &call).await };
        let reply = match failure {
            Failure::Hang => return Ok(Answer::Hang),
            Failure::NameTaken => self.speech.name_taken(arguments.value("name").unwrap_or_default(), &new_id()),
            Failure::EngineDown => self.speech.down(operation),
            Failure::DiskFull => self.speech.disk_full(operation, &new_id()),
            Failure::Exit { status, stderr } => Reply::failure(status, stderr),
            Failure::Garbage => Reply::success("Emulate Docker CLI using podman. <html>\n\u{0}{\n"),
            Failure::KilledMidway => {
                self.carry_out(operation, &arguments, &call).await?;
                return Ok(Answer::Killed);
            }
            Failure::TruncatedJson => match self.carry_out(operation, &arguments, &call).await? {
                Answer::Reply(mut reply) => {
                    reply.stdout.truncate(reply.stdout.len() / 2);
                    reply
                }
                other => return Ok(other),
            },
            Failure::ImageVanished => {
                self.store.update(|state| self.vanish(state, operation, &arguments.words))?;
                return self.carry_out(operation, &arguments, &call).await;
            }
        };
        Ok(Answer::Reply(reply))
    }

    /// Somebody else takes away the images that a command is about to use.
    fn vanish(&self, state: &mut State, operation: Operation, words: &[String]) {
        // What follows the image of a run is its program's.
        let count = if operation == Operation::Run { 1 } else { words.len() };
        for word in words.iter().take(count) {
            if let Some(position) = self.speech.position(&state.images, word) {
                state.images.remove(position);
            }
        }
    }

    async fn carry_out(&self, operation: Operation, arguments: &Arguments, call: &Call) -> Result<Answer> {
        let words = &arguments.words;
        let needed = needed_words(self.speech, operation);
        if words.len() < needed {
            return Ok(Answer::Reply(self.speech.too_few_words(operation, needed, words.len())));
        }
        let reply = match operation {
            Operation::Version => self.told(arguments, shapes::version(self.speech, true)),
            Operation::Info => self.told(arguments, shapes::info(self.speech, &self.folder)),
            Operation::Run => return self.run(arguments, call),
            Operation::List => self.list(arguments)?,
            Operation::Inspect => self.inspect(arguments)?,
            Operation::InspectImages => self.inspect_images(arguments)?,
            Operation::Images => self.images(arguments)?,
            Operation::Exec => return self.exec(arguments, call),
            Operation::Commit => self.commit(arguments)?,
            Operation::Tag => self.tag(&words[0], &words[1])?,
            Operation::RemoveImage => self.remove_images(words)?,
            Operation::Remove => self.remove(arguments)?,
            Operation::Rename => self.rename(&words[0], &words[1])?,
            Operation::Stop => self.stop(arguments).await?,
            Operation::Start => self.start(words)?,
            Operation::Logs => self.logs(arguments)?,
            Operation::Wait => self.wait(words).await?,
            Operation::Pull => self.pull(&words[0])?,
            Operation::Push => self.push(&words[0])?,
            Operation::Other => {
                let word = call.arguments.first().map_or("", String::as_str);
                self.speech.unknown_command(word)
            }
        };
        Ok(Answer::Reply(reply))
    }

    /// One value, by a template when one is given.
    fn told(&self, arguments: &Arguments, value: Value) -> Reply {
        match arguments.value("format") {
            Some(format) => self.formatted(format, &[value], &|_, _| String::new()),
            None => Reply::success(format!("{value:#}\n")),
        }
    }

    /// Each value by a template, one a line; `label` gives those of the nth.
    pub(super) fn formatted(&self, format: &str, values: &[Value], label: &dyn Fn(usize, &str) -> String) -> Reply {
        let mut text = String::new();
        for (position, value) in values.iter().enumerate() {
            match template::fill(format, value, &|key| label(position, key)) {
                Some(line) => text.push_str(&line),
                None => return Reply::failure(1, format!("template parsing error: {format}\n")),
            }
            text.push('\n');
        }
        Reply::success(text)
    }

    /// What a container is like at this moment.
    pub(super) fn now(&self, container: &Container) -> shapes::Now {
        let (status, exit_code) = match container.life {
            Life::Created => ("created", 0),
            Life::Idle => ("running", 0),
            Life::Ended(code) => ("exited", code),
            Life::Process => match self.processes(&container.id).exit_code() {
                Some(code) => ("exited", code),
                None => ("running", 0),
            },
        };
        shapes::Now { status, exit_code }
    }

    pub(super) fn is_running(&self, container: &Container) -> bool {
        self.now(container).status == "running"
    }
}

/// How many words an operation has to have behind its flags.
fn needed_words(speech: Speech, operation: Operation) -> usize {
    match (speech, operation) {
        (_, Operation::Version | Operation::Info | Operation::List | Operation::Images | Operation::Other) => 0,
        (_, Operation::Tag | Operation::Rename) | (Speech::Docker, Operation::Exec) => 2,
        _ => 1,
    }
}
