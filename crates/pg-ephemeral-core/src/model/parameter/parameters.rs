use std::collections::{BTreeMap, btree_map};

use super::{ParameterAssignment, ParameterName, ParameterValue};

/// Parameters with their values, each name once, in the order of their names.
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
    /// No parameters yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Sets a parameter, its name spelt as in `name` from now on, and gives back the value it had.
    pub fn insert(&mut self, name: ParameterName, value: ParameterValue) -> Option<ParameterValue> {
        let before = self.0.remove(&name);
        self.0.insert(name, value);
        before
    }

    /// Takes over every parameter of `overriding`, which wins where both set the same.
    pub fn merge(&mut self, overriding: &Self) {
        for (name, value) in overriding {
            self.insert(name.clone(), value.clone());
        }
    }

    /// The value of a parameter, however its name is spelt.
    #[must_use]
    pub fn get(&self, name: &ParameterName) -> Option<&ParameterValue> {
        self.0.get(name)
    }

    /// All parameters, in the order of their names.
    pub fn iter(&self) -> btree_map::Iter<'_, ParameterName, ParameterValue> {
        self.0.iter()
    }

    /// How many parameters there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no parameter.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Extend<ParameterAssignment> for Parameters {
    /// Sets one after the other: of two with the same name the later one stays.
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
