//! Checks whether a configuration that was found in a parent folder may be used. A configuration can run commands, so
//! it is refused if other users may have written it.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The error for a configuration in a parent folder that another user may have written. Such a configuration is only
/// used if the user names it explicitly.
#[derive(Debug, thiserror::Error)]
#[error("refused to use {}, which was found in a parent folder", path.display())]
#[non_exhaustive]
pub struct UntrustedConfig {
    /// The path of the configuration.
    pub path: PathBuf,
    /// The reason why it is not trusted.
    #[source]
    pub distrust: Distrust,
}

impl UntrustedConfig {
    /// Returns what the user can do about the error.
    #[must_use]
    pub fn hint(&self) -> String {
        let path = self.path.display();
        format!("if you trust it, name it: `--config-file {path}`; `--no-config-file` does without it")
    }
}

/// The reason why a configuration is not trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Distrust {
    /// The file or its folder belongs to a user other than the caller, root and the user who called `sudo`.
    #[error("{} belongs to another user, with the id {user}", path.display())]
    Owner {
        /// The file or its folder.
        path: PathBuf,
        /// The owner's user id.
        user: u32,
    },
    /// Users other than the owner and the owner's own group can write to the file or its folder.
    #[error("other users can write to {} (mode {mode:03o})", path.display())]
    Writable {
        /// The file or its folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The owner of the file or its folder could not be looked up.
    #[error("failed to look up who owns {}", path.display())]
    Unknown {
        /// The file or its folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// Checks a file that was found in a parent folder.
pub(super) fn check(path: &Path) -> Result<(), UntrustedConfig> {
    let caller = User { id: rustix::process::geteuid().as_raw(), group: rustix::process::getegid().as_raw() };
    let trusted = Trusted::by(caller, |name| std::env::var(name).ok());
    let distrusted = [Some(path), path.parent()].into_iter().flatten().find_map(|path| match path.metadata() {
        Ok(metadata) => trusted.distrust(path, &Access::from(&metadata)),
        Err(source) => Some(Distrust::Unknown { path: path.to_owned(), source }),
    });
    match distrusted {
        Some(distrust) => Err(UntrustedConfig { path: path.to_owned(), distrust }),
        None => Ok(()),
    }
}

/// A user with their own group.
#[derive(Debug, Clone, Copy)]
struct User {
    id: u32,
    group: u32,
}

const ROOT: User = User { id: 0, group: 0 };

const GROUP_WRITABLE: u32 = 0o020;
const WORLD_WRITABLE: u32 = 0o002;

/// The owner, the group and the permissions of a file or a folder.
#[derive(Debug)]
struct Access {
    user: u32,
    group: u32,
    mode: u32,
}

impl From<&Metadata> for Access {
    fn from(metadata: &Metadata) -> Self {
        Self { user: metadata.uid(), group: metadata.gid(), mode: metadata.mode() & 0o777 }
    }
}

/// The users whose files are trusted.
struct Trusted(Vec<User>);

impl Trusted {
    /// Returns the caller and root. If the caller is root, also the user who called `sudo`, as Git does for its
    /// `safe.directory`.
    fn by(caller: User, variable: impl Fn(&str) -> Option<String>) -> Self {
        let number = |name| variable(name)?.parse().ok();
        let user_of_sudo = || Some(User { id: number("SUDO_UID")?, group: number("SUDO_GID")? });
        let user_of_sudo = if caller.id == ROOT.id { user_of_sudo() } else { None };
        Self([caller, ROOT].into_iter().chain(user_of_sudo).collect())
    }

    /// Returns the reason why a file with this access is not trusted. `None` if it is trusted.
    fn distrust(&self, path: &Path, access: &Access) -> Option<Distrust> {
        let path = || path.to_owned();
        let Some(owner) = self.0.iter().find(|owner| owner.id == access.user) else {
            return Some(Distrust::Owner { path: path(), user: access.user });
        };
        let by_group = access.mode & GROUP_WRITABLE != 0 && access.group != owner.group;
        let by_all = access.mode & WORLD_WRITABLE != 0;
        (by_group || by_all).then(|| Distrust::Writable { path: path(), mode: access.mode })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLER: User = User { id: 1000, group: 1000 };

    fn trusts(user: User, access: (u32, u32, u32)) -> bool {
        trusts_under_sudo(user, None, access)
    }

    /// Returns `true` if the file is trusted. `ids` are the values of `SUDO_UID` and `SUDO_GID`.
    fn trusts_under_sudo(user: User, ids: Option<(&str, &str)>, (id, group, mode): (u32, u32, u32)) -> bool {
        let variable = |name: &str| {
            let (uid, gid) = ids?;
            Some(if name == "SUDO_UID" { uid } else { gid }.to_owned())
        };
        let trusted = Trusted::by(user, variable);
        trusted.distrust(Path::new("/x"), &Access { user: id, group, mode }).is_none()
    }

    #[test]
    fn root_trusts_files_of_the_user_who_called_sudo() {
        let ids = Some(("1000", "1000"));
        assert!(trusts_under_sudo(ROOT, ids, (1000, 1000, 0o664)));
        assert!(trusts_under_sudo(ROOT, ids, (0, 0, 0o644)));
        assert!(!trusts_under_sudo(ROOT, ids, (1000, 50, 0o664)));
        assert!(!trusts_under_sudo(ROOT, ids, (1001, 1001, 0o600)));
    }

    #[test]
    fn the_variables_of_sudo_are_ignored_unless_the_caller_is_root_and_they_are_numbers() {
        assert!(!trusts_under_sudo(CALLER, Some(("1001", "1001")), (1001, 1001, 0o600)));
        for uid in ["", "-1", "1000x", "4294968296"] {
            assert!(!trusts_under_sudo(ROOT, Some((uid, "1000")), (1000, 1000, 0o600)), "{uid}");
        }
    }

    #[test]
    fn files_of_the_caller_and_of_root_are_trusted() {
        for access in [(1000, 1000, 0o644), (1000, 50, 0o755), (0, 0, 0o644), (0, 50, 0o755)] {
            assert!(trusts(CALLER, access), "{access:?}");
        }
        assert!(trusts(ROOT, (0, 0, 0o600)));
    }

    #[test]
    fn files_of_another_user_are_not_trusted_even_by_root() {
        assert!(!trusts(CALLER, (1001, 1000, 0o600)));
        assert!(!trusts(ROOT, (1000, 1000, 0o600)));
        assert!(!trusts(ROOT, (1000, 0, 0o600)));
    }

    #[test]
    fn files_that_others_can_write_are_not_trusted_except_for_the_owners_own_group() {
        assert!(trusts(CALLER, (1000, 1000, 0o664)));
        assert!(trusts(CALLER, (0, 0, 0o775)));
        assert!(!trusts(CALLER, (1000, 50, 0o664)));
        assert!(!trusts(CALLER, (0, 1000, 0o664)));
        assert!(!trusts(CALLER, (1000, 1000, 0o646)));
        assert!(!trusts(CALLER, (0, 0, 0o777)));
    }
}
