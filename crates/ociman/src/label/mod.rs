//! Labels: keys and values that describe a container or an image.
//!
//! Keys, values and filters are checked when they are created. The program that writes a label defines its meaning;
//! this module only ensures that an engine can store a label and return it unchanged.

use crate::CommandError;

mod filter;
mod key;
mod labels;
#[cfg(test)]
mod tests;
mod value;

pub use filter::Filter;
pub use key::{Key, KeyError};
pub use labels::Labels;
pub use value::{Value, ValueError};

/// Error returned if the labels of a container can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// The backend failed to inspect the container, or the container does not exist.
    #[error("failed to inspect the container")]
    Inspect(#[from] CommandError),
}
