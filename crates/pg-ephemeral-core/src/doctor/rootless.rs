//! Checks what an engine that runs without root needs from the system. Does nothing for root.

use std::path::{Path, PathBuf};

use ociman::Kind;

use super::finding::{Area, Finding, Level, Working};

/// The number of subordinate IDs that common images need for their users.
const ENOUGH_IDS: u64 = 65_536;

/// What the system provides for a user.
#[derive(Debug, Clone)]
struct Setup {
    user: String,
    uid: u32,
    /// The content of `/etc/subuid`.
    users: String,
    /// The content of `/etc/subgid`.
    groups: String,
    /// `XDG_RUNTIME_DIR`, and whether it is a folder that the user owns.
    runtime: Option<(PathBuf, bool)>,
    /// The cgroup controllers that are delegated to the user; `None` if there are no cgroups of version 2.
    controllers: Option<String>,
}

/// Examines the system if one of the working engines is rootless. Podman is rootless unless the caller is root; Docker
/// is if its engine says so.
pub(super) async fn examine(working: &[Working]) -> Vec<Finding> {
    let uid = rustix::process::geteuid();
    let concerns = |one: &Working| match &one.info {
        // A remote engine needs nothing from this machine.
        _ if one.backend.remote_host().is_some() => false,
        Some(info) => info.is_rootless,
        None => one.backend.kind() == Kind::Podman,
    };
    match !uid.is_root() && working.iter().any(concerns) {
        true => judged(&Setup::of(uid.as_raw())),
        false => Vec::new(),
    }
}

impl Setup {
    fn of(uid: u32) -> Self {
        use std::os::unix::fs::MetadataExt;
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty()).map(PathBuf::from);
        let is_ours = |path: &Path| path.metadata().is_ok_and(|folder| folder.is_dir() && folder.uid() == uid);
        let slice = format!("/sys/fs/cgroup/user.slice/user-{uid}.slice/user@{uid}.service/cgroup.controllers");
        let has_cgroups = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
        Self {
            user: ociman::host::name_of_user(uid).unwrap_or_else(|| uid.to_string()),
            uid,
            users: text("/etc/subuid"),
            groups: text("/etc/subgid"),
            runtime: runtime.map(|path| (path.clone(), is_ours(&path))),
            controllers: has_cgroups.then(|| text(&slice)),
        }
    }
}

fn judged(setup: &Setup) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in [("/etc/subuid", &setup.users), ("/etc/subgid", &setup.groups)] {
        let count = ids(text, &setup.user, setup.uid);
        let message = format!("{} has {count} subordinate ids", setup.user);
        findings.push(match count >= ENOUGH_IDS {
            true => Finding::new(Area::Rootless, file, Level::Ok, message),
            false => Finding::new(Area::Rootless, file, Level::Warning, message)
                .advice(format!("`usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {}`", setup.user)),
        });
    }
    findings.push(match &setup.runtime {
        Some((path, true)) => {
            Finding::new(Area::Rootless, "XDG_RUNTIME_DIR", Level::Ok, format!("{} belongs to you", path.display()))
        }
        Some((path, false)) => {
            let message = format!("{} is not your folder", path.display());
            Finding::new(Area::Rootless, "XDG_RUNTIME_DIR", Level::Warning, message)
                .advice("log in as this user instead of using su, or `loginctl enable-linger`")
        }
        None => Finding::new(Area::Rootless, "XDG_RUNTIME_DIR", Level::Warning, "is not set")
            .advice("log in as this user instead of using su, or `loginctl enable-linger`"),
    });
    findings.push(match &setup.controllers {
        None => Finding::new(
            Area::Rootless,
            "cgroups",
            Level::Note,
            "there are none of version 2: no limit of a container holds",
        ),
        Some(controllers) if controllers.split_whitespace().any(|one| one == "memory") => {
            Finding::new(Area::Rootless, "cgroups", Level::Ok, format!("yours: {}", controllers.trim()))
        }
        Some(_) => Finding::new(
            Area::Rootless,
            "cgroups",
            Level::Note,
            "none are handed to you: no limit of a container holds",
        )
        .advice("let systemd delegate them, should you need limits"),
    });
    findings
}

/// Returns how many subordinate IDs the text of `/etc/subuid` or `/etc/subgid` assigns to a user, by name or by number.
fn ids(text: &str, user: &str, uid: u32) -> u64 {
    let number = uid.to_string();
    let lines = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let counts = lines.filter_map(|fields| match fields.as_slice() {
        [name, _, count] if *name == user || *name == number => count.trim().parse::<u64>().ok(),
        _ => None,
    });
    counts.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup() -> Setup {
        let ranges = "other:1:2\nme:100000:65536\n".to_owned();
        Setup {
            user: "me".to_owned(),
            uid: 1000,
            users: ranges.clone(),
            groups: ranges,
            runtime: Some(("/run/user/1000".into(), true)),
            controllers: Some("cpu memory pids\n".to_owned()),
        }
    }

    fn level(setup: &Setup, subject: &str) -> Level {
        judged(setup).into_iter().find(|finding| finding.subject == subject).unwrap().level
    }

    #[test]
    fn a_complete_set_up_is_ok_without_advice() {
        assert!(judged(&setup()).iter().all(|finding| finding.level == Level::Ok && finding.advice.is_none()));
    }

    #[test]
    fn each_missing_part_is_reported_with_advice() {
        let without =
            Setup { users: "other:1:65536\n".to_owned(), runtime: None, controllers: Some(String::new()), ..setup() };
        assert_eq!(level(&without, "/etc/subuid"), Level::Warning);
        assert_eq!(level(&without, "/etc/subgid"), Level::Ok);
        assert_eq!(level(&without, "XDG_RUNTIME_DIR"), Level::Warning);
        assert_eq!(level(&without, "cgroups"), Level::Note);
        assert!(judged(&without).iter().all(|finding| finding.level == Level::Ok || finding.advice.is_some()));
        assert_eq!(
            level(&Setup { runtime: Some(("/run/user/0".into(), false)), ..setup() }, "XDG_RUNTIME_DIR"),
            Level::Warning
        );
    }

    #[test]
    fn ranges_are_found_by_name_and_by_number_and_added_up() {
        assert_eq!(ids("me:1:10\n1000:50:5\nmean:1:7\nme:x\n", "me", 1000), 15);
    }
}
