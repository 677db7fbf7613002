//! Pushes layers to a registry and pulls them. A layer's name in the registry differs from its local name; the image
//! has that name on this machine only during the transfer.

use ociman::label::Labels;
use ociman::{Backend, CommandError, Kind, Reference};

use super::CacheError;
use super::lookup::{Lookup, local, prepare, present};
use crate::layer;
use crate::lifecycle::reap::{self, LateStarts};
use crate::model::{CacheRegistry, SeedHash, SnapshotLabel, SnapshotTag, Step, label};
use crate::server::Definition;
use crate::server::resolve::{self, LookedUp};
use crate::state::Lock;

/// The result of [`Definition::pull_cache`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pulled {
    /// A layer was pulled; it has this name on this machine.
    Layer(Reference),
    /// Nothing was pulled, because this layer is already on this machine and the registry has no deeper one.
    AlreadyHere(Reference),
    /// Nothing was pulled, because the registry has no layer of this chain.
    Nothing,
}

pub(super) async fn pull(definition: &Definition) -> Result<Pulled, CacheError> {
    let registry = registry(definition)?;
    let (backend, seeds) = prepare(definition).await?;
    refuse_host(&backend, "pull")?;
    let mut found = resolve::look_up(definition, &backend, &seeds).await?;
    let _lock = Lock::of_build(&definition.folders, backend.kind(), &definition.instance).await?;
    resolve::look_again(&backend, &mut found).await?;
    let hashes: Vec<_> = found.chain.hashes().collect();
    for hash in hashes.into_iter().rev() {
        let name = local(definition, hash)?;
        if found.present.contains(hash) {
            return Ok(Pulled::AlreadyHere(name));
        }
        let remote = remote(definition, registry, hash)?;
        definition.observer.begin(Step::Pull { image: remote.to_string() });
        match backend.pull(&remote).await {
            Ok(()) => {}
            Err(CommandError::ImageNotFound { .. }) => continue,
            Err(source) => return Err(CacheError::Pull { reference: remote.to_string(), source }),
        }
        check(&backend, &remote, |labels| label::has_key(labels, hash.as_str())).await?;
        if !is_same_name(backend.kind(), &remote, &name) {
            let renamed = rename(&backend, &remote, &name).await;
            renamed.map_err(|source| CacheError::Pull { reference: remote.to_string(), source })?;
        }
        return Ok(Pulled::Layer(name));
    }
    Ok(Pulled::Nothing)
}

/// Checks that a pulled image is a layer. If it is not, removes the image and returns an error.
async fn check(backend: &Backend, remote: &Reference, is_layer: impl Fn(&Labels) -> bool) -> Result<(), CacheError> {
    let found = backend.inspect_images(std::slice::from_ref(remote)).await.map_err(CacheError::List)?;
    if found.iter().flatten().any(|info| is_layer(&info.labels)) {
        return Ok(());
    }
    let reference = remote.to_string();
    match backend.remove_image(remote).await {
        Ok(()) | Err(CommandError::ImageNotFound { .. } | CommandError::ImageInUse { .. }) => {}
        Err(source) => return Err(CacheError::Remove { reference, source }),
    }
    Err(CacheError::NotTheLayer { reference })
}

async fn rename(backend: &Backend, from: &Reference, to: &Reference) -> Result<(), CommandError> {
    backend.tag(from, to).await?;
    backend.remove_image(from).await
}

pub(super) async fn push(definition: &Definition) -> Result<Vec<Reference>, CacheError> {
    let registry = registry(definition)?;
    let Lookup { backend, looked_up, .. } = Lookup::here(definition).await?;
    refuse_host(&backend, "push")?;
    let LookedUp::Resolved(mut found) = looked_up else { return Err(CacheError::NothingToPush) };
    let _lock = Lock::of_build(&definition.folders, backend.kind(), &definition.instance).await?;
    resolve::look_again(&backend, &mut found).await?;
    let mut pushed = Vec::new();
    // Push the base layer first, so that a concurrent pull finds only complete layers.
    for hash in present(&found).iter().rev() {
        let name = local(definition, hash)?;
        let remote = remote(definition, registry, hash)?;
        definition.observer.begin(Step::Push { image: remote.to_string() });
        let sent = send(&backend, &name, &remote).await;
        sent.map_err(|source| CacheError::Push { reference: remote.to_string(), source })?;
        pushed.push(remote);
    }
    if pushed.is_empty() { Err(CacheError::NothingToPush) } else { Ok(pushed) }
}

pub(super) async fn pull_snapshot(definition: &Definition, tag: &SnapshotTag) -> Result<Reference, CacheError> {
    let (backend, name, remote) = both_names(definition, tag, "pull").await?;
    let _lock = Lock::of_build(&definition.folders, backend.kind(), &definition.instance).await?;
    definition.observer.begin(Step::Pull { image: remote.to_string() });
    let failed = |source| CacheError::Pull { reference: remote.to_string(), source };
    backend.pull(&remote).await.map_err(failed)?;
    let is_snapshot = |labels: &Labels| {
        let label = label::json::<SnapshotLabel>(labels, label::SNAPSHOT_KEY).ok().flatten();
        label.is_some_and(|label| label.name.is_some_and(|name| *tag == SnapshotTag::of(&label.session, &name)))
    };
    check(&backend, &remote, is_snapshot).await?;
    if !is_same_name(backend.kind(), &remote, &name) {
        rename(&backend, &remote, &name).await.map_err(failed)?;
    }
    Ok(name)
}

pub(super) async fn push_snapshot(definition: &Definition, tag: &SnapshotTag) -> Result<Reference, CacheError> {
    let (backend, name, remote) = both_names(definition, tag, "push").await?;
    let _lock = Lock::of_build(&definition.folders, backend.kind(), &definition.instance).await?;
    definition.observer.begin(Step::Push { image: remote.to_string() });
    let sent = send(&backend, &name, &remote).await;
    sent.map_err(|source| CacheError::Push { reference: remote.to_string(), source })?;
    Ok(remote)
}

/// Returns the backend, the snapshot's local name, and its name in the registry.
async fn both_names(
    definition: &Definition,
    tag: &SnapshotTag,
    operation: &'static str,
) -> Result<(Backend, Reference, Reference), CacheError> {
    let registry = registry(definition)?;
    let backend = definition.find_backend().await?;
    refuse_host(&backend, operation)?;
    reap::reap_recorded(&definition.folders, &backend, LateStarts::Hurry).await;
    let named = |registry| layer::snapshot_reference(registry, &definition.instance, tag).map_err(CacheError::Name);
    Ok((backend, named(None)?, named(Some(registry))?))
}

async fn send(backend: &Backend, name: &Reference, remote: &Reference) -> Result<(), CommandError> {
    if is_same_name(backend.kind(), remote, name) {
        return backend.push(remote).await;
    }
    backend.tag(name, remote).await?;
    let pushed = backend.push(remote).await;
    let untagged = backend.remove_image(remote).await;
    pushed.and(untagged)
}

fn registry(definition: &Definition) -> Result<&CacheRegistry, CacheError> {
    definition.cache_registry.as_ref().ok_or(CacheError::NoRegistry)
}

fn refuse_host(backend: &Backend, operation: &'static str) -> Result<(), CacheError> {
    match backend.kind() {
        Kind::Host => Err(CacheError::Unsupported { backend: Kind::Host, operation }),
        Kind::Docker | Kind::Podman => Ok(()),
    }
}

fn remote(definition: &Definition, registry: &CacheRegistry, hash: &SeedHash) -> Result<Reference, CacheError> {
    layer::image_reference(Some(registry), &definition.instance, hash).map_err(CacheError::Name)
}

/// Returns `true` if the engine treats a layer's name in the registry and its local name as the same name.
fn is_same_name(engine: Kind, remote: &Reference, name: &Reference) -> bool {
    match engine {
        Kind::Docker => remote.canonical() == name.canonical(),
        Kind::Podman => remote.domain() == Some("localhost") && remote.path() == name.path(),
        Kind::Host => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_whose_names_equal_the_local_names_is_detected() {
        let name: Reference = "pg-ephemeral/main:1".parse().unwrap();
        let same = |engine, remote: &str| is_same_name(engine, &remote.parse().unwrap(), &name);
        assert!(same(Kind::Docker, "docker.io/pg-ephemeral/main:1"));
        assert!(!same(Kind::Docker, "localhost/pg-ephemeral/main:1"));
        assert!(same(Kind::Podman, "localhost/pg-ephemeral/main:1"));
        assert!(!same(Kind::Podman, "docker.io/pg-ephemeral/main:1"));
        assert!(!same(Kind::Podman, "localhost:5000/pg-ephemeral/main:1"));
    }
}
