//! All labels of a container or a layer image as one typed value. An empty label counts as absent, because an image
//! inherits the labels of its container and a commit can't remove them, only empty them.

use std::collections::BTreeSet;
use std::time::SystemTime;

use ociman::Reference;
use ociman::label::{Key, Labels};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{
    EXPIRES_KEY, IMAGE_KEY, INSTANCE_KEY, Malformed, NONCE_KEY, OWNER_KEY, RESTORED_KEY, ReadError, SEEDS_KEY,
    SESSION_KEY, SNAPSHOT_KEY, SSL_CA_CERT_PEM_KEY, SSL_HOSTNAME_KEY, SUPERUSER_DATABASE_KEY, SUPERUSER_USER_KEY,
    VERSION_KEY,
};
use crate::model::instance::{InstanceName, SeedName};
use crate::model::key::SeedHash;
use crate::model::layer_image::is_layer;
use crate::model::owner::Owner;
use crate::model::seed::SeedKind;
use crate::model::session::Name;
use crate::model::setting::{DatabaseName, SslHostname, Superuser};
use crate::model::snapshot::{Restored, SnapshotLabel};

/// The length to which an error truncates a label's value, in characters.
const SHOWN: usize = 200;

/// The labels of a container or a layer image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// The version of pg-ephemeral that made the container or the image.
    pub version: String,
    /// The instance.
    pub instance: InstanceName,
    /// The base image; never a layer.
    pub image: Reference,
    /// The seeds that the image contains or that the container was started with.
    pub seeds: Vec<SeedEntry>,
    /// The superuser, which all connections use.
    pub superuser: Superuser,
    /// The database, which all connections use.
    pub database: DatabaseName,
    /// The server's certificate, if the server uses SSL.
    pub ssl: Option<SslMetadata>,
    /// The name of the session, if the container is that of a session; never on an image.
    pub session: Option<Name>,
    /// The process that started the container; never on an image.
    pub owner: Option<Owner>,
    /// The time after which a session may be removed; never on an image.
    pub expires: Option<SystemTime>,
    /// The random text that identifies the container; never on an image.
    pub nonce: Option<String>,
    /// The snapshot, if the image is one or the container was started from one.
    pub snapshot: Option<SnapshotLabel>,
    /// The state that a session was last restored to; never on an image.
    pub restored: Option<Restored>,
}

/// One seed in the label [`SEEDS_KEY`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SeedEntry {
    /// The name of the seed.
    pub name: SeedName,
    /// The type of the seed.
    #[serde(rename = "type")]
    pub kind: SeedKind,
    /// The key of the layer after the seed. `None` if that state is not cached.
    #[serde(default)]
    pub hash: Option<SeedHash>,
    /// The key of the state after the seed, if that state is not cached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) uncached_state: Option<SeedHash>,
    /// A short description such as a path; never the seed's body.
    #[serde(default)]
    pub description: String,
}

impl SeedEntry {
    /// Creates an entry with an empty description.
    ///
    /// `hash` is the key of the layer after the seed; `None` if that state is not cached.
    #[must_use]
    pub fn new(name: SeedName, kind: SeedKind, hash: Option<SeedHash>) -> Self {
        Self { name, kind, hash, uncached_state: None, description: String::new() }
    }

    /// Returns the key of the state after the seed, whether or not that state is cached.
    pub(crate) fn state(&self) -> Option<&SeedHash> {
        self.hash.as_ref().or(self.uncached_state.as_ref())
    }
}

/// The labels about SSL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SslMetadata {
    /// The host name that the server's certificate is made for.
    pub hostname: SslHostname,
    /// The certificate of the certificate authority that issued the server's certificate, as PEM. It is always present
    /// on a container. It is outdated if a session's server was started again after a command was killed;
    /// [`Server::attach`](crate::Server::attach) then uses the current one.
    pub ca_cert_pem: Option<String>,
}

/// Reads the labels of a server's container.
///
/// # Errors
/// Returns a [`ReadError`], which names the label, if a label is missing, malformed or inconsistent.
pub fn read_container(labels: &Labels) -> Result<Metadata, ReadError> {
    let metadata = read(labels)?;
    if metadata.owner.is_none() {
        return Err(ReadError::Missing { key: OWNER_KEY });
    }
    if metadata.session.is_some() && metadata.nonce.is_none() {
        return Err(ReadError::Missing { key: NONCE_KEY });
    }
    if metadata.expires.is_some() && metadata.session.is_none() {
        return Err(inconsistent(EXPIRES_KEY, format!("there is no {SESSION_KEY}, and only sessions expire")));
    }
    if metadata.ssl.as_ref().is_some_and(|ssl| ssl.ca_cert_pem.is_none()) {
        return Err(ReadError::Missing { key: SSL_CA_CERT_PEM_KEY });
    }
    Ok(metadata)
}

/// Reads the labels of a layer image.
///
/// ```
/// use pg_ephemeral_core::label::{self, ReadError};
///
/// let foreign = ociman::label::Labels::new();
/// let error = label::read_image(&foreign).unwrap_err();
/// assert!(matches!(error, ReadError::Missing { ref key } if *key == label::VERSION_KEY));
/// ```
///
/// # Errors
/// Returns a [`ReadError`], which names the label, if a label is missing, malformed or inconsistent, or if it is not
/// valid on an image.
pub fn read_image(labels: &Labels) -> Result<Metadata, ReadError> {
    let misplaced = [SESSION_KEY, OWNER_KEY, EXPIRES_KEY, NONCE_KEY, RESTORED_KEY]
        .into_iter()
        .find(|key| present(labels, key).is_some());
    let metadata = read(labels)?;
    match misplaced {
        Some(key) => Err(ReadError::Misplaced { key }),
        None => Ok(metadata),
    }
}

fn read(labels: &Labels) -> Result<Metadata, ReadError> {
    let version = required(labels, VERSION_KEY, |text| match numbers(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err(Malformed::Version),
    })?;
    if numbers(&version) > numbers(env!("CARGO_PKG_VERSION")) {
        return Err(ReadError::NewerVersion { key: VERSION_KEY, version });
    }
    Ok(Metadata {
        version,
        instance: required(labels, INSTANCE_KEY, |text| text.parse().map_err(Malformed::Instance))?,
        image: image(labels)?,
        seeds: seeds(labels)?,
        superuser: required(labels, SUPERUSER_USER_KEY, |text| text.parse().map_err(Malformed::Superuser))?,
        database: required(labels, SUPERUSER_DATABASE_KEY, |text| text.parse().map_err(Malformed::Database))?,
        ssl: ssl(labels)?,
        session: optional(labels, SESSION_KEY, |text| text.parse().map_err(Malformed::Session))?,
        owner: super::owner(labels)?,
        expires: super::expires(labels)?,
        nonce: present(labels, &NONCE_KEY).map(str::to_owned),
        snapshot: json(labels, SNAPSHOT_KEY)?,
        restored: json(labels, RESTORED_KEY)?,
    })
}

fn image(labels: &Labels) -> Result<Reference, ReadError> {
    let image: Reference = required(labels, IMAGE_KEY, |text| text.parse().map_err(Malformed::Image))?;
    if is_layer(&image) {
        return Err(inconsistent(IMAGE_KEY, format!("{image} is a layer, not a base image")));
    }
    Ok(image)
}

fn seeds(labels: &Labels) -> Result<Vec<SeedEntry>, ReadError> {
    let seeds: Vec<SeedEntry> =
        required(labels, SEEDS_KEY, |text| serde_json::from_str(text).map_err(Malformed::Seeds))?;
    let mut names = BTreeSet::new();
    match seeds.iter().find(|seed| !names.insert(&seed.name)) {
        Some(twice) => Err(inconsistent(SEEDS_KEY, format!("the seed {} is listed twice", twice.name))),
        None => Ok(seeds),
    }
}

/// Reads the labels about SSL. `None` if there are none.
pub(crate) fn ssl(labels: &Labels) -> Result<Option<SslMetadata>, ReadError> {
    let hostname = optional(labels, SSL_HOSTNAME_KEY, |text| text.parse().map_err(Malformed::SslHostname))?;
    let ca_cert_pem =
        optional(labels, SSL_CA_CERT_PEM_KEY, |text| match text.trim_start().starts_with("-----BEGIN") {
            true => Ok(text.to_owned()),
            false => Err(Malformed::SslCertificate),
        })?;
    match (hostname, ca_cert_pem) {
        (Some(hostname), ca_cert_pem) => Ok(Some(SslMetadata { hostname, ca_cert_pem })),
        (None, Some(_)) => Err(inconsistent(SSL_CA_CERT_PEM_KEY, format!("there is no {SSL_HOSTNAME_KEY}"))),
        (None, None) => Ok(None),
    }
}

/// Reads a label that must exist.
fn required<T>(labels: &Labels, key: Key, parse: impl FnOnce(&str) -> Result<T, Malformed>) -> Result<T, ReadError> {
    optional(labels, key.clone(), parse)?.ok_or(ReadError::Missing { key })
}

/// Reads a label that may be absent.
pub(super) fn optional<T>(
    labels: &Labels,
    key: Key,
    parse: impl FnOnce(&str) -> Result<T, Malformed>,
) -> Result<Option<T>, ReadError> {
    let Some(text) = present(labels, &key) else { return Ok(None) };
    let value = || text.chars().take(SHOWN).collect();
    parse(text).map(Some).map_err(|source| ReadError::Malformed { key, value: value(), source })
}

/// Reads a label that contains JSON and may be absent.
pub(super) fn json<T: DeserializeOwned>(labels: &Labels, key: Key) -> Result<Option<T>, ReadError> {
    optional(labels, key, |text| serde_json::from_str(text).map_err(Malformed::Json))
}

fn present<'a>(labels: &'a Labels, key: &Key) -> Option<&'a str> {
    labels.get(key).map(|value| value.as_str()).filter(|value| !value.is_empty())
}

fn inconsistent(key: Key, reason: String) -> ReadError {
    ReadError::Inconsistent { key, reason }
}

/// Returns the major, minor and patch number of a version. The text after a dash or a plus is ignored.
fn numbers(version: &str) -> Option<[u64; 3]> {
    let core = version.split(['-', '+']).next()?;
    let mut parts = core.split('.').map(|part| part.parse::<u64>().ok());
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests;
