//! Checks the owners and modes of the files and folders that pg-ephemeral uses.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Access, access};
use rustix::io::Errno;

use super::finding::{Area, Finding, Level, nearest};
use crate::state::Folders;

/// The length of the machine's secret, in bytes.
const SECRET_LENGTH: u64 = 32;

pub(super) fn examine(folders: &Folders, config_file: Option<&Path>) -> Vec<Finding> {
    let mut findings = vec![private_folder(folders.state(), STATE), private_folder(folders.host(), STATE)];
    findings.extend(secret(&folders.state().join("secret")));
    findings.push(private_folder(&Folders::sockets_path(), TEMPORARY));
    let own = etcetera::choose_base_strategy().ok();
    let own = own.map(|strategy| etcetera::BaseStrategy::config_dir(&strategy).join("ociman.toml"));
    for path in config_file.into_iter().chain(own.as_deref()) {
        findings.extend(configuration(path));
    }
    findings
}

fn finding(path: &Path, level: Level, message: impl Into<String>) -> Finding {
    Finding::new(Area::Permissions, path.display().to_string(), level, message)
}

/// The variables that set where private folders are.
const STATE: &str = "XDG_STATE_HOME";
const TEMPORARY: &str = "TMPDIR";

/// Checks a folder that is created when it is needed and that only its owner may access. `variable` names the variable
/// that sets where it is.
fn private_folder(path: &Path, variable: &str) -> Finding {
    let Ok(metadata) = path.symlink_metadata() else {
        return match nearest(path) {
            Some(parent) if access(parent, Access::WRITE_OK | Access::EXEC_OK).is_ok() => {
                finding(path, Level::Ok, "will be created when it is needed")
            }
            parent => {
                let parent = parent.unwrap_or(path).display();
                finding(path, Level::Missing, format!("can't be created in {parent}"))
                    .advice(format!("make {parent} writable for you, or set {variable} to a folder that is"))
            }
        };
    };
    let metadata = path.metadata().unwrap_or(metadata);
    let writable = access(path, Access::WRITE_OK | Access::EXEC_OK);
    judge_folder(path, variable, &metadata, writable)
}

/// Judges a private folder that exists. `writable` is the result of testing whether the caller can write to it.
fn judge_folder(path: &Path, variable: &str, metadata: &Metadata, writable: Result<(), Errno>) -> Finding {
    match () {
        () if !metadata.is_dir() => finding(path, Level::Missing, "is not a folder").advice("move it away"),
        () if !is_ours(metadata) => finding(path, Level::Missing, "belongs to another user")
            .advice(format!("remove it, or `chown -R {}` it", rustix::process::geteuid().as_raw())),
        () => match writable {
            Err(errno) => finding(path, Level::Missing, format!("can't be written: {}", io::Error::from(errno)))
                .advice(format!("make it writable, or set {variable} to a folder that is")),
            Ok(()) if metadata.mode() & 0o077 != 0 => {
                finding(path, Level::Warning, format!("other users can read it: mode {:o}", metadata.mode() & 0o777))
                    .advice(format!("`chmod 700 {}`", path.display()))
            }
            Ok(()) => finding(path, Level::Ok, "only you can access it"),
        },
    }
}

/// Checks the machine's secret. Returns `None` if there is none yet; the first start creates it.
fn secret(path: &Path) -> Option<Finding> {
    let metadata = path.symlink_metadata().ok()?;
    let renew = format!("`rm {}`: a new one is created, and all layers are built again", path.display());
    Some(match () {
        () if !is_ours(&metadata) => finding(path, Level::Missing, "the secret belongs to another user").advice(renew),
        () if metadata.len() != SECRET_LENGTH => {
            finding(path, Level::Missing, format!("the secret has {} bytes instead of 32", metadata.len()))
                .advice(renew)
        }
        () if metadata.mode() & 0o077 != 0 => finding(
            path,
            Level::Warning,
            format!("other users can read the secret: mode {:o}", metadata.mode() & 0o777),
        )
        .advice(renew),
        () => finding(path, Level::Ok, "only you can read the secret"),
    })
}

/// Warns of a configuration that everybody can write, because a configuration can make pg-ephemeral run any program.
fn configuration(path: &Path) -> Option<Finding> {
    let metadata = path.metadata().ok()?;
    (metadata.mode() & 0o002 != 0).then(|| {
        finding(path, Level::Warning, "everybody may write it, and so have programs run as you")
            .advice(format!("`chmod o-w {}`", path.display()))
    })
}

fn is_ours(metadata: &Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn with_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_private_folder_must_be_a_folder_with_a_private_mode_if_it_exists() {
        let folder = tempfile::tempdir().unwrap();
        with_mode(folder.path(), 0o700);
        assert_eq!(private_folder(folder.path(), STATE).level, Level::Ok);
        with_mode(folder.path(), 0o750);
        let open = private_folder(folder.path(), STATE);
        assert_eq!((open.level, open.message.as_str()), (Level::Warning, "other users can read it: mode 750"));
        assert_eq!(private_folder(&folder.path().join("not/yet"), STATE).level, Level::Ok);
        fs::write(folder.path().join("file"), "").unwrap();
        assert_eq!(private_folder(&folder.path().join("file"), STATE).level, Level::Missing);
    }

    #[test]
    fn a_folder_that_can_not_be_written_is_reported_as_missing() {
        let folder = tempfile::tempdir().unwrap();
        with_mode(folder.path(), 0o700);
        let judged = |writable| judge_folder(folder.path(), STATE, &folder.path().metadata().unwrap(), writable);
        assert_eq!(judged(Ok(())).level, Level::Ok);
        let read_only = judged(Err(Errno::ROFS));
        assert_eq!(read_only.level, Level::Missing);
        assert_eq!(read_only.message, "can't be written: Read-only file system (os error 30)");
        if !rustix::process::geteuid().is_root() {
            with_mode(folder.path(), 0o500);
            assert_eq!(private_folder(folder.path(), STATE).level, Level::Missing);
        }
    }

    #[test]
    fn a_secret_that_others_may_read_or_of_the_wrong_length_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert_eq!(secret(&path), None);
        fs::write(&path, [0; 32]).unwrap();
        for (mode, level) in [(0o600, Level::Ok), (0o640, Level::Warning)] {
            with_mode(&path, mode);
            assert_eq!(secret(&path).unwrap().level, level);
        }
        fs::write(&path, "short").unwrap();
        assert_eq!(secret(&path).unwrap().level, Level::Missing);
    }

    #[test]
    fn a_configuration_that_everybody_may_write_is_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("database.toml");
        fs::write(&path, "").unwrap();
        with_mode(&path, 0o644);
        assert_eq!(configuration(&path), None);
        with_mode(&path, 0o666);
        assert_eq!(configuration(&path).unwrap().level, Level::Warning);
    }
}
