//! Where this crate keeps what outlives a command. It knows folders and their modes, not what is put there.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use ociman::ContainerName;

/// The folders of one user. Tests give their own; everybody else takes [`Folders::of_user`].
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

/// Why the user's folders could not be found or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FoldersError {
    /// The user has no home folder.
    #[error("find the home folder")]
    NoHome(#[source] etcetera::HomeDirError),
    /// A folder could not be made, or is not safe to use.
    #[error("make the folder {}", path.display())]
    Make {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The folder of temporary files is not there.
    #[error("the folder of temporary files {} does not exist", path.display())]
    NoTemporary {
        /// The folder.
        path: PathBuf,
    },
    /// A folder in a place that everyone can write to belongs to another user, or other users can enter it.
    #[error("the folder {} is not closed to other users", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
}

impl FoldersError {
    /// What the user can do about it.
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
    /// `$XDG_STATE_HOME/pg-ephemeral`, by default `~/.local/state/pg-ephemeral`, and beside it `ociman` for the host
    /// backend.
    ///
    /// # Errors
    /// [`FoldersError::NoHome`].
    pub fn of_user() -> Result<Self, FoldersError> {
        let strategy = etcetera::choose_base_strategy().map_err(FoldersError::NoHome)?;
        let state = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
        Ok(Self::at(state))
    }

    /// The same below another folder than the user's state folder.
    pub fn at(state_home: impl AsRef<Path>) -> Self {
        let state_home = state_home.as_ref();
        Self { state: state_home.join("pg-ephemeral"), host: state_home.join("ociman") }
    }

    /// The folder that both are in.
    pub fn state_home(&self) -> &Path {
        self.state.parent().unwrap_or(&self.state)
    }

    /// This crate's own state.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// State of the host backend.
    pub fn host(&self) -> &Path {
        &self.host
    }

    /// A folder of the state, made with mode 0700 when it is not there.
    pub(crate) fn state_folder(&self, name: &str) -> Result<PathBuf, FoldersError> {
        let path = self.state.join(name);
        make_private(&path)?;
        Ok(path)
    }

    /// Where the folder for sockets is.
    pub(crate) fn sockets_path() -> PathBuf {
        Self::sockets_path_in(&std::env::temp_dir())
    }

    /// The same for a folder of temporary files; below `/tmp`, where no socket would fit in that or its path is not UTF-8.
    fn sockets_path_in(temporary: &Path) -> PathBuf {
        let name = sockets_name();
        let path = temporary.join(&name);
        // Clients are told the path in variables and URLs.
        let is_usable = path.as_os_str().len() <= LONGEST_SOCKETS_PATH && path.to_str().is_some();
        if is_usable { path } else { Path::new("/tmp").join(name) }
    }

    /// The folder for sockets, made when it is not there.
    pub(crate) fn sockets() -> Result<PathBuf, FoldersError> {
        let path = Self::sockets_path();
        // It belongs to the system or the user, and is not made.
        if let Some(temporary) = path.parent().filter(|temporary| !temporary.is_dir()) {
            return Err(FoldersError::NoTemporary { path: temporary.to_owned() });
        }
        make_private(&path)?;
        if is_private(&path) { Ok(path) } else { Err(FoldersError::Foreign { path }) }
    }
}

/// In bytes. A socket's path has at most 103 of them on macOS, and 107 on Linux. Its folder is named for a container, as
/// `pg-ephemeral-0123456789abcdef`, or by [`ociman::host::temporary`], which takes more.
const LONGEST_SOCKETS_PATH: usize =
    103 - "/.01234567890123456789-4194304-012345678901-0000".len() - "/.s.PGSQL.54321".len();

/// The folder of records of servers.
pub(crate) const SERVERS: &str = "servers";
/// The folder of what is remembered of base images.
pub(crate) const BASES: &str = "bases";
/// The folder of the certificate authorities of servers that speak TLS.
pub(crate) const TLS: &str = "tls";
/// The folder of notes on sessions whose server a command has stopped for a moment.
pub(crate) const STOPPED: &str = "stopped";
/// Folders of the state in which files are written.
const WRITTEN: [&str; 5] = ["", SERVERS, BASES, TLS, STOPPED];

/// How many files a sweep would remove.
pub(crate) fn half_written(folders: &Folders) -> usize {
    swept(folders).iter().map(|folder| ociman::host::count_leftovers(folder)).sum()
}

/// Removes what killed processes left half written, or made for a moment.
pub(crate) fn sweep(folders: &Folders) {
    swept(folders).iter().for_each(|folder| ociman::host::sweep(folder));
}

fn swept(folders: &Folders) -> Vec<PathBuf> {
    let sockets = Folders::sockets_path();
    let is_own = is_private(&sockets);
    let written = WRITTEN.iter().map(|name| folders.state().join(name));
    written.chain(is_own.then_some(sockets)).collect()
}

/// Writes a whole file or none, readable by its owner only.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = write_draft(path, bytes)?;
    fs::rename(draft, path)
}

/// Writes a file beside its place, under a name that is swept when this process is killed before it has moved it.
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

/// Makes a folder inside the private sockets folder that a server of any user id can put its socket in.
pub(crate) fn make_socket_folder(path: &Path) -> Result<(), FoldersError> {
    let open_to_all = Permissions::from_mode(0o777);
    std::fs::create_dir(path)
        .and_then(|()| std::fs::set_permissions(path, open_to_all))
        .map_err(|source| FoldersError::Make { path: path.to_owned(), source })
}

/// Removes the folder that [`make_socket_folder`] made for a container. A record can name any folder: only one with the
/// container's name in a folder for sockets of this user's goes. Any other is no error: it is nobody's to remove.
pub(crate) fn remove_socket_folder(path: &Path, container: &ContainerName) -> io::Result<()> {
    let is_own = path.file_name().is_some_and(|name| name == container.as_str())
        && path
            .parent()
            .is_some_and(|parent| parent.file_name() == Some(sockets_name().as_ref()) && is_private(parent))
        && path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
    if is_own { fs::remove_dir_all(path) } else { Ok(()) }
}

/// The name of the folder for sockets.
fn sockets_name() -> String {
    format!("pg-ephemeral-{}", rustix::process::geteuid().as_raw())
}

/// Whether a path is a folder of this user's, and no link, that nobody else can change anything in.
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
    fn a_folder_for_sockets_is_one_s_own_and_closed_to_others() {
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
    fn only_a_container_s_own_folder_for_sockets_is_removed() {
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
    fn sockets_are_among_the_temporary_files_where_they_fit() {
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
