//! The JSON output of the cache commands. `cache status` prints the library's `CacheStatus` instead.

use crate::output::rfc3339;
use ociman::Reference;
use pg_ephemeral_core::cache::{Credentials, Inspected, Pruned, Pulled, Reset};
use pg_ephemeral_core::label::{SeedEntry, SslMetadata};
use serde::Serialize;

/// The output of `cache inspect`.
#[derive(Debug, Serialize)]
pub(crate) struct InspectedView<'a> {
    /// The name by which the image was requested.
    pub(crate) reference: &'a Reference,
    /// The engine's ID of the image.
    pub(crate) id: &'a str,
    /// When the image was created (RFC 3339), if known.
    pub(crate) created: Option<String>,
    /// The size in bytes, including the layers below.
    pub(crate) size: u64,
    /// The version of pg-ephemeral that created the image.
    pub(crate) version: &'a str,
    /// The instance that the image belongs to.
    pub(crate) instance: &'a str,
    /// The base image.
    pub(crate) base_image: &'a Reference,
    /// The seeds in the image, each with `name`, `type`, `hash` and `description`.
    pub(crate) seeds: &'a [SeedEntry],
    /// The superuser's role name.
    pub(crate) superuser: &'a str,
    /// The name of the database.
    pub(crate) database: &'a str,
    /// The certificate, if there is one.
    pub(crate) ssl: Option<SslView<'a>>,
    /// The snapshot that the image holds; `null` for a layer of seeds.
    pub(crate) snapshot: Option<SnapshotView<'a>>,
}

/// A snapshot in `cache inspect`.
#[derive(Debug, Serialize)]
pub(crate) struct SnapshotView<'a> {
    /// The session from which the snapshot was taken.
    pub(crate) session: &'a str,
    /// The name of the snapshot; `null` for the snapshot of a fork.
    pub(crate) name: Option<&'a str>,
}

/// The SSL settings in `cache inspect` and `cache credentials`.
#[derive(Debug, Serialize)]
pub(crate) struct SslView<'a> {
    /// The host name in the server's certificate.
    pub(crate) hostname: &'a str,
    /// The certificate of the certificate authority, in PEM format.
    pub(crate) ca_cert_pem: Option<&'a str>,
}

/// The output of `cache credentials`.
#[derive(Debug, Serialize)]
pub(crate) struct CredentialsView<'a> {
    /// The layer.
    pub(crate) layer: &'a Reference,
    /// The superuser's role name.
    pub(crate) user: &'a str,
    /// The name of the database.
    pub(crate) database: &'a str,
    /// The password, derived from the user's secret.
    pub(crate) password: &'a str,
    /// The certificate, if there is one.
    pub(crate) ssl: Option<SslView<'a>>,
}

/// The output of `cache pull`.
#[derive(Debug, Serialize)]
pub(crate) struct PulledView<'a> {
    /// `pulled`, `already_here` or `nothing`.
    pub(crate) result: &'static str,
    /// The layer's name on this machine.
    pub(crate) layer: Option<&'a Reference>,
}

/// The output of `cache push`.
#[derive(Debug, Serialize)]
pub(crate) struct PushedView<'a> {
    /// The layers' names in the registry.
    pub(crate) pushed: &'a [Reference],
}

/// The output of `cache reset`.
#[derive(Debug, Serialize)]
pub(crate) struct ResetView<'a> {
    /// The removed layers.
    pub(crate) removed: &'a [Reference],
    /// The layers that were kept because servers run on them.
    pub(crate) in_use: &'a [Reference],
    /// The containers of the removed servers.
    pub(crate) servers: &'a [String],
}

/// The output of `cache prune`.
#[derive(Debug, Serialize)]
pub(crate) struct PrunedView<'a> {
    /// The removed layers.
    pub(crate) removed: &'a [Reference],
    /// The old layers that were kept because servers run on them.
    pub(crate) in_use: &'a [Reference],
    /// The number of removed working copies of the host backend.
    pub(crate) working_copies: usize,
}

impl<'a> From<&'a Inspected> for InspectedView<'a> {
    fn from(inspected: &'a Inspected) -> Self {
        let metadata = &inspected.metadata;
        Self {
            reference: &inspected.reference,
            id: &inspected.id,
            created: inspected.created.map(rfc3339),
            size: inspected.size,
            version: &metadata.version,
            instance: metadata.instance.as_str(),
            base_image: &metadata.image,
            seeds: &metadata.seeds,
            superuser: metadata.superuser.as_str(),
            database: metadata.database.as_str(),
            ssl: metadata.ssl.as_ref().map(SslView::from),
            snapshot: metadata.snapshot.as_ref().map(|snapshot| SnapshotView {
                session: snapshot.session.as_str(),
                name: snapshot.name.as_ref().map(|name| name.as_str()),
            }),
        }
    }
}

impl<'a> From<&'a SslMetadata> for SslView<'a> {
    fn from(ssl: &'a SslMetadata) -> Self {
        Self { hostname: ssl.hostname.as_str(), ca_cert_pem: ssl.ca_cert_pem.as_deref() }
    }
}

impl<'a> From<&'a Credentials> for CredentialsView<'a> {
    fn from(credentials: &'a Credentials) -> Self {
        Self {
            layer: &credentials.layer,
            user: credentials.user.as_str(),
            database: credentials.database.as_str(),
            password: credentials.password.expose(),
            ssl: credentials.ssl.as_ref().map(SslView::from),
        }
    }
}

impl<'a> From<&'a Pulled> for PulledView<'a> {
    fn from(pulled: &'a Pulled) -> Self {
        match pulled {
            Pulled::Layer(layer) => Self { result: "pulled", layer: Some(layer) },
            Pulled::AlreadyHere(layer) => Self { result: "already_here", layer: Some(layer) },
            Pulled::Nothing => Self { result: "nothing", layer: None },
        }
    }
}

impl<'a> From<&'a Reset> for ResetView<'a> {
    fn from(reset: &'a Reset) -> Self {
        Self { removed: &reset.removed, in_use: &reset.in_use, servers: &reset.servers }
    }
}

impl<'a> From<&'a Pruned> for PrunedView<'a> {
    fn from(pruned: &'a Pruned) -> Self {
        Self { removed: &pruned.removed, in_use: &pruned.in_use, working_copies: pruned.working_copies }
    }
}
