//! Labels: what a container or an image says about itself, as key and value.
//!
//! Keys, values and filters are checked when they are made. What a label means is the business of whoever writes it;
//! this module only knows what an engine can store and give back unchanged.

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

/// Why the labels of a container could not be told.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// The backend did not inspect the container, or there is none.
    #[error("failed to inspect the container")]
    Inspect(#[from] CommandError),
}
