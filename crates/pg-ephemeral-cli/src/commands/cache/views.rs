//! What the cache commands print as JSON. The status is serialised as the library documents it.

use crate::output::rfc3339;
use ociman::Reference;
use pg_ephemeral_core::cache::{Credentials, Inspected, Pruned, Pulled, Reset};
use pg_ephemeral_core::label::{SeedEntry, SslMetadata};
use serde::Serialize;

/// `cache inspect`.
#[derive(Debug, Serialize)]
pub(crate) struct InspectedView<'a> {
    /// The name it was asked for by.
    pub(crate) reference: &'a Reference,
    /// The engine's identifier.
    pub(crate) id: &'a str,
    /// When it was made (RFC 3339), as far as that is known.
    pub(crate) created: Option<String>,
    /// Bytes, with everything that is under it.
    pub(crate) size: u64,
    /// Version of pg-ephemeral that made it.
    pub(crate) version: &'a str,
    /// The instance it is of.
    pub(crate) instance: &'a str,
    /// The base image.
    pub(crate) base_image: &'a Reference,
    /// The seeds in it: `name`, `type`, `hash`, `description`.
    pub(crate) seeds: &'a [SeedEntry],
    /// The role.
    pub(crate) superuser: &'a str,
    /// The database.
    pub(crate) database: &'a str,
    /// The certificate, when there is one.
    pub(crate) ssl: Option<SslView<'a>>,
    /// The session and the name of the snapshot that it is; `null` for a layer of seeds.
    pub(crate) snapshot: Option<SnapshotView<'a>>,
}

/// A snapshot in `cache inspect`.
#[derive(Debug, Serialize)]
pub(crate) struct SnapshotView<'a> {
    /// The session that it was taken of.
    pub(crate) session: &'a str,
    /// Its name; `null` for that of a fork.
    pub(crate) name: Option<&'a str>,
}

/// SSL in `cache inspect` and `cache credentials`.
#[derive(Debug, Serialize)]
pub(crate) struct SslView<'a> {
    /// The name the server's certificate is made for.
    pub(crate) hostname: &'a str,
    /// The certificate of the authority, as PEM.
    pub(crate) ca_cert_pem: Option<&'a str>,
}

/// `cache credentials`: the one place where a password is shown.
#[derive(Debug, Serialize)]
pub(crate) struct CredentialsView<'a> {
    /// The layer.
    pub(crate) layer: &'a Reference,
    /// The role.
    pub(crate) user: &'a str,
    /// The database.
    pub(crate) database: &'a str,
    /// The password, as this machine's secret derives it.
    pub(crate) password: &'a str,
    /// The certificate, when there is one.
    pub(crate) ssl: Option<SslView<'a>>,
}

/// `cache pull`.
#[derive(Debug, Serialize)]
pub(crate) struct PulledView<'a> {
    /// `pulled`, `already_here` or `nothing`.
    pub(crate) result: &'static str,
    /// The layer, by its name on this machine.
    pub(crate) layer: Option<&'a Reference>,
}

/// `cache push`.
#[derive(Debug, Serialize)]
pub(crate) struct PushedView<'a> {
    /// The layers, by their names in the registry.
    pub(crate) pushed: &'a [Reference],
}

/// `cache reset`.
#[derive(Debug, Serialize)]
pub(crate) struct ResetView<'a> {
    /// The layers that went.
    pub(crate) removed: &'a [Reference],
    /// The layers that stayed, because servers run on them.
    pub(crate) in_use: &'a [Reference],
    /// The containers of the servers that went.
    pub(crate) servers: &'a [String],
}

/// `cache prune`.
#[derive(Debug, Serialize)]
pub(crate) struct PrunedView<'a> {
    /// The layers that went.
    pub(crate) removed: &'a [Reference],
    /// The layers that stayed although they are old, because servers run on them.
    pub(crate) in_use: &'a [Reference],
    /// How many working copies of the host backend went.
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
