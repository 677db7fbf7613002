//! Runs a container: claims its name, gives it a root, and starts its process. A run that fails or is abandoned on the
//! way leaves nothing behind.

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::lockable::Lockable;
use super::process::signal;
use super::process::spawner::{self, Launch};
use super::store::Stores;
use super::store::container_record::ContainerRecord;
use super::store::container_store::{LockedContainer, StoredContainer};
use super::store::image::ImageRecord;
use super::{end, environment, folder};
use crate::error::HostError;
use crate::{CommandError, ContainerName, Kind, Mount, RunSpec, Variable};

/// How long a port may look taken before it counts as taken.
const PORT_PATIENCE: Duration = Duration::from_millis(30);

/// A container that has just been started. Dropping it removes the container unless [`JustStarted::keep`] was called,
/// because nobody else knows of it.
#[must_use]
pub(super) struct JustStarted {
    stores: Stores,
    name: ContainerName,
    id: String,
    kept: bool,
}

impl JustStarted {
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for JustStarted {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if let Err(error) = end::remove_if(&self.stores, &self.name, &self.id) {
            tracing::warn!(container = %self.name, %error, "a container that was given up can't be removed");
        }
    }
}

pub(super) fn run(stores: &Stores, spec: &RunSpec) -> Result<JustStarted, CommandError> {
    refuse_unsupported(spec)?;
    loop {
        let image = stores.images.find(&spec.image)?;
        match run_image(stores, spec, &image) {
            // The image has just been replaced.
            Err(CommandError::ImageNotFound { .. }) if !stores.images.exists(&image.id) => {}
            result => return result,
        }
    }
}

fn run_image(stores: &Stores, spec: &RunSpec, image: &ImageRecord) -> Result<JustStarted, CommandError> {
    let record = ContainerRecord::new(folder::fresh_id()?, spec, image)?;
    let id = record.id.clone();
    refuse_taken_ports(spec)?;
    let mut container = stores.containers.claim(&spec.name, record)?;
    let started = make_root(stores, &container, image, spec)
        .and_then(|root| Ok(start_process(&mut container, root, &spec.environment)?));
    match started {
        Ok(()) => Ok(JustStarted { stores: stores.clone(), name: spec.name.clone(), id, kept: false }),
        Err(error) => {
            if let Err(error) = end::discard(stores, container) {
                tracing::warn!(container = %spec.name, %error, "a container that did not start can't be removed");
            }
            Err(error)
        }
    }
}

/// Starts a container again on the root that it has. Does nothing if the container is running.
pub(super) fn start(stores: &Stores, name: &ContainerName) -> Result<(), CommandError> {
    let mut container = stores.containers.lock(name)?;
    if container.is_running() {
        return Ok(());
    }
    let root = Root { slot: container.slot(), folder: end::hold_root(&container)? };
    Ok(start_process(&mut container, root, &[])?)
}

fn refuse_unsupported(spec: &RunSpec) -> Result<(), CommandError> {
    let unsupported = |operation| Err(CommandError::Unsupported { backend: Kind::Host, operation });
    if spec.mounts.iter().any(|mount| matches!(mount, Mount::Bind { .. })) {
        return unsupported("mount folders");
    }
    if spec.ports.iter().any(|port| port.port.is_none()) {
        return unsupported("choose a port");
    }
    Ok(())
}

/// Returns an error if a process already listens on one of the ports. A socket that is bound but does not listen yet,
/// such as that of a caller who reserves the port for the process, does not count.
fn refuse_taken_ports(spec: &RunSpec) -> Result<(), CommandError> {
    for port in &spec.ports {
        let address = SocketAddr::new(port.address, port.port.unwrap_or_default());
        let begin = Instant::now();
        while is_taken(address) {
            // A listener that has just been closed may stay open for a moment in a forked child that has not executed
            // its program yet.
            if begin.elapsed() > PORT_PATIENCE {
                return Err(CommandError::PortTaken { name: spec.name.to_string(), detail: address.to_string() });
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}

fn is_taken(address: SocketAddr) -> bool {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let bound = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None).and_then(|socket| {
        rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
        rustix::net::bind(&socket, &address)
    });
    bound == Err(rustix::io::Errno::ADDRINUSE)
}

/// The root of a container that is about to start.
struct Root {
    /// The slot that contains the root; `None` if the root is in the container's own folder.
    slot: Option<PathBuf>,
    /// The root itself, locked.
    folder: Lockable,
}

fn make_root(
    stores: &Stores,
    container: &LockedContainer,
    image: &ImageRecord,
    spec: &RunSpec,
) -> Result<Root, CommandError> {
    if !image.is_empty() {
        let slot = stores.slots.take(image, &container.name)?;
        let slot = slot.ok_or_else(|| CommandError::ImageNotFound { image: spec.image.to_string() })?;
        return Ok(Root { slot: Some(slot.folder), folder: slot.root });
    }
    let root = container.root_path();
    folder::make_private(&root)?;
    if let Some(user) = container.record.user() {
        chown(&root, Some(user.uid), Some(user.gid)).map_err(HostError::file("give away", &root))?;
    }
    Ok(Root { slot: None, folder: end::hold_root(container)? })
}

fn start_process(container: &mut LockedContainer, root: Root, variables: &[Variable]) -> Result<(), HostError> {
    let Root { slot, folder: root } = root;
    let process_file = container.announce_start(&root, slot.as_deref())?;
    let log = container.open_log()?;
    let record = &container.record;
    let (program, arguments) = record.argv.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(environment::of(record, variables, &seen_root(container, &root)))
        .current_dir(&record.folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(HostError::file("open log", &container.log_path()))?)
        .stderr(log);
    if let Some(user) = record.user() {
        command.uid(user.uid).gid(user.gid);
    }
    let death_signal = signal::parse(&record.image.removal_signal)?;
    let launch = Launch { command, root, process_file, death_signal: record.dies_with_owner.then_some(death_signal) };
    tracing::debug!(container = %container.name, program, "start");
    spawner::launch(launch).map_err(|source| HostError::Start { program: program.to_owned(), source })
}

/// Returns the root as the container's own processes see it. Another user may not be allowed to enter the folders above
/// it, but can always use the descriptor that it inherited.
fn seen_root(container: &StoredContainer, root: &OwnedFd) -> PathBuf {
    if cfg!(target_os = "linux") && container.record.user.is_some() {
        return Path::new("/proc/self/fd").join(root.as_raw_fd().to_string());
    }
    container.root_path()
}
