//! The secret of this machine's user and the passwords that are derived from it, so that no password has to be stored:
//! a password is the keyed BLAKE3 hash of a public text, with the secret as the key.

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

/// Why the machine's secret could not be read or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The state folder.
    #[error(transparent)]
    Folders(#[from] FoldersError),
    /// The file could not be read or written.
    #[error("{action} the secret {}", path.display())]
    File {
        /// What was tried: `read` or `create`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file does not hold 32 bytes.
    #[error("the secret {} has {length} bytes instead of 32", path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
    },
}

impl SecretError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Folders(error) => error.hint(),
            Self::File { .. } => "`pg-ephemeral doctor` tells whether it is yours to read",
            Self::Length { .. } => {
                "remove it: the next start makes a new one, and opens the layers that there are or builds them anew; sessions that run \
                 can then only be stopped: pg-ephemeral session stop --all --force"
            }
        }
    }
}

/// Which secret the password of a session was derived with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MadeWith {
    /// This user's, or one that the labels do not tell.
    ThisSecret,
    /// Another one: it is another user's, or the secret was changed or removed since.
    AnotherSecret,
}

/// Which secret a container was made with, as its labels tell. Without a secret every other one is another.
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

/// What stands between the parts of a [`label::SECRET_KEY`].
const PLACE: char = '@';

/// Whether a container was made from this state folder, so that it has all notes about it. A copy of the secret in another
/// state folder opens the container too.
pub(crate) fn made_from_here(labels: &Labels, secret: Option<&MachineSecret>) -> bool {
    let place = labels.get(&label::SECRET_KEY).and_then(|told| Some(told.as_str().split_once(PLACE)?.1));
    made_with(labels, secret) == MadeWith::ThisSecret
        && place.is_none_or(|place| secret.is_some_and(|secret| secret.place() == place))
}

/// What the password of a session is derived from.
pub(crate) fn credential(labels: &Labels) -> Option<&str> {
    labels.get(&label::CREDENTIAL_KEY).or_else(|| labels.get(&label::NONCE_KEY)).map(|credential| credential.as_str())
}

impl MachineSecret {
    /// Reads `secret` in the state folder; `None` when there is none.
    ///
    /// # Errors
    /// [`SecretError`] when it can't be read.
    pub fn load(folders: &Folders) -> Result<Option<Self>, SecretError> {
        match read(&folders.state().join("secret")) {
            Err(SecretError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    /// Reads `secret` in the state folder, or makes it with mode 0600. Processes that make it together get the same.
    ///
    /// # Errors
    /// [`SecretError`] when it can't be read or made.
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

    /// The password of a server, from its nonce.
    pub fn server_password(&self, nonce: &str) -> Secret {
        self.derive("server", nonce)
    }

    /// The password of a layer, from its key.
    pub fn layer_password(&self, key: &SeedHash) -> Secret {
        self.derive("layer", key.as_str())
    }

    /// Tells this machine's secret from others, for a nonce, and gives nothing of it away.
    pub fn fingerprint(&self, nonce: &str) -> String {
        self.derive("fingerprint", nonce).expose().chars().take(16).collect()
    }

    /// The value of [`label::SECRET_KEY`]: which secret a session was made with, and from which state folder.
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
    // A state folder may be reached by several paths.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    Ok(MachineSecret { key: bytes, path })
}

/// Writes a new secret beside its place and links it there, which fails when another process was first: then that
/// one's secret stands.
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

/// What PostgreSQL stores for a password (RFC 5803), so that the password itself never reaches its log.
pub(crate) fn verifier(password: &Secret) -> String {
    scram_sha_256(password.expose().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_processes_that_make_it_together_get_the_same_secret() {
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
    fn the_file_can_be_read_by_its_owner_only() {
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
    fn a_named_pipe_in_its_place_is_refused_and_not_waited_for() {
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
