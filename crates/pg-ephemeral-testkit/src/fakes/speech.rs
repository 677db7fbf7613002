//! [`Speech`]: the messages and exit statuses of each engine, as observed on Podman 4.3.1 and on Docker 28 with engine
//! 20.10. They depend on no state.

use serde::{Deserialize, Serialize};

use super::operation::Operation;
use super::reply::Reply;

/// The engine whose output a fake imitates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Speech {
    /// Docker.
    Docker,
    /// Podman.
    Podman,
}

impl Speech {
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }

    /// Returns the reply of an operation that the engine refuses. `docker` and `podman` are the status and the message
    /// of each engine. Docker adds a line to the message of `run`.
    pub(super) fn refusal(self, operation: Operation, docker: (i32, String), podman: (i32, String)) -> Reply {
        match (self, operation) {
            (Self::Docker, Operation::Run) => Reply::failure(
                docker.0,
                format!(
                    "docker: Error response from daemon: {}\n\nRun 'docker run --help' for more information\n",
                    docker.1
                ),
            ),
            (Self::Docker, _) => Reply::failure(docker.0, format!("Error response from daemon: {}\n", docker.1)),
            (Self::Podman, _) => Reply::failure(podman.0, format!("Error: {}\n", podman.1)),
        }
    }

    pub(super) fn no_container(self, operation: Operation, name: &str) -> Reply {
        let podman = if operation == Operation::Remove { 1 } else { 125 };
        self.refusal(
            operation,
            (1, format!("No such container: {name}")),
            (podman, format!("no container with name or ID {name:?} found: no such container")),
        )
    }

    pub(super) fn no_image(self, operation: Operation, name: &str) -> Reply {
        let podman = if operation == Operation::RemoveImage { 1 } else { 125 };
        let docker = if operation == Operation::Run { 125 } else { 1 };
        self.refusal(
            operation,
            (docker, format!("No such image: {name}")),
            (podman, format!("{name}: image not known")),
        )
    }

    pub(super) fn name_taken(self, name: &str, id: &str) -> Reply {
        self.refusal(
            Operation::Run,
            (
                125,
                format!(
                    "Conflict. The container name \"/{name}\" is already in use by container \"{id}\". You have to \
                     remove (or rename) that container to be able to reuse that name."
                ),
            ),
            (
                125,
                format!(
                    "creating container storage: the container name \"{name}\" is already in use by {id}. You have to \
                     remove that container to be able to reuse that name: that name is already in use"
                ),
            ),
        )
    }

    /// Returns the reply of a rename of a missing container. Docker adds a line to the usual message.
    pub(super) fn nothing_to_rename(self, name: &str) -> Reply {
        self.rename_refused(name, self.no_container(Operation::Rename, name))
    }

    pub(super) fn new_name_taken(self, name: &str, id: &str, to: &str, other: &str) -> Reply {
        let refusal = self.refusal(
            Operation::Rename,
            (
                1,
                format!(
                    "Error when allocating new name: Conflict. The container name \"/{to}\" is already in use by container \
                     \"{other}\". You have to remove (or rename) that container to be able to reuse that name."
                ),
            ),
            (
                125,
                format!(
                    "renaming container {id}: name {to} already in use, cannot rename container {id}: container already \
                     exists"
                ),
            ),
        );
        self.rename_refused(name, refusal)
    }

    fn rename_refused(self, name: &str, mut refusal: Reply) -> Reply {
        if self == Self::Docker {
            refusal.stderr.extend(format!("Error: failed to rename container named {name}\n").into_bytes());
        }
        refusal
    }

    pub(super) fn image_in_use(self, name: &str, image: &str, container: &str) -> Reply {
        let short = |id: &str| id.chars().take(12).collect::<String>();
        self.refusal(
            Operation::RemoveImage,
            (
                1,
                format!(
                    "conflict: unable to remove repository reference {name:?} (must force) - container {} is using its \
                     referenced image {}",
                    short(container),
                    short(image)
                ),
            ),
            (
                2,
                format!(
                    "image used by {container}: image is in use by a container: consider listing external containers \
                     and force-removing image"
                ),
            ),
        )
    }

    pub(super) fn removal_of_running(self, id: &str) -> Reply {
        self.refusal(
            Operation::Remove,
            (
                1,
                format!(
                    "You cannot remove a running container {id}. Stop the container before attempting removal or \
                     force remove"
                ),
            ),
            (
                2,
                format!(
                    "cannot remove container {id} as it is running - running or paused containers cannot be removed \
                     without force: container state improper"
                ),
            ),
        )
    }

    pub(super) fn exec_in_stopped(self, id: &str) -> Reply {
        self.refusal(
            Operation::Exec,
            (1, format!("Container {id} is not running")),
            (255, "can only create exec sessions on running containers: container state improper".to_owned()),
        )
    }

    /// Returns the reply of `run` with a port that is taken. Docker creates the container before it notices and prints
    /// the container's ID, so the caller must keep the container.
    pub(super) fn port_taken(self, id: &str, address: std::net::SocketAddr) -> Reply {
        let mut reply = self.refusal(
            Operation::Run,
            (
                125,
                format!(
                    "driver failed programming external connectivity on endpoint: Error starting userland proxy: \
                     listen tcp4 {address}: bind: address already in use."
                ),
            ),
            (126, format!("cannot listen on the TCP port: listen tcp4 {address}: bind: address already in use")),
        );
        if self == Self::Docker {
            reply.stdout = format!("{id}\n").into_bytes();
        }
        reply
    }

    pub(super) fn no_mount_source(self, source: &str) -> Reply {
        self.refusal(
            Operation::Run,
            (125, format!("invalid mount config for type \"bind\": bind source path does not exist: {source}")),
            (125, format!("statfs {source}: no such file or directory")),
        )
    }

    pub(super) fn bad_change(self, instruction: &str) -> Reply {
        self.refusal(
            Operation::Commit,
            (1, format!("{instruction} is not a valid change command")),
            (125, format!("invalid change {instruction:?} - must be one of CMD, ENTRYPOINT, ENV, LABEL")),
        )
    }

    pub(super) fn bad_reference(self, text: &str) -> Reply {
        match self {
            Self::Docker => {
                let text = format!(
                    "Error parsing reference: {text:?} is not a valid repository/tag: invalid reference format\n"
                );
                Reply::failure(1, text)
            }
            Self::Podman => {
                Reply::failure(125, format!("Error: {text}: parsing reference {text:?}: invalid reference format\n"))
            }
        }
    }

    pub(super) fn bad_filter(self, filter: &str) -> Reply {
        let text = format!(
            "Error: invalid argument {filter:?} for \"-f, --filter\" flag: parse error on line 1, column 1: bare \" in \
             non-quoted-field\nSee '{} ps --help'\n",
            self.program()
        );
        Reply::failure(125, text)
    }

    pub(super) fn bad_flag(self, operation: Operation, text: &str) -> Reply {
        let program = self.program();
        let subcommand = subcommand(operation);
        match self {
            Self::Docker => Reply::failure(
                125,
                format!(
                    "{text}\n\nUsage:  {program} {subcommand} [OPTIONS]\n\nRun '{program} {subcommand} --help' for more information\n"
                ),
            ),
            Self::Podman => Reply::failure(125, format!("Error: {text}\nSee '{program} {subcommand} --help'\n")),
        }
    }

    pub(super) fn too_few_arguments(self, operation: Operation, needed: usize, got: usize) -> Reply {
        let subcommand = subcommand(operation);
        match self {
            Self::Docker => {
                let exactly = matches!(operation, Operation::Tag | Operation::Logs | Operation::Pull | Operation::Push);
                let least = if exactly { "" } else { "at least " };
                let plural = if needed == 1 { "" } else { "s" };
                let text = format!(
                    "docker: 'docker {subcommand}' requires {least}{needed} argument{plural}\n\nUsage:  docker {subcommand} \
                     [OPTIONS]\n\nSee 'docker {subcommand} --help' for more information\n"
                );
                Reply::failure(1, text)
            }
            Self::Podman => {
                let text = match operation {
                    Operation::Wait => "\"podman wait\" requires a name, id, or the \"--latest\" flag".to_owned(),
                    Operation::Logs => "specify at least one container name or ID to log".to_owned(),
                    Operation::InspectImages | Operation::Inspect => "no names or ids specified".to_owned(),
                    _ => format!("requires at least {needed} arg(s), only received {got}"),
                };
                Reply::failure(125, format!("Error: {text}\n"))
            }
        }
    }

    /// Returns the reply of `exec` without a command. Only Podman reports this error here; Docker refuses the arguments
    /// before.
    pub(super) fn exec_of_nothing(self) -> Reply {
        let text = "Error: must provide a non-empty command to start an exec session: invalid argument\n";
        Reply::failure(255, text)
    }

    pub(super) fn unknown_command(self, word: &str) -> Reply {
        match self {
            Self::Docker => Reply::failure(
                1,
                format!("docker: unknown command: docker {word}\n\nRun 'docker --help' for more information\n"),
            ),
            Self::Podman => Reply::failure(
                125,
                format!("Error: unrecognized command `podman {word}`\nTry 'podman --help' for more information\n"),
            ),
        }
    }

    pub(super) fn disk_full(self, operation: Operation, id: &str) -> Reply {
        let status = if operation == Operation::Run { 125 } else { 1 };
        let podman = match operation {
            Operation::Run => "creating container storage",
            Operation::Commit => "committing container",
            Operation::Pull => "copying layers and metadata",
            _ => "writing state",
        };
        self.refusal(
            operation,
            (status, format!("mkdir /var/lib/docker/overlay2/{id}: no space left on device")),
            (125, format!("{podman}: mkdir /var/lib/containers/storage/overlay/{id}: no space left on device")),
        )
    }

    pub(super) fn no_registry(self, operation: Operation, host: &str) -> Reply {
        let host = if host.is_empty() { "docker.io" } else { host };
        self.refusal(
            operation,
            (1, format!("Get \"https://{host}/v2/\": dial tcp: connect: connection refused")),
            (125, format!("pinging container registry {host}: Get \"https://{host}/v2/\": dial tcp: connect: connection refused")),
        )
    }

    pub(super) fn unknown_manifest(self, name: &str) -> Reply {
        self.refusal(
            Operation::Pull,
            (1, format!("manifest for {name} not found: manifest unknown: manifest unknown")),
            (125, format!("initializing source docker://{name}: reading manifest in {name}: manifest unknown")),
        )
    }
}

/// Returns the subcommand of an operation as it is written in the engines' help.
fn subcommand(operation: Operation) -> &'static str {
    match operation {
        Operation::List => "ps",
        Operation::Inspect => "container inspect",
        Operation::InspectImages => "image inspect",
        Operation::RemoveImage => "image rm",
        Operation::Remove => "rm",
        other => other.as_str(),
    }
}
