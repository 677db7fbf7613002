//! The name of a snapshot, and the tag of its image.

use std::fmt;
use std::str::FromStr;

use ociman::{ContainerName, ContainerNameError};
use serde::{Deserialize, Serialize};

use crate::model::key::{KeyHasher, SeedHash, SeedHashError};
use crate::model::session;

/// The name of a snapshot. It follows the rules of [`ContainerName`].
///
/// ```
/// let name: pg_ephemeral_core::snapshot::Name = "before-migration".parse()?;
/// assert_eq!(name.as_str(), "before-migration");
/// assert!("no spaces".parse::<pg_ephemeral_core::snapshot::Name>().is_err());
/// # Ok::<(), ociman::ContainerNameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(ContainerName);

impl Name {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for Name {
    type Err = ContainerNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl TryFrom<String> for Name {
    type Error = ContainerNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// The tag of a snapshot's image: `snapshot-` and a hash of the names of the session and the snapshot. It can be
/// computed from both names, so a snapshot is found without listing images. No key of a layer has this form.
///
/// ```
/// use pg_ephemeral_core::session_name;
/// use pg_ephemeral_core::snapshot::SnapshotTag;
///
/// let tag = SnapshotTag::of(&session_name!("review"), &"clean".parse()?);
/// assert!(tag.to_string().starts_with("snapshot-"));
/// assert_ne!(tag, SnapshotTag::of(&session_name!("reviewclean"), &"x".parse()?));
/// # Ok::<(), ociman::ContainerNameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotTag(SeedHash);

impl SnapshotTag {
    /// The prefix of each snapshot tag.
    pub const PREFIX: &'static str = "snapshot-";

    /// Computes the tag of the snapshot `name` of a session.
    #[must_use]
    pub fn of(session: &session::Name, name: &Name) -> Self {
        let mut key = KeyHasher::new("snapshot");
        key.text("session", session.as_str());
        key.text("name", name.as_str());
        Self(key.finish_layer())
    }

    /// Computes the tag of a snapshot without a name from random bytes.
    pub(crate) fn of_random(bytes: [u8; 32]) -> Self {
        let mut key = KeyHasher::new("nameless snapshot");
        key.hash("random", &blake3::Hash::from_bytes(bytes));
        Self(key.finish_layer())
    }

    /// Returns the tag's hash, without the prefix.
    pub(crate) fn hash(&self) -> &SeedHash {
        &self.0
    }
}

impl FromStr for SnapshotTag {
    type Err = SeedHashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Without the prefix the hash is empty, so parsing it fails with an error about its length.
        text.strip_prefix(Self::PREFIX).unwrap_or_default().parse().map(Self)
    }
}

impl fmt::Display for SnapshotTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", Self::PREFIX, self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::layer_image::{layer_name, snapshot_name, snapshot_reference};
    use crate::session_name;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn a_snapshot_name_displays_as_it_was_written() {
        assert_eq!(name("before-migration").to_string(), "before-migration");
        assert_eq!(format!("{:>8}", name("clean")), "   clean");
    }

    #[test]
    fn a_tag_depends_on_where_the_session_name_ends() {
        let one = SnapshotTag::of(&session_name!("ab"), &name("c"));
        assert_eq!(one, SnapshotTag::of(&session_name!("ab"), &name("c")));
        assert_ne!(one, SnapshotTag::of(&session_name!("a"), &name("bc")));
        assert_ne!(SnapshotTag::of_random([0; 32]), SnapshotTag::of_random([1; 32]));
    }

    #[test]
    fn a_snapshot_tag_is_never_taken_for_a_layer_key_or_the_reverse() {
        let tag = SnapshotTag::of(&session_name!("review"), &name("clean"));
        let reference = snapshot_reference(None, &"main".parse().unwrap(), &tag).unwrap();
        assert_eq!(layer_name(&reference), None);
        assert_eq!(snapshot_name(&reference), Some(("main".parse().unwrap(), tag.clone())));
        assert!(tag.hash().to_string().parse::<SnapshotTag>().is_err());
        assert!(tag.to_string().parse::<SeedHash>().is_err());
        assert_eq!(tag.to_string().parse(), Ok(tag));
    }

    #[test]
    fn the_longest_names_make_a_valid_image_reference() {
        let session = "s".repeat(234).parse().unwrap();
        let tag = SnapshotTag::of(&session, &name(&"n".repeat(255)));
        assert!(snapshot_reference(None, &"i".repeat(63).parse().unwrap(), &tag).is_ok());
    }
}
