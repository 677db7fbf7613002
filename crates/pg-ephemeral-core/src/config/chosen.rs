//! The instance that is selected by the environment.

use std::env::VarError;

use crate::model::{InstanceName, NameError};

/// The environment variable that names the instance to use if the command line names none.
pub const INSTANCE_VARIABLE: &str = "PG_EPHEMERAL_INSTANCE";

/// Returns the instance that [`INSTANCE_VARIABLE`] names. `None` if the variable is unset or empty.
///
/// # Errors
/// Returns an error if the value of the variable is not UTF-8 or not a valid name of an instance.
pub fn instance_of_environment() -> Result<Option<InstanceName>, InstanceVariableError> {
    match std::env::var(INSTANCE_VARIABLE) {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => text.parse().map(Some).map_err(|source| InstanceVariableError::Name { text, source }),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(InstanceVariableError::NotUtf8),
    }
}

/// The reason why the value of [`INSTANCE_VARIABLE`] is invalid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstanceVariableError {
    /// The value is not a valid name of an instance.
    #[error("{INSTANCE_VARIABLE} is {text:?}")]
    Name {
        /// The value.
        text: String,
        /// The reason why it is not a valid name.
        source: NameError,
    },
    /// The value is not UTF-8.
    #[error("{INSTANCE_VARIABLE} is not UTF-8")]
    NotUtf8,
}
