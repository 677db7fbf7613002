//! Which labels to look for.

use std::fmt;

use super::key::Key;
use super::labels::Labels;
use super::value::Value;

/// Which labels to look for. Displayed as engines want it behind `--filter label=`: `key` or `key=value`.
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
    /// Looks for a key, with whatever value.
    #[must_use]
    pub fn key_only(key: &Key) -> Self {
        Self { key: key.clone(), value: None }
    }

    /// Looks for a key with exactly this value.
    #[must_use]
    pub fn exact(key: &Key, value: &Value) -> Self {
        Self { key: key.clone(), value: Some(value.clone()) }
    }

    /// The key that is looked for.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The value that is looked for; `None` when any will do.
    #[must_use]
    pub fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }

    /// Whether `labels` has what the filter asks for.
    ///
    /// The comparison is exact. An engine may be more generous: Podman reads `*` in a key as a pattern and an empty
    /// value as any, so what an engine listed is worth a look with this.
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
