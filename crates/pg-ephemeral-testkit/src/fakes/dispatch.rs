//! Reads the arguments of an engine command and calls the operation of the machine, or injects a planned failure.

use serde_json::Value;

use super::answer::Answer;
use super::fault::Failure;
use super::flags::{self, Arguments};
use super::machine::{Call, Machine, Result};
use super::operation::Operation;
use super::reply::Reply;
use super::shapes;
use super::speech::Speech;
use super::state::{State, new_id};

const DOCKER_DOWN: &str =
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
const PODMAN_DOWN: &str = "Cannot connect to Podman. Please verify your connection to the Linux system using \
     `podman system connection list`, or try `podman machine init` and `podman machine start` to manage a new Linux VM\n\
     Error: unable to connect to Podman socket: Get \"http://d/v4.3.1/libpod/_ping\": dial unix \
     /run/podman/podman.sock: connect: no such file or directory";

impl Machine {
    /// Carries out a command, or injects the failure that is planned for it.
    pub(crate) async fn answer(&self, call: Call) -> Result<Answer> {
        let (operation, length) = Operation::split(&call.arguments);
        let failure = self.store.update(|state| {
            let count = state.calls.entry(operation.as_str().to_owned()).or_default();
            *count += 1;
            let count = *count;
            state.faults.iter().find(|fault| fault.concerns(operation, count)).map(|fault| fault.failure.clone())
        })?;
        let arguments = call.arguments.get(length..).unwrap_or_default();
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
                self.store.update(|state| self.vanish(state, operation, &arguments.positional))?;
                return self.carry_out(operation, &arguments, &call).await;
            }
        };
        Ok(Answer::Reply(reply))
    }

    /// Removes the images that a command is about to use, as another program could.
    fn vanish(&self, state: &mut State, operation: Operation, positional: &[String]) {
        // The words after the image of `run` are arguments of the container's program.
        let count = if operation == Operation::Run { 1 } else { positional.len() };
        for word in positional.iter().take(count) {
            if let Some(position) = self.speech.position(&state.images, word) {
                state.images.remove(position);
            }
        }
    }

    async fn carry_out(&self, operation: Operation, arguments: &Arguments, call: &Call) -> Result<Answer> {
        let positional = &arguments.positional;
        let needed = needed_arguments(self.speech, operation);
        if positional.len() < needed {
            return Ok(Answer::Reply(self.speech.too_few_arguments(operation, needed, positional.len())));
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
            Operation::Tag => self.tag(&positional[0], &positional[1])?,
            Operation::RemoveImage => self.remove_images(positional)?,
            Operation::Remove => self.remove(arguments)?,
            Operation::Rename => self.rename(&positional[0], &positional[1])?,
            Operation::Stop => self.stop(arguments).await?,
            Operation::Start => self.start(positional)?,
            Operation::Logs => self.logs(arguments)?,
            Operation::Wait => self.wait(positional).await?,
            Operation::Pull => self.pull(&positional[0])?,
            Operation::Push => self.push(&positional[0])?,
            Operation::Other => {
                let word = call.arguments.first().map_or("", String::as_str);
                self.speech.unknown_command(word)
            }
        };
        Ok(Answer::Reply(reply))
    }

    /// Returns a reply with one value, formatted by the template if one is given.
    fn told(&self, arguments: &Arguments, value: Value) -> Reply {
        match arguments.value("format") {
            Some(format) => self.formatted(format, &[value], &|_, _| String::new()),
            None => Reply::success(format!("{value:#}\n")),
        }
    }
}

impl Speech {
    /// Returns the reply of a command while the engine is down.
    fn down(self, operation: Operation) -> Reply {
        let mut reply = match (self, operation) {
            (Self::Docker, Operation::Run) => {
                Reply::failure(125, format!("docker: {DOCKER_DOWN}\n\nRun 'docker run --help' for more information\n"))
            }
            (Self::Docker, _) => Reply::failure(1, format!("{DOCKER_DOWN}\n")),
            (Self::Podman, _) => Reply::failure(125, format!("{PODMAN_DOWN}\n")),
        };
        if self == Self::Docker {
            reply.stdout = match operation {
                Operation::Version => format!("{}\n", shapes::version(self, false)).into_bytes(),
                Operation::Inspect | Operation::InspectImages => b"[]\n".to_vec(),
                _ => Vec::new(),
            };
        }
        reply
    }
}

/// Returns the minimum number of positional arguments of an operation.
fn needed_arguments(speech: Speech, operation: Operation) -> usize {
    match (speech, operation) {
        (_, Operation::Version | Operation::Info | Operation::List | Operation::Images | Operation::Other) => 0,
        (_, Operation::Tag | Operation::Rename) | (Speech::Docker, Operation::Exec) => 2,
        _ => 1,
    }
}
