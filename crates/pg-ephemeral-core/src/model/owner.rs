//! Who owns a server, in a form that another process can judge later: a process of a machine since its last start. It
//! decides only whether an owner is alive; what follows from that is not its business.

use std::path::Path;
use std::sync::OnceLock;

use ociman::host::{ProcessIdentity, boot_id};
use serde::{Deserialize, Serialize};

/// What systemd and D-Bus identify a machine by.
const MACHINE_IDS: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

/// The process that a server belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Name of the machine.
    pub host: String,
    /// What tells it from other machines of that name, which may share an engine with it; empty where there is nothing.
    #[serde(default)]
    pub machine: String,
    /// Identifier of the machine's last start.
    pub boot: String,
    /// The process namespace, since containers of one machine count their processes apart.
    pub namespace: String,
    /// Process id.
    pub pid: u32,
    /// When the process started, in clock ticks since the machine's start: a pid alone may have been reused.
    pub start: u64,
}

/// What can be said of an owner from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// The process runs.
    Alive,
    /// The process is gone.
    Dead,
    /// The process belongs to another machine or namespace, or to a user whose processes are hidden: we can't look.
    Foreign,
}

impl Owner {
    /// This process.
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

    /// Whether the process still runs.
    #[must_use]
    pub fn liveness(&self) -> Liveness {
        // Older versions tell only the name.
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

/// A hash of what the first of the files has that is not empty, since that itself is not to be shown to others.
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
    fn an_owner_tells_the_host_the_machine_and_the_namespace_that_it_runs_in() {
        let owner = Owner::current();
        assert_eq!(owner.host, std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim_end());
        assert_eq!(owner.machine, machine_of(&MACHINE_IDS.map(Path::new)));
        assert!(owner.namespace.starts_with("pid:["), "{}", owner.namespace);
    }

    #[test]
    fn a_machine_is_told_by_the_first_file_that_has_something_and_never_in_its_own_words() {
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
    fn everything_from_before_the_last_start_of_the_machine_is_dead() {
        let owner = Owner { boot: "another".to_owned(), ..Owner::current() };
        assert_eq!(owner.liveness(), Liveness::Dead);
    }

    #[test]
    fn nothing_is_said_of_other_machines_and_namespaces() {
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
