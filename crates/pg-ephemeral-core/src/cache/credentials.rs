//! Credentials for a server that is started from a layer without pg-ephemeral.

use ociman::{Reference, Secret};

use super::lookup::{Lookup, local, present};
use super::{CacheError, inspect};
use crate::layer::LinkCache;
use crate::model::{DatabaseName, SeedHash, SeedName, SslMetadata, Superuser};
use crate::server::Definition;
use crate::server::resolve::{LookedUp, Resolved};
use crate::state::MachineSecret;

/// What a client needs, besides the address, to connect to a server that was started from a layer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Credentials {
    /// The layer's image.
    pub layer: Reference,
    /// The role to log in as.
    pub user: Superuser,
    /// The database to connect to.
    pub database: DatabaseName,
    /// The SSL host name, if the configuration enables SSL. A layer contains no certificate. This crate gives each
    /// server that it starts a certificate from a certificate authority of the server's own; a server started by hand
    /// has none.
    pub ssl: Option<SslMetadata>,
    /// The password, derived from this machine's secret. It does not work for a layer that was built under another
    /// secret and pulled.
    pub password: Secret,
}

pub(super) async fn of(definition: &Definition, seed: Option<&SeedName>) -> Result<Credentials, CacheError> {
    let lookup = Lookup::here(definition).await?;
    let LookedUp::Resolved(found) = &lookup.looked_up else {
        return Err(CacheError::NotCached { of: format!("the instance {}", definition.instance) });
    };
    let hash = match seed {
        Some(name) => layer_of(found, name)?,
        None => present(found)
            .into_iter()
            .next()
            .ok_or_else(|| CacheError::NotCached { of: format!("the instance {}", definition.instance) })?,
    };
    let layer = local(definition, &hash)?;
    let metadata = inspect(&lookup.backend, &layer).await?.metadata;
    let secret = MachineSecret::load_or_create(&definition.folders)?;
    Ok(Credentials {
        layer,
        user: metadata.superuser,
        database: metadata.database,
        ssl: metadata.ssl,
        password: secret.layer_password(found.chain.password_key(&hash)),
    })
}

fn layer_of(found: &Resolved, name: &SeedName) -> Result<SeedHash, CacheError> {
    let links = found.chain.links();
    let Some(link) = links.iter().find(|link| link.name == *name) else {
        let known = links.iter().map(|link| link.name.clone()).collect();
        return Err(CacheError::UnknownSeed { name: name.clone(), known });
    };
    match &link.cache {
        LinkCache::Uncacheable { reason } => Err(CacheError::Uncacheable { seed: name.clone(), reason: *reason }),
        LinkCache::Broken { by } => Err(CacheError::Broken { seed: name.clone(), by: by.clone() }),
        LinkCache::Cacheable if found.present.contains(&link.hash) => Ok(link.hash.clone()),
        LinkCache::Cacheable => Err(CacheError::NotCached { of: format!("seed {name}") }),
    }
}
