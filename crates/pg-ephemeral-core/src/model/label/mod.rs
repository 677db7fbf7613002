//! The labels that containers, sessions and layer images carry. They are how another process, or this one after a
//! crash, knows what a container is; nothing secret stands in them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ociman::label::{Filter, Key, Labels, Value};

use crate::model::owner::Owner;
use crate::model::session::{Name, PENDING_PREFIX};

mod error;
mod metadata;

pub use error::{Malformed, ReadError};
pub(crate) use metadata::ssl;
pub use metadata::{Metadata, SeedEntry, SslMetadata, read_container, read_image};

/// Version of the tool that made it.
pub const VERSION_KEY: Key = Key::from_static("pg-ephemeral.version");
/// Name of the instance.
pub const INSTANCE_KEY: Key = Key::from_static("pg-ephemeral.instance");
/// The base image, never a layer.
pub const IMAGE_KEY: Key = Key::from_static("pg-ephemeral.image");
/// JSON array of what was seeded.
pub const SEEDS_KEY: Key = Key::from_static("pg-ephemeral.seeds");
/// Name of the session; on session containers only.
pub const SESSION_KEY: Key = Key::from_static("pg-ephemeral.session");
/// JSON of the [`Owner`] whose end makes the container garbage.
pub const OWNER_KEY: Key = Key::from_static("pg-ephemeral.owner");
/// When the container becomes garbage, in seconds since the Unix epoch.
pub const EXPIRES_KEY: Key = Key::from_static("pg-ephemeral.expires");
/// JSON of the [`Owner`] that a session ends with, when it ends with a process; on session containers only.
pub const PROCESS_KEY: Key = Key::from_static("pg-ephemeral.process");
/// Name of the superuser.
pub const SUPERUSER_USER_KEY: Key = Key::from_static("pg-ephemeral.superuser.user");
/// Name of the database.
pub const SUPERUSER_DATABASE_KEY: Key = Key::from_static("pg-ephemeral.superuser.database");
/// Host name of the server's certificate.
pub const SSL_HOSTNAME_KEY: Key = Key::from_static("pg-ephemeral.ssl.hostname");
/// Certificate of the server's own certificate authority, as PEM.
pub const SSL_CA_CERT_PEM_KEY: Key = Key::from_static("pg-ephemeral.ssl.ca-cert-pem");
/// The tag of the image; on layers and snapshots. What has a layer's name and another key is no layer.
pub const TAG_KEY: Key = Key::from_static("pg-ephemeral.key");
/// Tells a container from all others. The password is derived from it, unless there is a [`CREDENTIAL_KEY`].
pub const NONCE_KEY: Key = Key::from_static("pg-ephemeral.nonce");
/// What the password of a session is derived from. It stays when another container takes the session over.
pub const CREDENTIAL_KEY: Key = Key::from_static("pg-ephemeral.credential");
/// Which secret the password of a session was derived with, and in which state folder that is: hashes that give nothing
/// of either away.
pub const SECRET_KEY: Key = Key::from_static("pg-ephemeral.secret");

/// When a server was started, in seconds since the Unix epoch.
pub const STARTED_KEY: Key = Key::from_static("pg-ephemeral.started");
/// The folder of this machine that is mounted at the same path.
pub const FOLDER_KEY: Key = Key::from_static("pg-ephemeral.folder");
/// JSON of the [`SnapshotLabel`](crate::snapshot::SnapshotLabel) that an image is; on images only.
pub const SNAPSHOT_KEY: Key = Key::from_static("pg-ephemeral.snapshot");
/// JSON of the [`Restored`](crate::snapshot::Restored) that a session was put back to; on session containers only.
pub const RESTORED_KEY: Key = Key::from_static("pg-ephemeral.restored");
/// JSON of the parameters that a session's server runs with, so that it can be started alike.
pub const SETTINGS_KEY: Key = Key::from_static("pg-ephemeral.settings");
/// JSON of the layer that a session was started from, so that it can be put back to it.
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

/// Finds every container that this tool made.
pub fn ours() -> Filter {
    Filter::key_only(&VERSION_KEY)
}

/// The owner that a container names; `None` when it has none.
///
/// # Errors
/// [`ReadError::Malformed`].
pub fn owner(labels: &Labels) -> Result<Option<Owner>, ReadError> {
    metadata::optional(labels, OWNER_KEY, |text| serde_json::from_str(text).map_err(Malformed::Owner))
}

/// When a container becomes garbage; `None` when it never does.
///
/// # Errors
/// [`ReadError::Malformed`].
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

/// Whether an image is the layer that its tag says it is. Anybody can give any image a name.
pub(crate) fn has_key(labels: &Labels, tag: &str) -> bool {
    labels.get(&TAG_KEY).is_some_and(|key| key.as_str() == tag)
}

/// Whether this tool made a container, as far as labels and name tell: what it makes has a name of its own form, and a
/// nonce. A container that somebody else makes of a layer takes over that layer's labels.
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

/// What a label that holds JSON says; `None` when it is absent.
pub(crate) fn json<T: serde::de::DeserializeOwned>(labels: &Labels, key: Key) -> Result<Option<T>, ReadError> {
    metadata::json(labels, key)
}

/// The value of a label that holds JSON.
pub(crate) fn json_value(content: &impl serde::Serialize) -> Value {
    value(&serde_json::to_string(content).unwrap_or_default())
}

/// A label's value from a text of this crate's own making, in which nothing is that a label can't hold; a NUL byte,
/// which only a caller's broken text can bring, is dropped.
pub(crate) fn value(text: &str) -> Value {
    text.parse().unwrap_or_else(|_| text.replace('\0', "").parse().unwrap_or(Value::from_static("")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_survives_its_label() {
        let current = Owner::current();
        let text = serde_json::to_string(&current).unwrap();
        let labels = Labels::from_iter([(OWNER_KEY, value(&text))]);
        assert_eq!(owner(&labels).unwrap(), Some(current));
    }

    #[test]
    fn a_broken_owner_label_is_named_in_the_error() {
        let labels = Labels::from_iter([(OWNER_KEY, value("nobody"))]);
        let message = owner(&labels).unwrap_err().to_string();
        assert_eq!(message, "read the label pg-ephemeral.owner \"nobody\"");
    }

    #[test]
    fn an_expiry_is_seconds_since_the_epoch() {
        let labels = Labels::from_iter([(EXPIRES_KEY, value("60"))]);
        assert_eq!(expires(&labels).unwrap(), Some(UNIX_EPOCH + Duration::from_secs(60)));
        assert!(expires(&Labels::from_iter([(EXPIRES_KEY, value("soon"))])).is_err());
    }
}
