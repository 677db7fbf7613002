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
