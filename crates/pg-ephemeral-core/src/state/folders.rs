//! The folders where this crate keeps files between commands. This module knows their paths and modes, not the content
//! of the files.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use ociman::ContainerName;

/// The state folders of one user. Use [`Folders::of_user`]; tests use [`Folders::at`] with a folder of their own.
///
/// ```
/// let folders = pg_ephemeral_core::Folders::at("/tmp/example");
/// assert!(folders.state().starts_with("/tmp/example"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    state: PathBuf,
    host: PathBuf,
}

/// The reason why the user's folders could not be found or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FoldersError {
    /// The user has no home folder.
    #[error("failed to find the home folder")]
    NoHome(#[source] etcetera::HomeDirError),
    /// A folder could not be created.
    #[error("failed to make the folder {}", path.display())]
    Make {
        /// The path of the folder.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: io::Error,
    },
    /// The folder for temporary files does not exist.
    #[error("the folder of temporary files {} does not exist", path.display())]
    NoTemporary {
        /// The folder.
        path: PathBuf,
    },
    /// The folder for sockets, which is in a folder that all users can write to, belongs to another user, or other
    /// users have access to it.
    #[error("the folder {} is not closed to other users", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
}

impl FoldersError {
    /// Returns a hint on what the user can do about the error.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoHome(_) => "set HOME to a folder of yours",
            Self::NoTemporary { .. } => "set TMPDIR to a folder that exists, or unset it",
            Self::Make { .. } => "`pg-ephemeral doctor` tells which folders have to be yours",
            Self::Foreign { .. } => {
                "it has to be yours, with mode 0700: remove it if nothing runs in it, or set TMPDIR to a folder of yours"
            }
        }
    }
}

impl Folders {
    /// Returns the folders of the current user: `pg-ephemeral` for this crate and `ociman` for the host backend, both
    /// in `$XDG_STATE_HOME`, which is `~/.local/state` by default.
    ///
    /// # Errors
    /// Returns [`FoldersError::NoHome`] if the user has no home folder.
    pub fn of_user() -> Result<Self, FoldersError> {
        let strategy = etcetera::choose_base_strategy().map_err(FoldersError::NoHome)?;
        let state = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
        Ok(Self::at(state))
    }

    /// Returns the folders `pg-ephemeral` and `ociman` in another folder than the user's `$XDG_STATE_HOME`.
    pub fn at(state_home: impl AsRef<Path>) -> Self {
        let state_home = state_home.as_ref();
        Self { state: state_home.join("pg-ephemeral"), host: state_home.join("ociman") }
    }

    /// Returns the folder that contains the other two folders.
    pub fn state_home(&self) -> &Path {
        self.state.parent().unwrap_or(&self.state)
    }

    /// Returns the folder with the state of this crate.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Returns the folder with the state of the host backend.
    pub fn host(&self) -> &Path {
        &self.host
    }

    /// Returns a folder in the state folder. Creates it with mode 0700 if it does not exist.
    pub(crate) fn state_folder(&self, name: &str) -> Result<PathBuf, FoldersError> {
        let path = self.state.join(name);
        make_private(&path)?;
        Ok(path)
    }

    /// Returns the path of the folder for sockets.
    pub(crate) fn sockets_path() -> PathBuf {
        Self::sockets_path_in(&std::env::temp_dir())
    }

    /// Returns the path of the folder for sockets in this folder for temporary files. If the paths of sockets would be
    /// too long there or are not UTF-8, returns a path in `/tmp`.
    fn sockets_path_in(temporary: &Path) -> PathBuf {
        let name = sockets_name();
        let path = temporary.join(&name);
        // The path must be UTF-8, because variables and URLs for clients contain it.
        let is_usable = path.as_os_str().len() <= LONGEST_SOCKETS_PATH && path.to_str().is_some();
        if is_usable { path } else { Path::new("/tmp").join(name) }
    }

    /// Returns the folder for sockets. Creates it if it does not exist.
    pub(crate) fn sockets() -> Result<PathBuf, FoldersError> {
        let path = Self::sockets_path();
        // The folder for temporary files belongs to the system or the user, so it is not created.
        if let Some(temporary) = path.parent().filter(|temporary| !temporary.is_dir()) {
            return Err(FoldersError::NoTemporary { path: temporary.to_owned() });
        }
        make_private(&path)?;
        if is_private(&path) { Ok(path) } else { Err(FoldersError::Foreign { path }) }
    }
}

/// The maximum length of the path of the folder for sockets, in bytes. The path of a socket has at most 103 bytes on
/// macOS, and 107 on Linux. The folder of one socket is named for its container, such as
/// `pg-ephemeral-0123456789abcdef`, or by [`ociman::host::temporary`], whose names are longer.
const LONGEST_SOCKETS_PATH: usize =
    103 - "/.01234567890123456789-4194304-012345678901-0000".len() - "/.s.PGSQL.54321".len();

/// The folder of the server records.
pub(crate) const SERVERS: &str = "servers";
/// The folder of cached information about base images.
pub(crate) const BASES: &str = "bases";
/// The folder of the certificate authorities of servers with TLS.
pub(crate) const TLS: &str = "tls";
/// The folder of the handover notes.
pub(crate) const STOPPED: &str = "stopped";
/// All folders in the state folder where files are written as a whole.
const WRITTEN: [&str; 5] = ["", SERVERS, BASES, TLS, STOPPED];

/// Returns the number of files that [`sweep`] would remove.
pub(crate) fn half_written(folders: &Folders) -> usize {
    swept(folders).iter().map(|folder| ociman::host::count_leftovers(folder)).sum()
}

/// Removes incomplete and temporary files that killed processes have left.
pub(crate) fn sweep(folders: &Folders) {
    swept(folders).iter().for_each(|folder| ociman::host::sweep(folder));
}

fn swept(folders: &Folders) -> Vec<PathBuf> {
    let sockets = Folders::sockets_path();
    let is_own = is_private(&sockets);
    let written = WRITTEN.iter().map(|name| folders.state().join(name));
    written.chain(is_own.then_some(sockets)).collect()
}

/// Writes a file atomically, with mode 0600.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = write_draft(path, bytes)?;
    fs::rename(draft, path)
}

/// Writes a file next to `path`, with mode 0600, and returns its path. The caller moves it to `path`. If this process
/// is killed before that, [`sweep`] removes the file.
pub(crate) fn write_draft(path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let draft = ociman::host::temporary(path.parent().unwrap_or(Path::new("")));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    Ok(draft)
}

fn make_private(path: &Path) -> Result<(), FoldersError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| FoldersError::Make { path: path.to_owned(), source })
}

/// Creates a folder with mode 0777 in the private folder for sockets, so that a server with any user ID can create its
/// socket there.
pub(crate) fn make_socket_folder(path: &Path) -> Result<(), FoldersError> {
    let open_to_all = Permissions::from_mode(0o777);
    std::fs::create_dir(path)
        .and_then(|()| std::fs::set_permissions(path, open_to_all))
        .map_err(|source| FoldersError::Make { path: path.to_owned(), source })
}

/// Removes the folder that [`make_socket_folder`] has created for a container. A record could name any folder, so this
/// only removes a folder that has the container's name and is in this user's folder for sockets. Any other folder is
/// left alone without an error.
pub(crate) fn remove_socket_folder(path: &Path, container: &ContainerName) -> io::Result<()> {
    let is_own = path.file_name().is_some_and(|name| name == container.as_str())
        && path
            .parent()
            .is_some_and(|parent| parent.file_name() == Some(sockets_name().as_ref()) && is_private(parent))
        && path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
    if is_own { fs::remove_dir_all(path) } else { Ok(()) }
}

/// Returns the name of the folder for sockets.
fn sockets_name() -> String {
    format!("pg-ephemeral-{}", rustix::process::geteuid().as_raw())
}

/// Returns `true` if a path is a folder of this user that other users have no access to. A symbolic link is not such a
/// folder.
fn is_private(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| {
        metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o077 == 0
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::SocketAddr;

    use super::*;

    #[test]
    fn a_private_folder_belongs_to_the_user_and_is_closed_to_others() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("folder");
        fs::create_dir(&folder).unwrap();
        for (mode, expected) in [(0o700, true), (0o750, false), (0o702, false), (0o711, false)] {
            fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_private(&folder), expected, "{mode:o}");
        }
        fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
        let link = parent.path().join("link");
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        assert!(!is_private(&link) && !is_private(&parent.path().join("missing")));
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&folder, Some(12345), None).unwrap();
            assert!(!is_private(&folder));
        }
    }

    #[test]
    fn only_the_socket_folder_of_the_container_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let container: ContainerName = "pg-ephemeral-x".parse().unwrap();
        let sockets = parent.path().join(sockets_name());
        let own = sockets.join("pg-ephemeral-x");
        let others = [
            sockets.join("pg-ephemeral-y"),
            parent.path().join("pg-ephemeral-x"),
            sockets.join("more").join("pg-ephemeral-x"),
        ];
        for folder in others.iter().chain([&own]) {
            fs::create_dir_all(folder).unwrap();
        }
        for folder in &others {
            remove_socket_folder(folder, &container).unwrap();
            assert!(folder.exists(), "{}", folder.display());
        }
        fs::set_permissions(&sockets, Permissions::from_mode(0o755)).unwrap();
        remove_socket_folder(&own, &container).unwrap();
        assert!(own.exists());
        fs::set_permissions(&sockets, Permissions::from_mode(0o700)).unwrap();
        remove_socket_folder(&own, &container).unwrap();
        assert!(!own.exists());
    }

    #[test]
    fn sockets_are_in_the_folder_for_temporary_files_if_their_paths_fit() {
        let name = Folders::sockets_path_in(Path::new("/")).as_os_str().len();
        let longest = format!("/{}", "t".repeat(LONGEST_SOCKETS_PATH - name - 1));
        let folder = Folders::sockets_path_in(Path::new(&longest));
        assert!(folder.starts_with(&longest), "{}", folder.display());
        SocketAddr::from_pathname(folder.join("pg-ephemeral-0123456789abcdef/.s.PGSQL.5432")).unwrap();
        use std::os::unix::ffi::OsStrExt;
        let not_utf8 = Path::new(std::ffi::OsStr::from_bytes(b"/t\xff"));
        assert_eq!(Folders::sockets_path_in(not_utf8).parent(), Some(Path::new("/tmp")));
        let longer = Folders::sockets_path_in(Path::new(&format!("{longest}t")));
        assert_eq!(longer.parent(), Some(Path::new("/tmp")));
    }
}
