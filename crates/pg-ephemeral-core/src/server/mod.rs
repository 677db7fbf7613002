//! From a [`Definition`] to a running [`Server`]: choosing a backend, looking up images and layers, building missing
//! layers, starting a server, and attaching to a session that already runs. This module does not remove what killed
//! commands have left. `lifecycle` does that before it starts a server.

mod apply;
mod attach;
pub(crate) mod boot;
pub mod choose;
mod databases;
pub(crate) mod definition;
mod displaced;
mod error;
pub(crate) mod guard;
pub(crate) mod layer_images;
mod load_seeds;
pub(crate) mod resolve;
mod running;
mod settings_label;
mod start_from_image;
mod wait;

pub use crate::postgres::connect::ConnectError;
pub use crate::postgres::endpoint::{ConnectionParameters, Endpoint};
pub use apply::ApplyToServerError;
pub(crate) use boot::Boot;
pub(crate) use boot::build::{ANY_UNLOGGED, STOP_LIMIT};
pub(crate) use boot::launch::{bind, port_was_taken};
pub use definition::{Definition, Reach};
pub(crate) use displaced::{DisplacedLayers, remove_displaced};
pub(crate) use error::refuse_remote_folder;
pub use error::{AttachError, StartError, WithServerError};
pub use load_seeds::LoadError;
pub use running::{DumpError, Server, with_environment};
pub(crate) use settings_label::SettingsLabel;
pub(crate) use start_from_image::StartFromImage;
