//! All labels of a container or a layer image as one typed value. An empty label counts as absent: a commit can only
//! empty the labels that an image takes over from its container.

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

/// How much of a label's value an error shows, in characters.
const SHOWN: usize = 200;

/// What the labels of a container or a layer image say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Version of pg-ephemeral that made it.
    pub version: String,
    /// The instance it is of.
    pub instance: InstanceName,
    /// The base image; never a layer.
    pub image: Reference,
    /// The seeds that are in it or, on a container, that it was started for.
    pub seeds: Vec<SeedEntry>,
    /// The role everything connects as.
    pub superuser: Superuser,
    /// The database everything connects to.
    pub database: DatabaseName,
    /// Its certificate, when it speaks SSL.
    pub ssl: Option<SslMetadata>,
    /// The session that it is; never on an image.
    pub session: Option<Name>,
    /// Whose end makes it garbage; never on an image.
    pub owner: Option<Owner>,
    /// When it becomes garbage; never on an image.
    pub expires: Option<SystemTime>,
    /// What its password is derived from; never on an image.
    pub nonce: Option<String>,
    /// The snapshot that an image is. A container that was made of it has it too.
    pub snapshot: Option<SnapshotLabel>,
    /// What a session was put back to last; never on an image.
    pub restored: Option<Restored>,
}

/// One seed of the label [`SEEDS_KEY`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SeedEntry {
    /// Its name.
    pub name: SeedName,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: SeedKind,
    /// The key of the layer after it; `None` when that state is not cached.
    #[serde(default)]
    pub hash: Option<SeedHash>,
    /// The key of the state after it, when there is no layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) uncached_state: Option<SeedHash>,
    /// A few words on it, such as a path; never its body.
    #[serde(default)]
    pub description: String,
}

impl SeedEntry {
    /// A seed that has been applied.
    ///
    /// `hash` is the key of the layer after it; `None` when that state is not cached.
    #[must_use]
    pub fn new(name: SeedName, kind: SeedKind, hash: Option<SeedHash>) -> Self {
        Self { name, kind, hash, uncached_state: None, description: String::new() }
    }

    /// The key of the state after it, whether or not that state is cached.
    pub(crate) fn state(&self) -> Option<&SeedHash> {
        self.hash.as_ref().or(self.uncached_state.as_ref())
    }
}

/// What the labels say about SSL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SslMetadata {
    /// The name that the server's certificate is made for.
    pub hostname: SslHostname,
    /// The certificate of the authority that made it, as PEM; always there on a container. A session's server that was started
    /// again after a killed command has another, which [`Server::attach`](crate::Server::attach) knows.
    pub ca_cert_pem: Option<String>,
}

/// Reads the labels of a server's container.
///
/// # Errors
/// [`ReadError`], which names the label.
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
/// [`ReadError`], which names the label.
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
        Some(twice) => Err(inconsistent(SEEDS_KEY, format!("the seed {} is there twice", twice.name))),
        None => Ok(seeds),
    }
}

/// What the labels say about SSL, if anything.
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

/// The value of a label that must be there.
fn required<T>(labels: &Labels, key: Key, parse: impl FnOnce(&str) -> Result<T, Malformed>) -> Result<T, ReadError> {
    optional(labels, key.clone(), parse)?.ok_or(ReadError::Missing { key })
}

/// The value of a label that may be absent.
pub(super) fn optional<T>(
    labels: &Labels,
    key: Key,
    parse: impl FnOnce(&str) -> Result<T, Malformed>,
) -> Result<Option<T>, ReadError> {
    let Some(text) = present(labels, &key) else { return Ok(None) };
    let value = || text.chars().take(SHOWN).collect();
    parse(text).map(Some).map_err(|source| ReadError::Malformed { key, value: value(), source })
}

/// The value of a label that holds JSON and may be absent.
pub(super) fn json<T: DeserializeOwned>(labels: &Labels, key: Key) -> Result<Option<T>, ReadError> {
    optional(labels, key, |text| serde_json::from_str(text).map_err(Malformed::Json))
}

fn present<'a>(labels: &'a Labels, key: &Key) -> Option<&'a str> {
    labels.get(key).map(|value| value.as_str()).filter(|value| !value.is_empty())
}

fn inconsistent(key: Key, reason: String) -> ReadError {
    ReadError::Inconsistent { key, reason }
}

/// Major, minor and patch of a version; what follows a dash or a plus does not count.
fn numbers(version: &str) -> Option<[u64; 3]> {
    let core = version.split(['-', '+']).next()?;
    let mut parts = core.split('.').map(|part| part.parse::<u64>().ok());
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests;
