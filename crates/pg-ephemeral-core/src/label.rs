//! The labels that containers, sessions and layer images carry. They are how another process, or this one after a
//! crash, knows what a container is; nothing secret stands in them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ociman::label::{Filter, Key, Labels, Value};

use crate::owner::Owner;

mod error;
mod metadata;

pub use error::{LabelError, Malformed};
pub(crate) use metadata::ssl;
pub use metadata::{Metadata, SeedEntry, SslMetadata, read_container, read_image};

/// Version of the tool that made it.
pub const VERSION: Key = Key::from_static("pg-ephemeral.version");
/// Name of the instance.
pub const INSTANCE: Key = Key::from_static("pg-ephemeral.instance");
/// The base image, never a layer.
pub const IMAGE: Key = Key::from_static("pg-ephemeral.image");
/// JSON array of what was seeded.
pub const SEEDS: Key = Key::from_static("pg-ephemeral.seeds");
/// Name of the session; on session containers only.
pub const SESSION: Key = Key::from_static("pg-ephemeral.session");
/// JSON of the [`Owner`] whose end makes the container garbage.
pub const OWNER: Key = Key::from_static("pg-ephemeral.owner");
/// When the container becomes garbage, in seconds since the Unix epoch.
pub const EXPIRES: Key = Key::from_static("pg-ephemeral.expires");
/// JSON of the [`Owner`] that a session ends with, when it ends with a process; on session containers only.
pub const PROCESS: Key = Key::from_static("pg-ephemeral.process");
/// Name of the superuser.
pub const SUPERUSER_USER: Key = Key::from_static("pg-ephemeral.superuser.user");
/// Name of the database.
pub const SUPERUSER_DATABASE: Key = Key::from_static("pg-ephemeral.superuser.database");
/// Host name of the server's certificate.
pub const SSL_HOSTNAME: Key = Key::from_static("pg-ephemeral.ssl.hostname");
/// Certificate of the server's own certificate authority, as PEM.
pub const SSL_CA_CERT_PEM: Key = Key::from_static("pg-ephemeral.ssl.ca-cert-pem");
/// What the password is derived from.
pub const NONCE: Key = Key::from_static("pg-ephemeral.nonce");

/// When a server was started, in seconds since the Unix epoch.
pub const STARTED: Key = Key::from_static("pg-ephemeral.started");
/// The folder of this machine that is mounted at the same path.
pub const FOLDER: Key = Key::from_static("pg-ephemeral.folder");
/// JSON of the [`SnapshotLabel`](crate::snapshot::SnapshotLabel) that an image is; on images only.
pub const SNAPSHOT: Key = Key::from_static("pg-ephemeral.snapshot");
/// JSON of the [`Restored`](crate::snapshot::Restored) that a session was put back to; on session containers only.
pub const RESTORED: Key = Key::from_static("pg-ephemeral.restored");
/// JSON of the parameters that a session's server runs with, so that it can be started alike.
pub const SETTINGS: Key = Key::from_static("pg-ephemeral.settings");
/// JSON of the layer that a session was started from, so that it can be put back to it.
pub const LAYER: Key = Key::from_static("pg-ephemeral.layer");

/// Every label.
pub const ALL: [Key; 19] = [
    VERSION,
    INSTANCE,
    IMAGE,
    SEEDS,
    SESSION,
    OWNER,
    EXPIRES,
    PROCESS,
    SUPERUSER_USER,
    SUPERUSER_DATABASE,
    SSL_HOSTNAME,
    SSL_CA_CERT_PEM,
    NONCE,
    STARTED,
    FOLDER,
    SNAPSHOT,
    RESTORED,
    SETTINGS,
    LAYER,
];

/// Finds every container that this tool made.
pub fn ours() -> Filter {
    Filter::Key(VERSION)
}

/// The owner that a container names; `None` when it has none.
///
/// # Errors
/// [`LabelError::Malformed`].
pub fn owner(labels: &Labels) -> Result<Option<Owner>, LabelError> {
    metadata::optional(labels, OWNER, |text| serde_json::from_str(text).map_err(Malformed::Owner))
}

/// When a container becomes garbage; `None` when it never does.
///
/// # Errors
/// [`LabelError::Malformed`].
pub fn expires(labels: &Labels) -> Result<Option<SystemTime>, LabelError> {
    let seconds = metadata::optional(labels, EXPIRES, |text| text.parse().map_err(Malformed::Expires))?;
    let end = |seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    match seconds.map(|seconds| (seconds, end(seconds))) {
        None => Ok(None),
        Some((_, Some(end))) => Ok(Some(end)),
        Some((seconds, None)) => {
            Err(LabelError::Malformed { key: EXPIRES, value: seconds.to_string(), source: Malformed::TooLate })
        }
    }
}

/// What a label that holds JSON says; `None` when it is absent.
pub(crate) fn json<T: serde::de::DeserializeOwned>(labels: &Labels, key: Key) -> Result<Option<T>, LabelError> {
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
        let labels = Labels::from_iter([(OWNER, value(&text))]);
        assert_eq!(owner(&labels).unwrap(), Some(current));
    }

    #[test]
    fn a_broken_owner_label_is_named_in_the_error() {
        let labels = Labels::from_iter([(OWNER, value("nobody"))]);
        let message = owner(&labels).unwrap_err().to_string();
        assert_eq!(message, "read the label pg-ephemeral.owner \"nobody\"");
    }

    #[test]
    fn an_expiry_is_seconds_since_the_epoch() {
        let labels = Labels::from_iter([(EXPIRES, value("60"))]);
        assert_eq!(expires(&labels).unwrap(), Some(UNIX_EPOCH + Duration::from_secs(60)));
        assert!(expires(&Labels::from_iter([(EXPIRES, value("soon"))])).is_err());
    }
}
