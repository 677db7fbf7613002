use std::collections::{BTreeMap, btree_map};

use super::{ParameterAssignment, ParameterName, ParameterValue};

/// Parameters with their values, ordered by name. Each name occurs once.
///
/// ```
/// use pg_ephemeral_core::parameter::{ParameterAssignment, ParameterName, Parameters};
///
/// let mut parameters: Parameters = ["work_mem=4MB".parse()?, "log_statement=all".parse()?].into_iter().collect();
/// let of_instance: Parameters = ["WORK_MEM=16MB".parse()?].into_iter().collect();
/// parameters.merge(&of_instance);
///
/// let work_mem = parameters.get(&ParameterName::from_static("work_mem"));
/// assert_eq!(work_mem.map(|value| value.as_str()), Some("16MB"));
/// # Ok::<(), pg_ephemeral_core::parameter::ParameterAssignmentError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Parameters(BTreeMap<ParameterName, ParameterValue>);

impl Parameters {
    /// Creates an empty set of parameters.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Sets a parameter and returns its previous value. From now on its name is spelt as in `name`.
    pub fn insert(&mut self, name: ParameterName, value: ParameterValue) -> Option<ParameterValue> {
        let before = self.0.remove(&name);
        self.0.insert(name, value);
        before
    }

    /// Inserts all parameters of `overriding`. If both set a parameter, the value of `overriding` wins.
    pub fn merge(&mut self, overriding: &Self) {
        for (name, value) in overriding {
            self.insert(name.clone(), value.clone());
        }
    }

    /// Returns the value of a parameter. The letter case of the name does not matter.
    #[must_use]
    pub fn get(&self, name: &ParameterName) -> Option<&ParameterValue> {
        self.0.get(name)
    }

    /// Returns an iterator over all parameters, ordered by name.
    pub fn iter(&self) -> btree_map::Iter<'_, ParameterName, ParameterValue> {
        self.0.iter()
    }

    /// Returns the number of parameters.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns `true` if there are no parameters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Extend<ParameterAssignment> for Parameters {
    /// Sets the parameters one after the other. If two have the same name, the later one wins.
    fn extend<I: IntoIterator<Item = ParameterAssignment>>(&mut self, assignments: I) {
        for assignment in assignments {
            self.insert(assignment.name, assignment.value);
        }
    }
}

impl FromIterator<ParameterAssignment> for Parameters {
    fn from_iter<I: IntoIterator<Item = ParameterAssignment>>(assignments: I) -> Self {
        let mut parameters = Self::new();
        parameters.extend(assignments);
        parameters
    }
}

impl IntoIterator for Parameters {
    type Item = (ParameterName, ParameterValue);
    type IntoIter = btree_map::IntoIter<ParameterName, ParameterValue>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Parameters {
    type Item = (&'a ParameterName, &'a ParameterValue);
    type IntoIter = btree_map::Iter<'a, ParameterName, ParameterValue>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
