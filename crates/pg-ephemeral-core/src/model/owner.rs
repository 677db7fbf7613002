//! The process that owns a server, recorded in a form that another process can check later. This module only decides
//! whether an owner is alive; its callers decide what to do then.

use std::path::Path;
use std::sync::OnceLock;

use ociman::host::{ProcessIdentity, boot_id};
use serde::{Deserialize, Serialize};

/// The files in which systemd and D-Bus store the ID of the machine.
const MACHINE_IDS: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

/// The process that a server belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The host name of the machine.
    pub host: String,
    /// A hash of the machine's ID. It distinguishes machines with the same host name that share an engine. Empty if the
    /// machine has no ID.
    #[serde(default)]
    pub machine: String,
    /// The ID of the machine's last boot.
    pub boot: String,
    /// The PID namespace of the process. Containers on the same machine have namespaces of their own.
    pub namespace: String,
    /// The process ID.
    pub pid: u32,
    /// The start time of the process, in clock ticks since boot. It distinguishes the process from a later one with the
    /// same process ID.
    pub start: u64,
}

/// Whether an owner is alive, as far as the current process can find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// The process is running.
    Alive,
    /// The process has ended.
    Dead,
    /// It is unknown whether the process is running: it belongs to another machine or namespace, or to a user whose
    /// processes are hidden.
    Foreign,
}

impl Owner {
    /// Returns the current process as an owner.
    #[must_use]
    pub fn current() -> Self {
        let ProcessIdentity { pid, start } = ProcessIdentity::current();
        Self {
            host: host_name(),
            machine: machine().to_owned(),
            boot: boot_id().to_owned(),
            namespace: namespace(),
            pid,
            start,
        }
    }

    /// Looks up whether the process is still running.
    #[must_use]
    pub fn liveness(&self) -> Liveness {
        // Older versions recorded only the host name.
        let is_namesake = !self.machine.is_empty() && self.machine != machine();
        if self.host != host_name() || is_namesake {
            return Liveness::Foreign;
        }
        if self.boot != boot_id() {
            return Liveness::Dead;
        }
        if self.namespace != namespace() {
            return Liveness::Foreign;
        }
        let process = ProcessIdentity { pid: self.pid, start: self.start };
        match process.is_alive() {
            true => Liveness::Alive,
            false if process.is_hidden() => Liveness::Foreign,
            false => Liveness::Dead,
        }
    }
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn machine() -> &'static str {
    static MACHINE: OnceLock<String> = OnceLock::new();
    MACHINE.get_or_init(|| machine_of(&MACHINE_IDS.map(Path::new)))
}

/// Returns a hash of the first file that is not empty. The ID of a machine is confidential, so it is not used itself.
fn machine_of(files: &[&Path]) -> String {
    let read = |path: &&Path| std::fs::read_to_string(path).ok().filter(|text| !text.trim().is_empty());
    let hashed = |id: String| blake3::derive_key("pg-ephemeral 2026 machine of an owner", id.trim().as_bytes());
    let id = files.iter().find_map(read);
    id.map(|id| blake3::Hash::from(hashed(id)).to_hex()[..16].to_owned()).unwrap_or_default()
}

fn namespace() -> String {
    let link = std::fs::read_link("/proc/self/ns/pid");
    link.map(|target| target.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive() {
        assert_eq!(Owner::current().liveness(), Liveness::Alive);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn an_owner_records_its_host_its_machine_and_its_namespace() {
        let owner = Owner::current();
        assert_eq!(owner.host, std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim_end());
        assert_eq!(owner.machine, machine_of(&MACHINE_IDS.map(Path::new)));
        assert!(owner.namespace.starts_with("pid:["), "{}", owner.namespace);
    }

    #[test]
    fn a_machine_is_identified_by_a_hash_of_the_first_file_that_is_not_empty() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (empty, one) = (file("empty", "\n"), file("one", "0123456789abcdef0123456789abcdef\n"));
        let (same, other) = (file("same", "0123456789abcdef0123456789abcdef"), file("other", "1"));
        let missing = folder.path().join("missing");
        let machine = machine_of(&[&missing, &empty, &one, &other]);
        assert_eq!(machine, machine_of(&[&same]));
        assert_ne!(machine, machine_of(&[&other]));
        assert!(machine.len() == 16 && !"0123456789abcdef0123456789abcdef".contains(&machine), "{machine}");
        assert_eq!(machine_of(&[&missing, &empty]), "");
    }

    #[test]
    fn a_process_that_was_waited_for_is_dead() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let owner = Owner { pid: child.id(), ..Owner::current() };
        child.wait().unwrap();
        assert_eq!(owner.liveness(), Liveness::Dead);
    }

    #[test]
    fn a_reused_pid_is_not_the_owner() {
        let owner = Owner::current();
        let other = Owner { start: owner.start - 1, ..owner };
        assert_eq!(other.liveness(), Liveness::Dead);
    }

    #[test]
    fn a_process_from_before_the_last_boot_is_dead() {
        let owner = Owner { boot: "another".to_owned(), ..Owner::current() };
        assert_eq!(owner.liveness(), Liveness::Dead);
    }

    #[test]
    fn owners_on_other_machines_or_in_other_namespaces_are_foreign() {
        let owner = Owner::current();
        let elsewhere = Owner { host: "elsewhere".to_owned(), ..owner.clone() };
        let namesake = Owner { machine: "another".to_owned(), boot: "another".to_owned(), ..owner.clone() };
        let inside = Owner { namespace: "pid:[1]".to_owned(), ..owner };
        assert_eq!(namesake.liveness(), Liveness::Foreign);
        let unnamed = Owner { machine: String::new(), boot: "another".to_owned(), ..namesake };
        assert_eq!(unnamed.liveness(), Liveness::Dead);
        assert_eq!(elsewhere.liveness(), Liveness::Foreign);
        assert_eq!(inside.liveness(), Liveness::Foreign);
    }
}
