//! Where this crate keeps what outlives a command. It knows folders and their modes, not what is put there.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

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
    /// A folder in a place that everyone can write to belongs to somebody else.
    #[error("the folder {} belongs to another user", path.display())]
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
            Self::Make { .. } | Self::Foreign { .. } => "`pg-ephemeral doctor` tells which folders have to be yours",
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

    /// The same for a folder of temporary files; below `/tmp`, where no socket would fit in that.
    fn sockets_path_in(temporary: &Path) -> PathBuf {
        let name = format!("pg-ephemeral-{}", rustix::process::geteuid().as_raw());
        let path = temporary.join(&name);
        if path.as_os_str().len() > LONGEST_SOCKETS_PATH { Path::new("/tmp").join(name) } else { path }
    }

    /// The folder for sockets, made when it is not there.
    pub(crate) fn sockets() -> Result<PathBuf, FoldersError> {
        let uid = rustix::process::geteuid().as_raw();
        let path = Self::sockets_path();
        make_private(&path)?;
        let metadata = path.symlink_metadata().map_err(|source| FoldersError::Make { path: path.clone(), source })?;
        if metadata.uid() != uid || !metadata.is_dir() {
            return Err(FoldersError::Foreign { path });
        }
        Ok(path)
    }
}

/// In bytes. A socket's path has at most 103 of them on macOS, and 107 on Linux; its folder is named for a container, as
/// `pg-ephemeral-0123456789abcdef`, and it is `.s.PGSQL.5432`.
const LONGEST_SOCKETS_PATH: usize = 103 - "/pg-ephemeral-0123456789abcdef".len() - "/.s.PGSQL.5432".len();

/// Folders of the state in which files are written.
const WRITTEN: [&str; 5] = ["", "servers", "bases", crate::tls::FOLDER, crate::snapshot::STOPPED_FOLDER];

/// How many files a sweep would remove.
pub(crate) fn half_written(folders: &Folders) -> usize {
    WRITTEN.iter().map(|name| ociman::host::count_leftovers(&folders.state().join(name))).sum()
}

/// Removes what killed processes left half written in a state folder.
pub(crate) fn sweep(folders: &Folders) {
    for name in WRITTEN {
        ociman::host::sweep(&folders.state().join(name));
    }
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

#[cfg(test)]
mod tests {
    use std::os::unix::net::SocketAddr;

    use super::*;

    #[test]
    fn sockets_are_among_the_temporary_files_where_they_fit() {
        let name = Folders::sockets_path_in(Path::new("/")).as_os_str().len();
        let longest = format!("/{}", "t".repeat(LONGEST_SOCKETS_PATH - name - 1));
        let folder = Folders::sockets_path_in(Path::new(&longest));
        assert!(folder.starts_with(&longest), "{}", folder.display());
        SocketAddr::from_pathname(folder.join("pg-ephemeral-0123456789abcdef/.s.PGSQL.5432")).unwrap();
        let longer = Folders::sockets_path_in(Path::new(&format!("{longest}t")));
        assert_eq!(longer.parent(), Some(Path::new("/tmp")));
    }
}
