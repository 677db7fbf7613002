//! The operations `run` and `start` of a fake engine, and the start of a container's first process on this machine.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::answer::{Answer, Attached, Exec};
use super::files::in_container;
use super::flags::Arguments;
use super::image::Program;
use super::machine::{Call, Machine, Result};
use super::not_started::NotStarted;
use super::operation::Operation;
use super::process::Start;
use super::program_line::{ResolvedProgram, environment, process_line, resolve_program, user, variables};
use super::reply::Reply;
use super::speech::Speech;
use super::state::{Config, Container, Life, Port, State, new_id, now};
use super::{files, postgres};

/// The first process of a container.
enum First {
    /// A process of this machine.
    Start(Start),
    /// A fake program that prints this and ends.
    Says(Reply),
    /// A fake program that does nothing until it is stopped.
    Waits,
    /// The process can't be started. The reply is the error of the engine.
    Refused(Reply),
}

/// The parsed value of `--mount`.
#[derive(Debug, Default)]
struct Mount {
    is_bind: bool,
    source: String,
    target: String,
}

impl Machine {
    pub(super) fn run(&self, arguments: &Arguments, call: &Call) -> Result<Answer> {
        self.store.update(|state| self.create_and_start(state, arguments, call))?
    }

    fn create_and_start(&self, state: &mut State, arguments: &Arguments, call: &Call) -> Result<Answer> {
        let speech = self.speech;
        let Some((image_name, argv)) = arguments.positional.split_first() else {
            return Ok(Answer::Reply(speech.too_few_arguments(Operation::Run, 1, 0)));
        };
        let Some(image) = speech.find(state, image_name).cloned() else {
            return Ok(Answer::Reply(speech.no_image(Operation::Run, image_name)));
        };
        let id = new_id();
        let name = arguments.value("name").map_or_else(|| format!("fake_{}", &id[..12]), str::to_owned);
        if let Some(other) = state.containers.iter().find(|container| container.name == name) {
            return Ok(Answer::Reply(speech.name_taken(&name, &other.id)));
        }
        let mounts: Vec<Mount> = arguments.values("mount").map(parse_mount).collect();
        if let Some(mount) = mounts.iter().find(|mount| mount.is_bind && !Path::new(&mount.source).exists()) {
            return Ok(Answer::Reply(speech.no_mount_source(&mount.source)));
        }
        let config = configure(image.config.clone(), arguments, argv, call);
        let root = self.processes(&id).root();
        files::create_open_folder(root.parent().unwrap_or(&root))?;
        files::copy(&self.image_root(&image.id), &root, &[])?;
        let mounted = mount_all(&root, &mounts)?;
        let memory = PathBuf::from(postgres::DEVICES);
        let left_out = config.volumes.iter().map(|path| in_container(path)).chain(mounted).chain([memory]).collect();
        let mut container = Container {
            id: id.clone(),
            name,
            image: image.id,
            image_name: image_name.clone(),
            created: now(),
            config,
            ports: Vec::new(),
            mounts: left_out,
            has_network: arguments.value("network") != Some("none"),
            life: Life::Created,
        };
        let published = match publish(state, self, arguments) {
            Ok(ports) => ports,
            Err(address) => {
                if speech == Speech::Docker {
                    state.containers.push(container);
                }
                return Ok(Answer::Reply(speech.port_taken(&id, address)));
            }
        };
        container.ports = if container.has_network { published } else { Vec::new() };
        if !arguments.has("detach") {
            return self.attach(state, container, arguments);
        }
        let reply = self.start_process(&mut container, Operation::Run)?;
        state.containers.push(container);
        Ok(Answer::Reply(reply.unwrap_or_else(|| Reply::success(format!("{id}\n")))))
    }

    /// Starts the first process of a container on the streams of the engine command.
    fn attach(&self, state: &mut State, mut container: Container, arguments: &Arguments) -> Result<Answer> {
        let is_passing = arguments.has("rm");
        let (id, first) = (container.id.clone(), self.first_process(&container)?);
        let answer = match first {
            First::Start(start) => {
                let Start { program, arguments: rest, environment, folder, user, .. } = start;
                let line = process_line(program, &rest, environment, folder, user);
                container.life = Life::Process;
                state.containers.push(container);
                let attached = Attached { machine: self.clone(), id: id.clone(), is_passing };
                let interactive = arguments.has("interactive");
                let processes = self.processes(&id);
                return Ok(Answer::Exec(Box::new(Exec { line, interactive, processes, first_of: Some(attached) })));
            }
            First::Waits => {
                container.life = Life::Idle;
                state.containers.push(container);
                return Ok(Answer::Hang);
            }
            First::Says(reply) => {
                container.life = Life::Ended(reply.status);
                reply
            }
            // The ID of an attached container is not printed.
            First::Refused(reply) => Reply { stdout: Vec::new(), ..reply },
        };
        if is_passing {
            fs::remove_dir_all(self.container_folder(&id))?;
        } else {
            state.containers.push(container);
        }
        Ok(Answer::Reply(answer))
    }

    /// Starts the first process of a container. If that fails, returns the reply with the error.
    fn start_process(&self, container: &mut Container, operation: Operation) -> Result<Option<Reply>> {
        match self.first_process(container)? {
            First::Waits => container.life = Life::Idle,
            First::Says(reply) => container.life = Life::Ended(reply.status),
            First::Refused(reply) => return Ok(Some(reply).filter(|_| operation == Operation::Run)),
            First::Start(start) => {
                self.processes(&container.id).start(&self.supervisor, &start)?;
                container.life = Life::Process;
            }
        }
        Ok(None)
    }

    /// Determines the first process of a container from its configuration.
    fn first_process(&self, container: &Container) -> Result<First> {
        let root = self.processes(&container.id).root();
        let mut config = container.config.clone();
        let argv: Vec<String> = config.entrypoint.iter().chain(&config.command).cloned().collect();
        let argv = postgres::localize(&mut config, &root, &container.mounts, &argv);
        let config = &config;
        let Some((program, rest)) = argv.split_first() else {
            // Containers of an image without a program do nothing until they are stopped.
            return Ok(First::Waits);
        };
        let refused = |why| First::Refused(self.speech.run_not_started(&container.id, why));
        let user = match user(&config.user, config) {
            Ok(user) => user,
            Err(()) => return Ok(refused(NotStarted::NoUser(&config.user))),
        };
        let program = match resolve_program(config, &root, program) {
            ResolvedProgram::Path(path) => path,
            ResolvedProgram::Not(why) => return Ok(refused(why)),
            ResolvedProgram::Fake(Program::Idle) => return Ok(First::Waits),
            ResolvedProgram::Fake(Program::Answer { status, stdout, stderr }) => {
                let (stdout, stderr) = (stdout.clone().into_bytes(), stderr.clone().into_bytes());
                return Ok(First::Says(Reply { status: *status, stdout, stderr }));
            }
        };
        let folder = root.join(in_container(&config.folder));
        // Both engines create the working folder if it does not exist.
        fs::create_dir_all(&folder)?;
        let mut environment = environment(config);
        environment.extend(postgres::published(config, &container.ports));
        let on_removal = postgres::removal_signal(config).map(|signal| signal.as_raw());
        Ok(First::Start(Start { program, arguments: rest.to_vec(), environment, folder, user, on_removal }))
    }

    pub(super) fn start(&self, names: &[String]) -> Result<Reply> {
        self.each(names, |state, name| {
            let Some(container) = state.container_mut(name) else {
                let mut reply = self.speech.no_container(Operation::Start, name);
                if self.speech == Speech::Docker {
                    let more = format!("Error: failed to start containers: {name}\n");
                    reply.stderr.extend_from_slice(more.as_bytes());
                }
                return Ok(reply);
            };
            let said = format!("{name}\n");
            if self.is_running(container) {
                // Podman prints nothing if the container already runs.
                return Ok(Reply::success(if self.speech == Speech::Docker { said } else { String::new() }));
            }
            let mut started = container.clone();
            let reply = self.start_process(&mut started, Operation::Start)?;
            *container = started;
            Ok(reply.unwrap_or_else(|| Reply::success(said)))
        })
    }
}

/// Returns the configuration of a container: that of its image, changed by the options of the command line.
fn configure(mut config: Config, arguments: &Arguments, argv: &[String], call: &Call) -> Config {
    for label in arguments.values("label") {
        let (key, value) = label.split_once('=').unwrap_or((label, ""));
        config.labels.insert(key.to_owned(), value.to_owned());
    }
    for (name, value) in variables(arguments, call) {
        config.set(&name, &value);
    }
    if let Some(entrypoint) = arguments.value("entrypoint") {
        config.entrypoint = vec![entrypoint.to_owned()];
        config.command = Vec::new();
    }
    if !argv.is_empty() {
        config.command = argv.to_vec();
    }
    if let Some(folder) = arguments.value("workdir") {
        config.folder = folder.to_owned();
    }
    if let Some(user) = arguments.value("user") {
        config.user = user.to_owned();
    }
    if let Some(signal) = arguments.value("stop-signal") {
        config.stop_signal = Some(signal.to_owned());
    }
    config
}

/// Parses the value of `--mount`, which is a record of CSV such as `type=bind,source=…,target=…`.
fn parse_mount(text: &str) -> Mount {
    let mut mount = Mount::default();
    for field in csv(text) {
        match field.split_once('=') {
            Some(("type", kind)) => mount.is_bind = kind == "bind",
            Some(("source" | "src", source)) => mount.source = source.to_owned(),
            Some(("target" | "destination" | "dst", target)) => mount.target = target.to_owned(),
            _ => {}
        }
    }
    mount
}

/// Splits a record of CSV into fields. Fields in double quotes may contain commas and doubled quotes.
fn csv(text: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let field = fields.last_mut();
        match (character, field) {
            ('"', Some(field)) if is_quoted && characters.next_if_eq(&'"').is_some() => field.push('"'),
            ('"', _) => is_quoted = !is_quoted,
            (',', _) if !is_quoted => fields.push(String::new()),
            (character, Some(field)) => field.push(character),
            (_, None) => {}
        }
    }
    fields
}

/// Creates the mounts of a container: a symbolic link for a bind mount, and a folder for a tmpfs. Returns the paths of
/// the mounts, relative to the root.
fn mount_all(root: &Path, mounts: &[Mount]) -> Result<Vec<PathBuf>> {
    for mount in mounts {
        let target = root.join(in_container(&mount.target));
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        if mount.is_bind {
            if target.is_dir() {
                fs::remove_dir_all(&target)?;
            }
            symlink(&mount.source, target)?;
        } else {
            fs::create_dir_all(target)?;
        }
    }
    Ok(mounts.iter().map(|mount| in_container(&mount.target)).collect())
}

/// Parses the values of `--publish`, such as `ADDRESS:PORT:INSIDE/tcp`, and chooses a free port if none is given. If an
/// address is taken, returns it as the error.
fn publish(state: &State, machine: &Machine, arguments: &Arguments) -> std::result::Result<Vec<Port>, SocketAddr> {
    let mut ports = Vec::new();
    let running = state.containers.iter().filter(|container| machine.is_running(container));
    let taken: Vec<SocketAddr> = running.flat_map(|container| &container.ports).map(|port| port.published).collect();
    for option in arguments.values("publish") {
        let option = option.strip_suffix("/tcp").unwrap_or(option);
        let Some((outside, inside)) = option.rsplit_once(':') else { continue };
        let (address, wanted) = outside.rsplit_once(':').unwrap_or(("0.0.0.0", outside));
        let Ok(address) = address.trim_matches(['[', ']']).parse() else { continue };
        let (Ok(inside), Ok(wanted)) = (inside.parse(), if wanted.is_empty() { Ok(0) } else { wanted.parse() }) else {
            continue;
        };
        let wanted = SocketAddr::new(address, wanted);
        // A fake engine forwards nothing, but a real one would listen on the port, so the port must be free.
        let found = TcpListener::bind(wanted).and_then(|listener| listener.local_addr());
        match found {
            Ok(published) if !taken.contains(&published) => ports.push(Port { inside, published }),
            _ => return Err(wanted),
        }
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_one_record_of_csv() {
        let mount = parse_mount("type=bind,\"source=/a,b\"\"c\",target=/t,readonly");
        assert_eq!((mount.is_bind, mount.source.as_str(), mount.target.as_str()), (true, "/a,b\"c", "/t"));
    }

    #[test]
    fn a_path_of_a_container_does_not_leave_its_root() {
        assert_eq!(in_container("/a/../../b/./c"), Path::new("a/b/c"));
        assert_eq!(in_container("/"), Path::new(""));
    }
}
