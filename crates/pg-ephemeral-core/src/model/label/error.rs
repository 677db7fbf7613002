//! Why labels could not be read: which one, and what is wrong with it.

use std::num::ParseIntError;

use ociman::label::Key;
use ociman::{ContainerNameError, ReferenceError};

use crate::model::instance::NameError;
use crate::model::setting::{DatabaseNameError, SslHostnameError, SuperuserError};

/// Why the labels of a container or an image could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It has no such label, or an empty one.
    #[error("the label {key} is missing")]
    Missing {
        /// The label.
        key: Key,
    },
    /// The value is not what such a label holds.
    #[error("read the label {key} {value:?}")]
    Malformed {
        /// The label.
        key: Key,
        /// Its value, cut when it is long.
        value: String,
        /// What is wrong with it.
        #[source]
        source: Malformed,
    },
    /// The value contradicts another label, or itself.
    #[error("the label {key} is inconsistent: {reason}")]
    Inconsistent {
        /// The label.
        key: Key,
        /// What it contradicts.
        reason: String,
    },
    /// Only containers have such a label, and this is an image.
    #[error("the label {key} has no place on an image")]
    Misplaced {
        /// The label.
        key: Key,
    },
    /// It was written by a later version, whose labels may mean something else.
    #[error("the label {key} says {version}, which is newer than this pg-ephemeral, {}", env!("CARGO_PKG_VERSION"))]
    NewerVersion {
        /// The label.
        key: Key,
        /// The version that wrote it.
        version: String,
    },
}

impl ReadError {
    /// The label that it is about.
    #[must_use]
    pub fn key(&self) -> &Key {
        match self {
            Self::Missing { key }
            | Self::Malformed { key, .. }
            | Self::Inconsistent { key, .. }
            | Self::Misplaced { key }
            | Self::NewerVersion { key, .. } => key,
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NewerVersion { version, .. } => Some(format!("use pg-ephemeral {version} or later")),
            Self::Missing { key } if *key == super::VERSION_KEY => Some("pg-ephemeral did not make it".to_owned()),
            _ => None,
        }
    }
}

/// What is wrong with a label's value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// It is no version of the form `1.2.3`.
    #[error("expected a version such as 1.2.3")]
    Version,
    /// It is no name of an instance.
    #[error(transparent)]
    Instance(NameError),
    /// It is no reference to an image.
    #[error(transparent)]
    Image(ReferenceError),
    /// It is not the JSON of seeds.
    #[error("expected a JSON array of seeds")]
    Seeds(#[source] serde_json::Error),
    /// It is not the JSON that such a label holds.
    #[error("expected the JSON of such a label")]
    Json(#[source] serde_json::Error),
    /// It is no name of a session.
    #[error(transparent)]
    Session(ContainerNameError),
    /// It is not the JSON of an owner.
    #[error("expected the JSON of an owner")]
    Owner(#[source] serde_json::Error),
    /// It is not a number of seconds.
    #[error("expected a number of seconds")]
    Expires(#[source] ParseIntError),
    /// The number of seconds is beyond what a clock can show.
    #[error("no clock can show that time")]
    TooLate,
    /// It is no name of a role.
    #[error(transparent)]
    Superuser(SuperuserError),
    /// It is no name of a database.
    #[error(transparent)]
    Database(DatabaseNameError),
    /// It is no host name.
    #[error(transparent)]
    SslHostname(SslHostnameError),
    /// It is no certificate in PEM.
    #[error("expected a certificate in PEM")]
    SslCertificate,
}
