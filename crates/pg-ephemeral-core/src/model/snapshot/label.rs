//! What labels say of snapshots, and of sessions that were put back to one. Nothing secret stands in them: from a nonce
//! only this machine's secret makes a password.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::Name;
use crate::model::key::SeedHash;
use crate::model::session;

/// The label [`SNAPSHOT`](crate::label::SNAPSHOT_KEY) of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotLabel {
    /// The session that it was taken of.
    #[serde(with = "as_text")]
    pub session: session::Name,
    /// Its name; `None` for that of a fork, which goes with it.
    pub name: Option<Name>,
    /// What the password of the server in it is derived from.
    pub nonce: String,
    /// What tells the secret that makes the password of it from others; `None` when it was made by a version that does
    /// not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// The label [`RESTORED`](crate::label::RESTORED_KEY) of a session's container: what the session was put back to last, or
/// forked from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Restored {
    /// To what.
    pub to: State,
    /// When, in seconds since the Unix epoch.
    pub at: u64,
}

/// A state that a session can be put back to, or begin with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The state after its seeds.
    Seeds,
    /// A snapshot.
    Snapshot {
        /// Of which session.
        #[serde(with = "as_text")]
        session: session::Name,
        /// Its name.
        name: Name,
    },
    /// Another session, as it was at that moment.
    Session {
        /// That session.
        #[serde(with = "as_text")]
        session: session::Name,
        /// The image that goes with this session.
        image: String,
    },
}

impl Restored {
    /// To this state, now.
    pub(crate) fn now(to: State) -> Self {
        Self { to, at: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()) }
    }

    /// When, as a time; `None` when no clock can show it.
    #[must_use]
    pub fn time(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_secs(self.at))
    }
}

/// The label [`LAYER`](crate::label::LAYER_KEY): what a session was started from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LayerLabel {
    /// The layer's key.
    pub(crate) key: SeedHash,
    /// What its password is derived from.
    pub(crate) password: SeedHash,
    /// Whether it has all seeds, so that none ran after it.
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
    fn labels_read_back_as_they_were_written() {
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
