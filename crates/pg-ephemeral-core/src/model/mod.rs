//! What people write and what labels carry: names, images, parameters, settings, seeds, keys and labels. Plain values that
//! are checked when they are made. Nothing here does IO, except that an [`owner::Owner`] tells whether its process lives.

pub mod image;
pub mod instance;
pub(crate) mod key;
pub mod label;
pub(crate) mod layer_image;
pub(crate) mod locale;
pub mod owner;
pub mod parameter;
pub mod progress;
pub(crate) mod seed;
pub(crate) mod session;
pub(crate) mod setting;
pub(crate) mod snapshot;
