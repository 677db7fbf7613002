//! Pins the signatures of the public interface: a breaking change does not compile here.
#![allow(clippy::unwrap_used, dead_code, unreachable_code)]

use std::str::FromStr;

use ociman::backend::ContainerListWithNameError;
use ociman::image::Reference;
use ociman::label::{ContainerError, Filter, Key, Labels, Value};
use ociman::{Backend, CommandError, Container, ContainerName, ContainerNameError};
use pg_ephemeral_core::image::Image;
use pg_ephemeral_core::label::{self, Metadata, ReadError, SeedEntry};
use pg_ephemeral_core::layer::SeedHash;
use pg_ephemeral_core::seed::LoadedSeeds;
use pg_ephemeral_core::session::{
    FindError, ListError, MetadataError, Name, SeedStatus, Session, StopError, compute_seed_status,
};
use pg_ephemeral_core::{Definition, LoadError, SeedName};

fn is_error<E: std::error::Error + Send + Sync + 'static>() {}
fn is_value<T: Clone + std::fmt::Debug + PartialEq + std::fmt::Display>() {}

#[test]
fn plain_functions_have_these_signatures() {
    let _: fn(&Key) -> Filter = Filter::key_only;
    let _: fn(&Key, &Value) -> Filter = Filter::exact;
    let _: fn(String) -> Result<Value, ociman::label::ValueError> = Value::try_from;
    let _: Key = label::SESSION_KEY;
    let _: fn(&Labels) -> Result<Metadata, ReadError> = label::read_container;
    let _: fn(&Image) -> Reference = |image| Reference::from(image);

    let _: &'static str = Name::OCI_PREFIX;
    let _: fn(&Name) -> &str = Name::as_str;
    let _: fn(&Name) -> &ContainerName = Name::container_name;
    let _: fn(&str) -> Result<Name, ContainerNameError> = Name::from_str;
    is_value::<Name>();
    fn is_eq<T: Eq>() {}
    is_eq::<Name>();

    let _: fn(&Session) -> &Name = Session::name;
    let _: fn(&Session) -> &Container = Session::container;
    let _: fn(Session) -> Container = Session::into_ociman_container;
    let _: fn(Definition, Name) -> Definition = Definition::session_name;

    let _: fn(&Reference, &[SeedEntry], &Image, &LoadedSeeds<'_>) -> SeedStatus = compute_seed_status;
    is_value::<SeedStatus>();
    assert_eq!([SeedStatus::Sync.to_string(), SeedStatus::Diverged.to_string()], ["sync", "diverged"]);

    is_error::<ListError>();
    is_error::<FindError>();
    is_error::<MetadataError>();
    is_error::<StopError>();
    is_error::<LoadError>();
    is_error::<CommandError>();
    is_error::<ContainerListWithNameError>();
    is_error::<ContainerError>();
}

/// Is never called: the test is that this function compiles.
async fn futures_end_with_these(
    backend: &Backend,
    mut container: Container,
    session: Session,
    name: &Name,
    definition: &Definition,
) -> Result<(), Box<dyn std::error::Error>> {
    let listed: Result<Vec<(Container, ContainerName)>, ContainerListWithNameError> =
        backend.container_list_with_name([Filter::key_only(&label::SESSION_KEY)]).await;
    let _ = listed?;
    let labels: Result<Labels, ContainerError> = container.labels().await;
    let _ = labels?;
    let removed: Result<(), CommandError> = container.remove_force().await;
    removed?;

    let metadata: Result<Metadata, MetadataError> = session.metadata().await;
    let Metadata { image: _, seeds, .. } = metadata?;
    for SeedEntry { name, hash, .. } in seeds {
        let (_, _): (SeedName, Option<SeedHash>) = (name, hash);
    }
    let stopped: Result<(), StopError> = session.stop().await;
    stopped?;
    let listed: Result<Vec<Session>, ListError> = Session::list(backend).await;
    let _ = listed?;
    let found: Result<Option<Session>, FindError> = Session::find(backend, name).await;
    let _ = found?;

    let loaded: Result<LoadedSeeds<'_>, LoadError> = definition.load_seeds(backend).await;
    for seed in loaded?.iter_seeds() {
        let (_, _): (&SeedName, Option<&SeedHash>) = (seed.name(), seed.cache_status().hash());
    }
    Ok(())
}

fn is_a<T>(_: &T) {}

/// Matches without a wildcard, so an additional variant or field does not compile.
fn errors_are_these(list: ListError, find: FindError, metadata: MetadataError, stop: StopError, status: SeedStatus) {
    match list {
        ListError::ListWithName(source) => is_a::<ContainerListWithNameError>(&source),
        ListError::MissingOciPrefix { container_name } => is_a::<ContainerName>(&container_name),
        ListError::InvalidSessionName(source) => is_a::<ContainerNameError>(&source),
    }
    match find {
        FindError::List(source) => is_a::<ListError>(&source),
        FindError::MultipleMatches { count } => is_a::<usize>(&count),
    }
    match metadata {
        MetadataError::ReadLabels(source) => is_a::<ContainerError>(&source),
        MetadataError::Decode(source) => is_a::<ReadError>(&source),
    }
    match stop {
        StopError::Remove(source) => is_a::<CommandError>(&source),
    }
    match status {
        SeedStatus::Sync | SeedStatus::Diverged => {}
    }
    let _: fn(ContainerError) -> MetadataError = MetadataError::from;
    let _: fn(ReadError) -> MetadataError = MetadataError::from;
    let _: fn(ListError) -> FindError = FindError::from;
}
