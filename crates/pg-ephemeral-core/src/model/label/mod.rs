//! The labels of containers and images. They describe a container to other processes, and to the next command after a
//! crash. Labels contain nothing secret.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ociman::label::{Filter, Key, Labels, Value};

use crate::model::owner::Owner;
use crate::model::session::{Name, PENDING_PREFIX};

mod error;
mod metadata;

pub use error::{Malformed, ReadError};
pub(crate) use metadata::ssl;
pub use metadata::{Metadata, SeedEntry, SslMetadata, read_container, read_image};

/// Version of pg-ephemeral that made the container or the image.
pub const VERSION_KEY: Key = Key::from_static("pg-ephemeral.version");
/// Name of the instance.
pub const INSTANCE_KEY: Key = Key::from_static("pg-ephemeral.instance");
/// Reference of the base image, never of a layer.
pub const IMAGE_KEY: Key = Key::from_static("pg-ephemeral.image");
/// JSON array of the [`SeedEntry`] of each seed.
pub const SEEDS_KEY: Key = Key::from_static("pg-ephemeral.seeds");
/// Name of the session; on session containers only.
pub const SESSION_KEY: Key = Key::from_static("pg-ephemeral.session");
/// JSON of the [`Owner`], the process that started the container. When that process has ended, the container may be
/// removed, unless it is the container of a session.
pub const OWNER_KEY: Key = Key::from_static("pg-ephemeral.owner");
/// Time after which a session may be removed, in seconds since the Unix epoch; on session containers only.
pub const EXPIRES_KEY: Key = Key::from_static("pg-ephemeral.expires");
/// JSON of the [`Owner`] that a session is bound to: when that process has ended, the session may be removed. On
/// session containers only, and only if the session is bound to a process.
pub const PROCESS_KEY: Key = Key::from_static("pg-ephemeral.process");
/// Name of the superuser.
pub const SUPERUSER_USER_KEY: Key = Key::from_static("pg-ephemeral.superuser.user");
/// Name of the database.
pub const SUPERUSER_DATABASE_KEY: Key = Key::from_static("pg-ephemeral.superuser.database");
/// Host name of the server's certificate.
pub const SSL_HOSTNAME_KEY: Key = Key::from_static("pg-ephemeral.ssl.hostname");
/// Certificate of the server's own certificate authority, as PEM.
pub const SSL_CA_CERT_PEM_KEY: Key = Key::from_static("pg-ephemeral.ssl.ca-cert-pem");
/// The tag of the image; on layers and snapshots. An image with the name of a layer is a layer only if this label
/// equals its tag.
pub const TAG_KEY: Key = Key::from_static("pg-ephemeral.key");
/// A random text that identifies the container. The password is derived from it, unless there is a [`CREDENTIAL_KEY`].
pub const NONCE_KEY: Key = Key::from_static("pg-ephemeral.nonce");
/// The text that the password of a session is derived from. It stays the same when another container takes over the
/// session.
pub const CREDENTIAL_KEY: Key = Key::from_static("pg-ephemeral.credential");
/// Hashes that identify the secret that the password of a session was derived with, and the state folder of that
/// secret. They reveal neither of the two.
pub const SECRET_KEY: Key = Key::from_static("pg-ephemeral.secret");

/// Time when the server was started, in seconds since the Unix epoch.
pub const STARTED_KEY: Key = Key::from_static("pg-ephemeral.started");
/// The folder of this machine that is mounted in the container at the same path.
pub const FOLDER_KEY: Key = Key::from_static("pg-ephemeral.folder");
/// JSON of the [`SnapshotLabel`](crate::snapshot::SnapshotLabel) of a snapshot.
pub const SNAPSHOT_KEY: Key = Key::from_static("pg-ephemeral.snapshot");
/// JSON of the [`Restored`](crate::snapshot::Restored) state of a session; on session containers only.
pub const RESTORED_KEY: Key = Key::from_static("pg-ephemeral.restored");
/// JSON of the parameters that a session's server runs with, so that it can be started with the same ones again.
pub const SETTINGS_KEY: Key = Key::from_static("pg-ephemeral.settings");
/// JSON of the layer that a session was started from, so that the session can be reset to it.
pub const LAYER_KEY: Key = Key::from_static("pg-ephemeral.layer");

/// Every label.
pub const ALL: [Key; 22] = [
    VERSION_KEY,
    INSTANCE_KEY,
    IMAGE_KEY,
    SEEDS_KEY,
    SESSION_KEY,
    OWNER_KEY,
    EXPIRES_KEY,
    PROCESS_KEY,
    SUPERUSER_USER_KEY,
    SUPERUSER_DATABASE_KEY,
    SSL_HOSTNAME_KEY,
    SSL_CA_CERT_PEM_KEY,
    NONCE_KEY,
    CREDENTIAL_KEY,
    SECRET_KEY,
    STARTED_KEY,
    FOLDER_KEY,
    SNAPSHOT_KEY,
    RESTORED_KEY,
    SETTINGS_KEY,
    LAYER_KEY,
    TAG_KEY,
];

/// Returns a filter for all containers that pg-ephemeral made.
pub fn ours() -> Filter {
    Filter::key_only(&VERSION_KEY)
}

/// Reads the owner of a container. `None` if the label is missing or empty.
///
/// # Errors
/// Returns [`ReadError::Malformed`] if the label is not the JSON of an owner.
pub fn owner(labels: &Labels) -> Result<Option<Owner>, ReadError> {
    metadata::optional(labels, OWNER_KEY, |text| serde_json::from_str(text).map_err(Malformed::Owner))
}

/// Reads the time after which a session may be removed. `None` if the session does not expire.
///
/// # Errors
/// Returns [`ReadError::Malformed`] if the label is not a number of seconds, or too large for a [`SystemTime`].
pub fn expires(labels: &Labels) -> Result<Option<SystemTime>, ReadError> {
    let seconds = metadata::optional(labels, EXPIRES_KEY, |text| text.parse().map_err(Malformed::Expires))?;
    let end = |seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    match seconds.map(|seconds| (seconds, end(seconds))) {
        None => Ok(None),
        Some((_, Some(end))) => Ok(Some(end)),
        Some((seconds, None)) => {
            Err(ReadError::Malformed { key: EXPIRES_KEY, value: seconds.to_string(), source: Malformed::TooLate })
        }
    }
}

/// Returns `true` if the label of an image confirms its tag. The tag alone proves nothing, since any image can be
/// tagged with any name.
pub(crate) fn has_key(labels: &Labels, tag: &str) -> bool {
    labels.get(&TAG_KEY).is_some_and(|key| key.as_str() == tag)
}

/// Returns `true` if a container's name and labels are of the form that pg-ephemeral gives its containers, including a
/// nonce. Labels alone are not enough: a container that another program starts from a layer image inherits its labels.
pub(crate) fn is_own_container(name: &str, labels: &Labels) -> bool {
    let has_nonce = labels.get(&NONCE_KEY).is_some_and(|nonce| !nonce.as_str().is_empty());
    let has_name = match labels.get(&SESSION_KEY) {
        Some(session) => {
            name.strip_prefix(Name::OCI_PREFIX) == Some(session.as_str()) || name.starts_with(PENDING_PREFIX)
        }
        None => name.starts_with("pg-ephemeral-"),
    };
    has_nonce && has_name
}

/// Reads a label that contains JSON. `None` if the label is missing or empty.
pub(crate) fn json<T: serde::de::DeserializeOwned>(labels: &Labels, key: Key) -> Result<Option<T>, ReadError> {
    metadata::json(labels, key)
}

/// Serialises `content` as the value of a label.
pub(crate) fn json_value(content: &impl serde::Serialize) -> Value {
    value(&serde_json::to_string(content).unwrap_or_default())
}

/// Creates a label's value from a text that this crate made. The only character that a value can't contain is NUL. If
/// the text contains NUL, which can only come from an invalid text of the caller, it is dropped.
pub(crate) fn value(text: &str) -> Value {
    text.parse().unwrap_or_else(|_| text.replace('\0', "").parse().unwrap_or(Value::from_static("")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_read_back_from_its_label() {
        let current = Owner::current();
        let text = serde_json::to_string(&current).unwrap();
        let labels = Labels::from_iter([(OWNER_KEY, value(&text))]);
        assert_eq!(owner(&labels).unwrap(), Some(current));
    }

    #[test]
    fn the_error_names_a_malformed_owner_label() {
        let labels = Labels::from_iter([(OWNER_KEY, value("nobody"))]);
        let message = owner(&labels).unwrap_err().to_string();
        assert_eq!(message, "failed to read the label pg-ephemeral.owner \"nobody\"");
    }

    #[test]
    fn an_expiry_is_seconds_since_the_epoch() {
        let labels = Labels::from_iter([(EXPIRES_KEY, value("60"))]);
        assert_eq!(expires(&labels).unwrap(), Some(UNIX_EPOCH + Duration::from_secs(60)));
        assert!(expires(&Labels::from_iter([(EXPIRES_KEY, value("soon"))])).is_err());
    }
}
