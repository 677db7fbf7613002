//! Conditions on labels.

use std::fmt;

use super::key::Key;
use super::labels::Labels;
use super::value::Value;

/// A condition on a label. Its [`Display`](fmt::Display) form is what engines expect after `--filter label=`: `key` or
/// `key=value`.
///
/// ```
/// use ociman::label::{Filter, Key, Labels, Value};
///
/// const TEAM: Key = Key::from_static("team");
///
/// let labels = Labels::from_iter([(TEAM, Value::from_static("db"))]);
/// let filter = Filter::exact(&TEAM, &Value::from_static("db"));
/// assert!(filter.matches(&labels));
/// assert_eq!(filter.to_string(), "team=db");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Filter {
    key: Key,
    value: Option<Value>,
}

impl Filter {
    /// Creates a filter that matches a key with any value.
    #[must_use]
    pub fn key_only(key: &Key) -> Self {
        Self { key: key.clone(), value: None }
    }

    /// Creates a filter that matches a key with exactly this value.
    #[must_use]
    pub fn exact(key: &Key, value: &Value) -> Self {
        Self { key: key.clone(), value: Some(value.clone()) }
    }

    /// Returns the key to match.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Returns the value to match, or `None` if any value matches.
    #[must_use]
    pub fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }

    /// Returns `true` if `labels` has a label that matches the filter.
    ///
    /// The comparison is exact. An engine may match more: Podman reads `*` in a key as a pattern and an empty value as
    /// any value. So apply this function to what an engine has listed.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        labels.get(&self.key).is_some_and(|found| self.value.as_ref().is_none_or(|value| value == found))
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            None => write!(formatter, "{}", self.key),
            Some(value) => write!(formatter, "{}={value}", self.key),
        }
    }
}
