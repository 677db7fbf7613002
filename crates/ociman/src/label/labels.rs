use std::borrow::Borrow;
use std::collections::{BTreeMap, btree_map};

use serde::{Deserialize, Serialize};

use super::key::Key;
use super::value::Value;

/// Lets a `BTreeMap` look up keys by text. `Key` derives equality, order and hash from its text, as `Borrow` requires.
impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

/// The labels of one container or image, in the order of their keys.
///
/// Labels serialise as a map of strings. Deserialising is strict: one invalid key makes the whole map invalid. For
/// labels that an engine reports of other programs' containers, use [`Labels::from_untrusted`].
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
    /// Creates an empty set of labels.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Collects the labels that are valid as [`Key`] and [`Value`], and leaves out the others.
    ///
    /// Engines store nearly any key, and one invalid label must not make a listing fail. Nothing is lost by that: a
    /// label with an invalid key can't be requested anyway.
    #[must_use]
    pub fn from_untrusted(labels: impl IntoIterator<Item = (String, String)>) -> Self {
        labels
            .into_iter()
            .filter_map(|(key, value)| Some((Key::try_from(key).ok()?, Value::try_from(value).ok()?)))
            .collect()
    }

    /// Sets the label `key` and returns its previous value.
    pub fn insert(&mut self, key: Key, value: Value) -> Option<Value> {
        self.0.insert(key, value)
    }

    /// Returns the value of the label `key`, which is a [`Key`] or plain text.
    #[must_use]
    pub fn get<K: AsRef<str> + ?Sized>(&self, key: &K) -> Option<&Value> {
        self.0.get(key.as_ref())
    }

    /// Iterates over all labels in the order of their keys.
    pub fn iter(&self) -> btree_map::Iter<'_, Key, Value> {
        self.0.iter()
    }

    /// Returns the number of labels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns `true` if there are no labels.
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
