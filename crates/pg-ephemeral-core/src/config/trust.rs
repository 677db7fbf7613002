//! Whether a file that was found in a parent folder may be used: what it says is executed, so nobody else may have
//! written it.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A configuration in a parent folder that somebody else may have written. It is used only when it is named.
#[derive(Debug, thiserror::Error)]
#[error("refused to use {}, which was found in a parent folder", path.display())]
#[non_exhaustive]
pub struct UntrustedConfig {
    /// The configuration.
    pub path: PathBuf,
    /// Why it is not trusted.
    #[source]
    pub distrust: Distrust,
}

impl UntrustedConfig {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        let path = self.path.display();
        format!("if you trust it, name it: `--config-file {path}`; `--no-config-file` does without it")
    }
}

/// Why a configuration is not trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Distrust {
    /// The file or its folder belongs to neither the caller, nor root, nor the user who called `sudo`.
    #[error("{} belongs to another user, with the id {user}", path.display())]
    Owner {
        /// The file or its folder.
        path: PathBuf,
        /// The owner's user id.
        user: u32,
    },
    /// More than its owner can write to the file or its folder.
    #[error("other users can write to {} (mode {mode:03o})", path.display())]
    Writable {
        /// The file or its folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The owner of the file or its folder is unknown.
    #[error("look up who owns {}", path.display())]
    Unknown {
        /// The file or its folder.
        path: PathBuf,
        /// What the system said.
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

/// Who may write to a file or a folder.
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

/// The users whose files are used.
struct Trusted(Vec<User>);

impl Trusted {
    /// The caller and root. When root is the caller, also the user who called `sudo`, as Git does for its `safe.directory`.
    fn by(caller: User, variable: impl Fn(&str) -> Option<String>) -> Self {
        let number = |name| variable(name)?.parse().ok();
        let user_of_sudo = || Some(User { id: number("SUDO_UID")?, group: number("SUDO_GID")? });
        let user_of_sudo = if caller.id == ROOT.id { user_of_sudo() } else { None };
        Self([caller, ROOT].into_iter().chain(user_of_sudo).collect())
    }

    /// Why what has such an access is not used, or `None`.
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

    /// With the values of `SUDO_UID` and `SUDO_GID`.
    fn trusts_under_sudo(user: User, ids: Option<(&str, &str)>, (id, group, mode): (u32, u32, u32)) -> bool {
        let variable = |name: &str| {
            let (uid, gid) = ids?;
            Some(if name == "SUDO_UID" { uid } else { gid }.to_owned())
        };
        let trusted = Trusted::by(user, variable);
        trusted.distrust(Path::new("/x"), &Access { user: id, group, mode }).is_none()
    }

    #[test]
    fn root_trusts_what_the_user_who_called_sudo_owns() {
        let ids = Some(("1000", "1000"));
        assert!(trusts_under_sudo(ROOT, ids, (1000, 1000, 0o664)));
        assert!(trusts_under_sudo(ROOT, ids, (0, 0, 0o644)));
        assert!(!trusts_under_sudo(ROOT, ids, (1000, 50, 0o664)));
        assert!(!trusts_under_sudo(ROOT, ids, (1001, 1001, 0o600)));
    }

    #[test]
    fn what_sudo_set_counts_for_root_alone_and_only_as_numbers() {
        assert!(!trusts_under_sudo(CALLER, Some(("1001", "1001")), (1001, 1001, 0o600)));
        for uid in ["", "-1", "1000x", "4294968296"] {
            assert!(!trusts_under_sudo(ROOT, Some((uid, "1000")), (1000, 1000, 0o600)), "{uid}");
        }
    }

    #[test]
    fn what_the_caller_or_root_owns_is_trusted() {
        for access in [(1000, 1000, 0o644), (1000, 50, 0o755), (0, 0, 0o644), (0, 50, 0o755)] {
            assert!(trusts(CALLER, access), "{access:?}");
        }
        assert!(trusts(ROOT, (0, 0, 0o600)));
    }

    #[test]
    fn what_another_user_owns_is_not_trusted_also_by_root() {
        assert!(!trusts(CALLER, (1001, 1000, 0o600)));
        assert!(!trusts(ROOT, (1000, 1000, 0o600)));
        assert!(!trusts(ROOT, (1000, 0, 0o600)));
    }

    #[test]
    fn what_others_can_write_is_not_trusted_but_the_owners_own_group_may() {
        assert!(trusts(CALLER, (1000, 1000, 0o664)));
        assert!(trusts(CALLER, (0, 0, 0o775)));
        assert!(!trusts(CALLER, (1000, 50, 0o664)));
        assert!(!trusts(CALLER, (0, 1000, 0o664)));
        assert!(!trusts(CALLER, (1000, 1000, 0o646)));
        assert!(!trusts(CALLER, (0, 0, 0o777)));
    }
}
