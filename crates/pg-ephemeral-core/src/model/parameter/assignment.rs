use std::fmt;
use std::str::FromStr;

use super::{ParameterName, ParameterNameError, ParameterValue, ParameterValueError};

/// A parameter with its value, parsed from and displayed as `NAME=VALUE`.
///
/// The first `=` ends the name. Everything after it is the value, including spaces and further `=`.
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
    /// The name of the parameter.
    pub name: ParameterName,
    /// The value to set.
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

/// The reason why a text is not a valid [`ParameterAssignment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterAssignmentError {
    /// The text has no `=`.
    #[error("parameter has no `=` between name and value")]
    NoEqualsSign,
    /// The text before the first `=` is not a valid name.
    #[error(transparent)]
    Name(#[from] ParameterNameError),
    /// The text after the first `=` is not a valid value.
    #[error(transparent)]
    Value(#[from] ParameterValueError),
}
