//! Names, images, parameters, settings, seeds, keys and labels, as users write them and as labels store them. They are
//! plain values that are checked when they are created. Nothing here does IO, except that [`owner::Owner`] looks up
//! whether its process is alive.

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

pub(crate) use image::Image;
pub(crate) use instance::{InstanceName, NameError, SeedName};
pub(crate) use key::{KeyHasher, SeedHash};
pub(crate) use label::{Metadata, ReadError, SeedEntry, SslMetadata};
pub(crate) use locale::ClusterLocale;
pub(crate) use owner::{Liveness, Owner};
pub(crate) use parameter::{ParameterAssignment, ParameterName, ParameterValue, Parameters, sets_ssl};
pub(crate) use progress::{Observer, Step};
pub(crate) use seed::SeedKind;
pub(crate) use setting::{
    CacheRegistry, DatabaseName, Encoding, IcuLocale, Locale, LocaleProvider, SslConfig, SslHostname, SslHostnameError,
    Superuser,
};
pub(crate) use snapshot::{LayerLabel, Restored, SnapshotLabel, SnapshotTag};
