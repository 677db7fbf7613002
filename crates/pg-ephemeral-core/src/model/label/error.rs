//! The errors of reading labels. Each names the label and says what is wrong with it.

use std::num::ParseIntError;

use ociman::label::Key;
use ociman::{ContainerNameError, ReferenceError};

use crate::model::instance::NameError;
use crate::model::setting::{DatabaseNameError, SslHostnameError, SuperuserError};

/// The reason why the labels of a container or an image could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The label is missing or empty.
    #[error("the label {key} is missing")]
    Missing {
        /// The label.
        key: Key,
    },
    /// The value of the label is malformed.
    #[error("failed to read the label {key} {value:?}")]
    Malformed {
        /// The label.
        key: Key,
        /// The value of the label, truncated if it is long.
        value: String,
        /// The description of the fault.
        #[source]
        source: Malformed,
    },
    /// The value of the label contradicts another label or itself.
    #[error("the label {key} is inconsistent: {reason}")]
    Inconsistent {
        /// The label.
        key: Key,
        /// The description of the contradiction.
        reason: String,
    },
    /// An image has a label that only containers can have.
    #[error("the label {key} is not valid on an image")]
    Misplaced {
        /// The label.
        key: Key,
    },
    /// The labels were written by a newer version of pg-ephemeral, in which they may have another meaning.
    #[error("the label {key} has version {version}, which is newer than this pg-ephemeral, {}", env!("CARGO_PKG_VERSION"))]
    NewerVersion {
        /// The label.
        key: Key,
        /// The version that wrote the labels.
        version: String,
    },
}

impl ReadError {
    /// Returns the label that the error is about.
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

    /// Returns what the user can do about the error.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NewerVersion { version, .. } => Some(format!("use pg-ephemeral {version} or later")),
            Self::Missing { key } if *key == super::VERSION_KEY => Some("pg-ephemeral did not make it".to_owned()),
            _ => None,
        }
    }
}

/// The reason why a label's value is malformed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The value is not a version of the form `1.2.3`.
    #[error("expected a version such as 1.2.3")]
    Version,
    /// The value is not the name of an instance.
    #[error(transparent)]
    Instance(NameError),
    /// The value is not an image reference.
    #[error(transparent)]
    Image(ReferenceError),
    /// The value is not a JSON array of seeds.
    #[error("expected a JSON array of seeds")]
    Seeds(#[source] serde_json::Error),
    /// The value is not the JSON that this label contains.
    #[error("expected the JSON of such a label")]
    Json(#[source] serde_json::Error),
    /// The value is not the name of a session.
    #[error(transparent)]
    Session(ContainerNameError),
    /// The value is not the JSON of an owner.
    #[error("expected the JSON of an owner")]
    Owner(#[source] serde_json::Error),
    /// The value is not a number of seconds.
    #[error("expected a number of seconds")]
    Expires(#[source] ParseIntError),
    /// The number of seconds is so large that the time can't be represented.
    #[error("the time is out of range")]
    TooLate,
    /// The value is not the name of a role.
    #[error(transparent)]
    Superuser(SuperuserError),
    /// The value is not the name of a database.
    #[error(transparent)]
    Database(DatabaseNameError),
    /// The value is not a host name.
    #[error(transparent)]
    SslHostname(SslHostnameError),
    /// The value is not a certificate in PEM format.
    #[error("expected a certificate in PEM")]
    SslCertificate,
}
