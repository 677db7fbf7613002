//! The contents of the labels of snapshots and of restored sessions. They are not secret: to derive a password from a
//! nonce, this machine's secret is needed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::Name;
use crate::model::key::SeedHash;
use crate::model::session;

/// The label [`SNAPSHOT`](crate::label::SNAPSHOT_KEY) of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotLabel {
    /// The session that the snapshot was taken of.
    #[serde(with = "as_text")]
    pub session: session::Name,
    /// The snapshot's name. `None` for the snapshot that a fork starts from, which is removed together with the fork.
    pub name: Option<Name>,
    /// The text that the password of the server in the snapshot is derived from.
    pub nonce: String,
    /// A fingerprint of the secret that this password was derived with. `None` if the snapshot was taken by an older
    /// version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// The label [`RESTORED`](crate::label::RESTORED_KEY) of a session's container: the state that the session was last
/// restored to, or was forked from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Restored {
    /// The state that the session was restored to.
    pub to: State,
    /// The time of the restore, in seconds since the Unix epoch.
    pub at: u64,
}

/// A state that a session can be restored to or start with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The state after the session's seeds.
    Seeds,
    /// A snapshot.
    Snapshot {
        /// The session that the snapshot was taken of.
        #[serde(with = "as_text")]
        session: session::Name,
        /// The snapshot's name.
        name: Name,
    },
    /// The state of another session at the time of the fork.
    Session {
        /// The other session.
        #[serde(with = "as_text")]
        session: session::Name,
        /// The image that was made for the fork and is removed together with it.
        image: String,
    },
}

impl Restored {
    /// Creates the label for a session that is restored to this state now.
    pub(crate) fn now(to: State) -> Self {
        Self { to, at: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()) }
    }

    /// Returns the time of the restore. `None` if [`SystemTime`] can't represent it.
    #[must_use]
    pub fn time(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_secs(self.at))
    }
}

/// The label [`LAYER`](crate::label::LAYER_KEY): the layer that a session was started from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LayerLabel {
    /// The layer's key.
    pub(crate) key: SeedHash,
    /// The key that the layer's password is derived from.
    pub(crate) password: SeedHash,
    /// `true` if the layer contains all seeds, so that none had to be applied when the session was started from it.
    pub(crate) complete: bool,
}

mod as_text {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::model::session::Name;

    pub(super) fn serialize<S: Serializer>(name: &Name, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(name.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session_name;

    #[test]
    fn labels_are_read_back_as_they_were_written() {
        let label = SnapshotLabel {
            session: session_name!("a"),
            name: Some("b".parse().unwrap()),
            nonce: "n".into(),
            secret: None,
        };
        let text = serde_json::to_string(&label).unwrap();
        assert_eq!(text, r#"{"session":"a","name":"b","nonce":"n"}"#);
        assert_eq!(serde_json::from_str::<SnapshotLabel>(&text).unwrap(), label);
        let restored = Restored::now(State::Session { session: session_name!("a"), image: "i".to_owned() });
        let text = serde_json::to_string(&restored).unwrap();
        assert_eq!(serde_json::from_str::<Restored>(&text).unwrap(), restored);
        assert_eq!(restored.time(), Some(UNIX_EPOCH + Duration::from_secs(restored.at)));
        assert_eq!(Restored { at: u64::MAX, ..restored }.time(), None);
        assert!(serde_json::from_str::<SnapshotLabel>(r#"{"session":"no name","name":null,"nonce":""}"#).is_err());
    }
}
