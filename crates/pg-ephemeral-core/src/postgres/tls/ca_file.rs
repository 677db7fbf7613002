//! Files with a server's certificate authority, for clients on this machine: mode 0600, in a private folder. A
//! [`CaFile`] is removed together with the value that owns the server. A session has a file of its own, because the
//! connection parameters that a command prints for it outlive that command.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ociman::Kind;

use crate::state::folders::write_whole;
use crate::state::{Folders, FoldersError, folders};

/// An error while writing the file of a certificate authority.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaFileError {
    /// The folder can't be used.
    #[error(transparent)]
    Folders(#[from] FoldersError),
    /// The path is not UTF-8. Clients get the path in environment variables and URLs, as text.
    #[error("the folder for the certificate authority's file, {}, has a path that is not UTF-8: set XDG_STATE_HOME to another", folder.display())]
    NotUtf8 {
        /// The folder.
        folder: PathBuf,
    },
    /// The file could not be written.
    #[error("failed to write the certificate authority's file in {}", folder.display())]
    Write {
        /// The folder.
        folder: PathBuf,
        /// The underlying I/O error.
        #[source]
        source: io::Error,
    },
}

/// A file in a folder of its own. Dropping the value removes both. If the process is killed before, the next command
/// removes the folder, whose name contains the ID of the process.
#[derive(Debug)]
pub(crate) struct CaFile {
    folder: PathBuf,
    path: PathBuf,
}

impl CaFile {
    pub(crate) fn write(folders: &Folders, pem: &str) -> Result<Self, CaFileError> {
        let folder = ociman::host::temporary(&folder_of_files(folders)?);
        let file = Self { path: folder.join("ca.pem"), folder };
        let written = DirBuilder::new().mode(0o700).create(&file.folder).and_then(|()| {
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file.path)?.write_all(pem.as_bytes())
        });
        written.map_err(|source| CaFileError::Write { folder: file.folder.clone(), source })?;
        Ok(file)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for CaFile {
    fn drop(&mut self) {
        // If this fails, a later command removes the folder.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Creates the folder of the files and returns its path, which is UTF-8.
fn folder_of_files(folders: &Folders) -> Result<PathBuf, CaFileError> {
    let folder = folders.state().join(folders::TLS);
    if folder.to_str().is_none() {
        return Err(CaFileError::NotUtf8 { folder });
    }
    Ok(folders.state_folder(folders::TLS)?)
}

/// Writes the file of a session, which stays until [`forget_session`] removes it.
pub(crate) fn session_ca_file(folders: &Folders, kind: Kind, nonce: &str, pem: &str) -> Result<PathBuf, CaFileError> {
    let folder = folder_of_files(folders)?;
    let path = folder.join(name(kind, nonce));
    // A file that already has this content is not written again, because a client may be reading it.
    match ociman::files::read(&path) {
        Ok(there) if there == pem.as_bytes() => Ok(path),
        _ => match write_whole(&path, pem.as_bytes()) {
            Ok(()) => Ok(path),
            Err(source) => Err(CaFileError::Write { folder, source }),
        },
    }
}

/// The values that identify the server of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerIdentity<'a> {
    /// The value that the server's password is derived from. A server that replaces this one has the same credential.
    pub(crate) credential: &'a str,
    /// The nonce of the server's container, which no other container has.
    pub(crate) nonce: &'a str,
}

/// Records that the server of a session has another certificate authority than the label of its container says, and
/// writes the session's file. The record is needed because a container's labels can't be changed.
pub(crate) fn replace_authority(
    folders: &Folders,
    kind: Kind,
    server: ServerIdentity<'_>,
    pem: &str,
) -> Result<(), CaFileError> {
    let folder = folder_of_files(folders)?;
    let note = format!("{}\n{pem}", server.nonce);
    let written = write_whole(&folder.join(name_of_note(kind, server.credential)), note.as_bytes());
    written.map_err(|source| CaFileError::Write { folder, source })?;
    session_ca_file(folders, kind, server.credential, pem).map(drop)
}

/// Returns the certificate authority of a session's server if it is another one than the label of its container says.
pub(crate) fn replaced_authority(folders: &Folders, kind: Kind, server: ServerIdentity<'_>) -> Option<String> {
    let name = name_of_note(kind, server.credential);
    let note = ociman::files::read_to_string(&folders.state().join(folders::TLS).join(name)).ok()?;
    // The record is only for the container with this nonce. If another container has replaced it, that one's label is
    // right.
    let (nonce, pem) = note.split_once('\n')?;
    (nonce == server.nonce).then(|| pem.to_owned())
}

/// Removes the files of a session, if there are any.
pub(crate) fn forget_session(folders: &Folders, kind: Kind, nonce: &str) {
    for name in [name(kind, nonce), name_of_note(kind, nonce)] {
        // Most sessions have no such files.
        let _ = fs::remove_file(folders.state().join(folders::TLS).join(name));
    }
}

/// Returns the file name for a session. The nonce is hashed, because it comes from a container's label: as part of a
/// path it could lead out of the folder.
fn name(kind: Kind, nonce: &str) -> String {
    format!("{kind}-{}.pem", blake3::hash(nonce.as_bytes()).to_hex())
}

fn name_of_note(kind: Kind, nonce: &str) -> String {
    format!("{}.replaced", name(kind, nonce))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_path_that_is_not_utf8_is_refused() {
        use std::os::unix::ffi::OsStrExt;
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path().join(std::ffi::OsStr::from_bytes(b"a\xff")));
        assert!(matches!(CaFile::write(&folders, "pem"), Err(CaFileError::NotUtf8 { .. })));
        assert!(!folders.state().exists());
    }

    #[test]
    fn a_file_is_private_and_removed_when_its_value_is_dropped() {
        let home = tempfile::tempdir().unwrap();
        let file = CaFile::write(&Folders::at(home.path()), "pem").unwrap();
        let path = file.path().to_owned();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        drop(file);
        assert!(!path.parent().unwrap().exists());
    }

    #[test]
    fn only_the_files_of_processes_that_have_ended_are_swept() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let living = CaFile::write(&folders, "pem").unwrap();
        let name = living.folder.file_name().unwrap().to_str().unwrap().to_owned();
        let mut parts: Vec<_> = name.split('-').collect();
        // No process has this ID.
        parts[1] = "4194305";
        let dead = living.folder.with_file_name(parts.join("-"));
        fs::create_dir(&dead).unwrap();
        crate::state::folders::sweep(&folders);
        assert!(living.path().exists() && !dead.exists());
    }

    #[test]
    fn the_file_of_a_session_stays_until_the_session_is_forgotten() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let path = session_ca_file(&folders, Kind::Podman, "../../n", "pem").unwrap();
        assert_eq!(session_ca_file(&folders, Kind::Podman, "../../n", "pem").unwrap(), path);
        assert_eq!((mode(&path), path.parent()), (0o600, Some(folders.state().join(folders::TLS).as_path())));
        crate::state::folders::sweep(&folders);
        forget_session(&folders, Kind::Docker, "../../n");
        assert!(path.exists());
        forget_session(&folders, Kind::Podman, "../../n");
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_that_can_not_be_made_is_an_error() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        folders.state_folder("").unwrap();
        fs::write(folders.state().join(folders::TLS), "in the way").unwrap();
        let error = CaFile::write(&folders, "pem").unwrap_err();
        assert!(matches!(error, CaFileError::Folders(FoldersError::Make { .. })), "{error}");
    }
}
