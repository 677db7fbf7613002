use std::borrow::Borrow;
use std::collections::{BTreeMap, btree_map};

use serde::{Deserialize, Serialize};

use super::key::Key;
use super::value::Value;

/// `BTreeMap` looks keys up by text. `Key` derives equality, order and hash from its text, as `Borrow` demands.
impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

/// The labels of one container or image, in the order of their keys.
///
/// Serialised as a map of strings. Deserialising is strict: one bad key refuses the whole map. For what an engine says
/// about containers that somebody else made there is [`Labels::from_untrusted`].
///
/// ```
/// use ociman::label::{Key, Labels, Value};
///
/// let mut labels = Labels::new();
/// labels.insert(Key::from_static("team"), Value::from_static("db"));
/// assert_eq!(labels.get("team").map(Value::as_str), Some("db"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Labels(BTreeMap<Key, Value>);

impl Labels {
    /// No labels yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// The labels among `labels` that [`Key`] and [`Value`] can hold; the others are left out.
    ///
    /// Engines let anyone store nearly any key, and one odd container must not spoil a listing. Nothing is lost by it:
    /// nobody can ask for a label whose key can't be made.
    #[must_use]
    pub fn from_untrusted(labels: impl IntoIterator<Item = (String, String)>) -> Self {
        labels
            .into_iter()
            .filter_map(|(key, value)| Some((Key::try_from(key).ok()?, Value::try_from(value).ok()?)))
            .collect()
    }

    /// Sets the label `key` and gives back the value it had.
    pub fn insert(&mut self, key: Key, value: Value) -> Option<Value> {
        self.0.insert(key, value)
    }

    /// The value of the label `key`, which is a [`Key`] or plain text.
    #[must_use]
    pub fn get<K: AsRef<str> + ?Sized>(&self, key: &K) -> Option<&Value> {
        self.0.get(key.as_ref())
    }

    /// All labels, in the order of their keys.
    pub fn iter(&self) -> btree_map::Iter<'_, Key, Value> {
        self.0.iter()
    }

    /// How many labels there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no label.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Key, Value)> for Labels {
    fn from_iter<I: IntoIterator<Item = (Key, Value)>>(labels: I) -> Self {
        Self(labels.into_iter().collect())
    }
}

impl Extend<(Key, Value)> for Labels {
    fn extend<I: IntoIterator<Item = (Key, Value)>>(&mut self, labels: I) {
        self.0.extend(labels);
    }
}

impl IntoIterator for Labels {
    type Item = (Key, Value);
    type IntoIter = btree_map::IntoIter<Key, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = (&'a Key, &'a Value);
    type IntoIter = btree_map::Iter<'a, Key, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
