use std::fmt;
use std::str::FromStr;

use super::{ParameterName, ParameterNameError, ParameterValue, ParameterValueError};

/// A parameter with the value to set, read from and displayed as `NAME=VALUE`.
///
/// The first `=` ends the name; everything after it, spaces and further `=` included, is the value.
///
/// ```
/// use pg_ephemeral_core::parameter::ParameterAssignment;
///
/// let assignment: ParameterAssignment = "search_path=a, b".parse()?;
/// assert_eq!(assignment.name.as_str(), "search_path");
/// assert_eq!(assignment.value.as_str(), "a, b");
/// # Ok::<(), pg_ephemeral_core::parameter::ParameterAssignmentError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParameterAssignment {
    /// What to set.
    pub name: ParameterName,
    /// What to set it to.
    pub value: ParameterValue,
}

impl FromStr for ParameterAssignment {
    type Err = ParameterAssignmentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').ok_or(ParameterAssignmentError::NoEqualsSign)?;
        Ok(Self { name: name.parse()?, value: value.parse()? })
    }
}

impl fmt::Display for ParameterAssignment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}", self.name, self.value)
    }
}

/// Why a text is not a [`ParameterAssignment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterAssignmentError {
    /// Nothing separates name and value.
    #[error("parameter has no `=` between name and value")]
    NoEqualsSign,
    /// What stands before the first `=` is not a name.
    #[error(transparent)]
    Name(#[from] ParameterNameError),
    /// What follows the first `=` is not a value.
    #[error(transparent)]
    Value(#[from] ParameterValueError),
}
