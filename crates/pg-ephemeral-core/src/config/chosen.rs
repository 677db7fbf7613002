//! The instance that the environment chooses.

use std::env::VarError;

use crate::model::{InstanceName, NameError};

/// Names the instance to use, when the command line does not.
pub const INSTANCE_VARIABLE: &str = "PG_EPHEMERAL_INSTANCE";

/// The instance that [`INSTANCE_VARIABLE`] names. An empty one names none.
///
/// # Errors
/// Its text can't be the name of an instance.
pub fn instance_of_environment() -> Result<Option<InstanceName>, InstanceVariableError> {
    match std::env::var(INSTANCE_VARIABLE) {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => text.parse().map(Some).map_err(|source| InstanceVariableError::Name { text, source }),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(InstanceVariableError::NotUtf8),
    }
}

/// Why the variable names no instance.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstanceVariableError {
    /// It can't be the name of an instance.
    #[error("{INSTANCE_VARIABLE} is {text:?}")]
    Name {
        /// Its text.
        text: String,
        /// What is wrong with it.
        source: NameError,
    },
    /// It is not UTF-8.
    #[error("{INSTANCE_VARIABLE} is not UTF-8")]
    NotUtf8,
}
