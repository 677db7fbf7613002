//! The secret of this machine's user, and the passwords that are derived from it. A password is the keyed BLAKE3 hash
//! of a public text, with the secret as the key, so no password has to be stored.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ociman::Secret;
use ociman::label::Labels;
use postgres_protocol::password::scram_sha_256;

use crate::io::random::random;
use crate::model::{SeedHash, label};
use crate::state::folders::{Folders, FoldersError, write_draft};

/// The 32-byte secret of this machine's user.
#[derive(Clone)]
pub struct MachineSecret {
    key: [u8; 32],
    path: PathBuf,
}

impl std::fmt::Debug for MachineSecret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("MachineSecret([secret])")
    }
}

/// The reason why the machine's secret could not be read or created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The state folder could not be created or used.
    #[error(transparent)]
    Folders(#[from] FoldersError),
    /// The file could not be read or created.
    #[error("failed to {action} the secret {}", path.display())]
    File {
        /// The action that failed: `read` or `create`.
        action: &'static str,
        /// The path of the file.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: io::Error,
    },
    /// The file does not hold 32 bytes.
    #[error("the secret {} has {length} bytes instead of 32", path.display())]
    Length {
        /// The path of the file.
        path: PathBuf,
        /// The length of the file in bytes.
        length: usize,
    },
}

impl SecretError {
    /// Returns a hint on what the user can do about the error.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Folders(error) => error.hint(),
            Self::File { .. } => "`pg-ephemeral doctor` shows whether you may read it",
            Self::Length { .. } => {
                "remove it: the next start makes a new one, and opens the layers that there are or builds them anew; sessions that run \
                 can then only be stopped: pg-ephemeral session stop --all --force"
            }
        }
    }
}

/// Which secret the password of a session was derived from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MadeWith {
    /// The secret of this state folder. Also used for a session whose labels do not say which secret it was.
    ThisSecret,
    /// Another secret: the session belongs to another user, or the secret was changed or removed since.
    AnotherSecret,
}

/// Tells from the labels of a container which secret it was made with. If `secret` is `None`, a secret that the labels
/// name counts as another one.
pub(crate) fn made_with(labels: &Labels, secret: Option<&MachineSecret>) -> MadeWith {
    let (Some(told), Some(credential)) = (labels.get(&label::SECRET_KEY), credential(labels)) else {
        return MadeWith::ThisSecret;
    };
    let (fingerprint, _) = told.as_str().split_once(PLACE).unwrap_or((told.as_str(), ""));
    match secret {
        Some(secret) if secret.fingerprint(credential) == fingerprint => MadeWith::ThisSecret,
        _ => MadeWith::AnotherSecret,
    }
}

/// The separator between the two parts of the value of [`label::SECRET_KEY`].
const PLACE: char = '@';

/// Returns `true` if a container was made from this state folder, so that the folder has all notes about it. This is a
/// stricter check than [`made_with`]: a state folder with a copy of the secret derives the same passwords, but does not
/// have the notes.
pub(crate) fn made_from_here(labels: &Labels, secret: Option<&MachineSecret>) -> bool {
    let place = labels.get(&label::SECRET_KEY).and_then(|told| Some(told.as_str().split_once(PLACE)?.1));
    made_with(labels, secret) == MadeWith::ThisSecret
        && place.is_none_or(|place| secret.is_some_and(|secret| secret.place() == place))
}

/// Returns the value that the password of a session is derived from.
pub(crate) fn credential(labels: &Labels) -> Option<&str> {
    labels.get(&label::CREDENTIAL_KEY).or_else(|| labels.get(&label::NONCE_KEY)).map(|credential| credential.as_str())
}

impl MachineSecret {
    /// Reads the file `secret` in the state folder; `None` if it does not exist.
    ///
    /// # Errors
    /// Returns an error if the file can't be read, or does not contain exactly 32 bytes.
    pub fn load(folders: &Folders) -> Result<Option<Self>, SecretError> {
        match read(&folders.state().join("secret")) {
            Err(SecretError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    /// Reads the file `secret` in the state folder, or creates it with mode 0600 if it does not exist. Processes that
    /// do this at the same time get the same secret.
    ///
    /// # Errors
    /// Returns an error if the file can't be read or created, or does not contain exactly 32 bytes.
    pub fn load_or_create(folders: &Folders) -> Result<Self, SecretError> {
        let path = folders.state().join("secret");
        match read(&path) {
            Err(SecretError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                folders.state_folder("")?;
                create(&path).map_err(|source| SecretError::File { action: "create", path: path.clone(), source })?;
                read(&path)
            }
            other => other,
        }
    }

    /// Derives the password of a server from its nonce.
    pub fn server_password(&self, nonce: &str) -> Secret {
        self.derive("server", nonce)
    }

    /// Derives the password of a layer from its key.
    pub fn layer_password(&self, key: &SeedHash) -> Secret {
        self.derive("layer", key.as_str())
    }

    /// Returns a short hash of the secret and a nonce. It distinguishes this secret from others without revealing it.
    pub fn fingerprint(&self, nonce: &str) -> String {
        self.derive("fingerprint", nonce).expose().chars().take(16).collect()
    }

    /// Returns the value of [`label::SECRET_KEY`], which tells the secret and the state folder that a session was made
    /// with.
    pub(crate) fn label(&self, credential: &str) -> String {
        format!("{}{PLACE}{}", self.fingerprint(credential), self.place())
    }

    fn place(&self) -> String {
        self.derive("place", &self.path.to_string_lossy()).expose().chars().take(16).collect()
    }

    fn derive(&self, purpose: &str, text: &str) -> Secret {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(purpose.as_bytes()).update(&[0]).update(text.as_bytes());
        Secret::new(hasher.finalize().to_hex().as_str())
    }
}

fn read(path: &Path) -> Result<MachineSecret, SecretError> {
    let bytes = ociman::files::read(path).map_err(|source| SecretError::File {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    let length = bytes.len();
    let bytes = bytes.try_into().map_err(|_| SecretError::Length { path: path.to_owned(), length })?;
    // Canonical, because several paths may lead to the same state folder.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    Ok(MachineSecret { key: bytes, path })
}

/// Writes a new secret to a temporary file and creates a hard link to it at `path`. If another process has created the
/// file in the meantime, creating the link fails, and the secret of the other process is kept.
fn create(path: &Path) -> io::Result<()> {
    let mut bytes = [0; 32];
    random(&mut bytes)?;
    let draft = write_draft(path, &bytes)?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Returns the SCRAM verifier (RFC 5803) that PostgreSQL stores for a password. Statements contain this instead of the
/// password, so that the password never appears in the server's log.
pub(crate) fn verifier(password: &Secret) -> String {
    scram_sha_256(password.expose().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concurrent_creators_get_the_same_secret() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let made: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| MachineSecret::load_or_create(&folders).unwrap().key)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(made.iter().all(|secret| *secret == made[0]));
    }

    #[test]
    fn only_the_owner_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        MachineSecret::load_or_create(&folders).unwrap();
        let mode = folders.state().join("secret").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_of_another_length_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        folders.state_folder("").unwrap();
        std::fs::write(folders.state().join("secret"), b"short").unwrap();
        assert!(matches!(MachineSecret::load_or_create(&folders), Err(SecretError::Length { length: 5, .. })));
    }

    #[test]
    fn a_named_pipe_is_refused_and_does_not_block() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let path = folders.state_folder("").unwrap().join("secret");
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(matches!(MachineSecret::load_or_create(&folders), Err(SecretError::File { action: "read", .. })));
    }

    #[test]
    fn a_server_and_a_layer_of_the_same_text_have_different_passwords() {
        let secret = MachineSecret { key: [7; 32], path: PathBuf::new() };
        let key = SeedHash::of_text("x");
        assert_ne!(secret.server_password(key.as_str()), secret.layer_password(&key));
    }
}
