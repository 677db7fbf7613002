//! An engine that appears to be on another machine: it has its own network namespace and its own files, and is reached
//! by TCP over a pair of virtual network devices. It ends when the value is dropped or the test is killed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pg_ephemeral_testkit::wait_until;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::AMPLE;

/// The image that the tests start from.
const IMAGE: &str = "docker.io/library/postgres:15";

/// A network namespace with an address by which it is reached.
struct Machine {
    name: String,
    address: String,
}

/// An engine in a network namespace of its own.
pub struct RemoteEngine {
    program: &'static str,
    folder: TempDir,
    service: Option<Child>,
    machine: Machine,
}

impl Machine {
    #[track_caller]
    fn new() -> Self {
        assert!(rustix::process::geteuid().is_root(), "only root can make a network namespace");
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Tests may run as processes or as threads of one process, so the ID depends on both.
        let id = std::process::id().wrapping_mul(2) + COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pge{id}");
        let subnet = format!("10.{}.{}.{}", 200 + (id >> 14) % 50, (id >> 6) % 256, id % 64 * 4);
        let (prefix, last) = subnet.rsplit_once('.').unwrap();
        let last: u32 = last.parse().unwrap();
        let (here, there) = (format!("{prefix}.{}", last + 1), format!("{prefix}.{}", last + 2));
        ip(&format!("netns add {name}"));
        let machine = Self { name, address: there };
        let Self { name, address } = &machine;
        ip(&format!("link add {name}h type veth peer name {name}n netns {name}"));
        ip(&format!("addr add {here}/30 dev {name}h"));
        ip(&format!("link set {name}h up"));
        ip(&format!("-n {name} addr add {address}/30 dev {name}n"));
        ip(&format!("-n {name} link set {name}n up"));
        ip(&format!("-n {name} link set lo up"));
        machine
    }

    /// Returns a command in the namespace. It has a mount namespace of its own, so its mounts end with it, and it is
    /// killed when this thread ends. `ip netns exec` is no alternative, because it would hide the control groups.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.name));
        command.args(["unshare", "--mount", "--propagation", "slave", "setpriv", "--pdeathsig", "TERM", "--"]);
        command.arg(program).stdin(Stdio::null());
        command
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Removing the namespace removes its network device, and with it the device at this end.
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

#[track_caller]
fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("there is a program ip");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

impl RemoteEngine {
    #[track_caller]
    pub fn new(program: &'static str) -> Self {
        let machine = Machine::new();
        let folder = tempfile::Builder::new().prefix("pge-engine-").tempdir_in("/var/tmp").unwrap();
        let mut remote = Self { program, folder, service: None, machine };
        remote.start();
        remote
    }

    pub fn address(&self) -> &str {
        &self.machine.address
    }

    /// Returns the URL of the engine's service.
    pub fn url(&self) -> String {
        format!("tcp://{}:2375", self.machine.address)
    }

    /// Returns the variables that make the engine's client program use this engine.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let name = if self.program == "docker" { "DOCKER_HOST" } else { "CONTAINER_HOST" };
        vec![(name, self.url())]
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    #[track_caller]
    fn start(&mut self) {
        let mut command = match self.program {
            "docker" => self.docker(),
            _ => self.podman(),
        };
        let log = File::create(self.path("log")).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        self.service = Some(command.spawn().expect("the engine is installed"));
        let log = self.path("log");
        wait_until(format!("the engine answers, see {}", log.display()), AMPLE, || {
            let exited = self.service.as_mut().is_some_and(|service| service.try_wait().unwrap().is_some());
            assert!(!exited, "the engine has ended: {}", fs::read_to_string(&log).unwrap());
            self.client(&["version"]).output().unwrap().status.success()
        });
        if self.program == "docker" {
            self.load_image();
        }
    }

    fn docker(&self) -> Command {
        let mut command = self.machine.command("dockerd");
        for (flag, name) in [("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid")] {
            command.arg(flag).arg(self.path(name));
        }
        // An empty configuration replaces that of this machine.
        fs::write(self.path("daemon.json"), "{}").unwrap();
        command.arg("--config-file").arg(self.path("daemon.json"));
        // Without `--tls=false`, dockerd waits for 15 seconds to warn about the unencrypted socket.
        command.args(["--tls=false", "--host", &self.url()]);
        command
    }

    /// Returns the command that starts Podman's service. It reads images from this machine's own storage, but writes
    /// only to its own.
    fn podman(&self) -> Command {
        let mut command = self.machine.command("podman");
        for (flag, name) in [("--root", "root"), ("--runroot", "run"), ("--tmpdir", "tmp")] {
            command.arg(flag).arg(self.path(name));
        }
        let storage = Command::new("podman").args(["info", "--format", "{{.Store.GraphRoot}}"]).output().unwrap();
        let storage = String::from_utf8(storage.stdout).unwrap();
        command.args(["--storage-opt", &format!("additionalimagestore={}", storage.trim())]);
        command.args(["system", "service", "--time", "0", &self.url()]);
        command
    }

    /// Returns a command of the engine's client program that uses this engine.
    fn client(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program);
        command.args(arguments).envs(self.variables());
        command
    }

    #[track_caller]
    fn load_image(&self) {
        let mut save = Command::new(self.program).args(["save", IMAGE]).stdout(Stdio::piped()).spawn().unwrap();
        let loaded = self.client(&["load", "--quiet"]).stdin(save.stdout.take().unwrap()).output().unwrap();
        assert!(save.wait().unwrap().success() && loaded.status.success(), "{loaded:?}");
    }
}

impl Drop for RemoteEngine {
    fn drop(&mut self) {
        let Some(mut service) = self.service.take() else { return };
        if let Some(pid) = i32::try_from(service.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = service.wait();
        // Podman's monitor process of a command in a container stays for five minutes and would then create the folder
        // again.
        for _ in 0..100 {
            let processes = processes_of(self.folder.path());
            if processes.is_empty() {
                break;
            }
            for process in processes {
                let _ = kill_process(process, Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        if self.program == "podman" {
            let _ = unmount_below(self.folder.path());
        }
        for _ in 0..100 {
            if fs::remove_dir_all(self.folder.path()).is_ok() || !self.folder.path().exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Returns the processes that have this folder in their arguments.
fn processes_of(folder: &Path) -> Vec<Pid> {
    let folder = folder.to_string_lossy();
    let mut processes = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&arguments).contains(&*folder) {
            processes.extend(pid);
        }
    }
    processes
}

/// Unmounts what Podman has left mounted below a folder, including mounts of removed containers.
fn unmount_below(folder: &Path) -> std::io::Result<()> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let below =
        mounts.lines().filter_map(|line| line.split(' ').nth(1)).filter(|path| Path::new(path).starts_with(folder));
    for path in below.collect::<Vec<_>>().into_iter().rev() {
        Command::new("umount").args(["--lazy", path]).status()?;
    }
    Ok(())
}
