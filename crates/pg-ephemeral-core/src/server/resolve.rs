//! Resolving the base image of a server, and looking up which layers exist. The properties of a base image are cached
//! in the state folder. As long as the image has not changed, one inspection of the image and the layers together is
//! then enough.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ociman::{Backend, Host, ImageInfo, Reference};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::definition::Definition;
use super::error::StartError;
use crate::layer::{self, BaseIdentity, BaseInputs, Chain};
use crate::model::{ClusterLocale, Image, InstanceName, Parameters, SeedHash, Step, label};
use crate::postgres::host_image::{FindError, Installation, Installations, major_of};
use crate::postgres::locale::{self, InstalledLocales, LocaleError};
use crate::seed::ReadSeeds;
use crate::state::folders::write_whole;
use crate::state::{Folders, folders};

/// The maximum number of file system layers in an image that another layer is built on. Docker allows 125 in total.
const DEEP: usize = 100;

/// The base image and the layers that a server can start from.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    /// The base image.
    pub(crate) image: Reference,
    /// The base layer and the layers of the seeds.
    pub(crate) chain: Chain,
    /// The layers that are known to exist. Before a boot, this is only the last layer, or nothing if that does not
    /// exist, because the others have not been looked up.
    pub(crate) present: BTreeSet<SeedHash>,
    /// The existing layers that have too many file system layers to build another one on them.
    pub(super) deep: BTreeSet<SeedHash>,
    /// The volume of the image that contains the image's default data folder, if there is one.
    pub(super) data_volume: Option<String>,
    /// The PostgreSQL installation, on the host backend.
    pub(super) installation: Option<Installation>,
    pub(super) instance: InstanceName,
    /// The locale settings for a new cluster.
    pub(super) locale: ClusterLocale,
}

impl Resolved {
    /// Returns the name of a layer's image.
    pub(super) fn layer(&self, hash: &SeedHash) -> Result<Reference, StartError> {
        layer::image_reference(None, &self.instance, hash).map_err(StartError::LayerName)
    }

    /// Returns the image names of all layers of the chain, in order, whether or not they exist.
    fn layers(&self) -> Result<Vec<Reference>, StartError> {
        self.chain.hashes().map(|hash| self.layer(hash)).collect()
    }

    /// Returns `true` if the last layer exists, so that there is nothing to build.
    pub(super) fn is_complete(&self) -> bool {
        self.chain.hashes().last().is_some_and(|last| self.present.contains(last))
    }

    /// Stores which layers exist. `found` is the result of the inspection of all layers in the order of the chain,
    /// except for the first `skipped` ones.
    fn set_present(&mut self, skipped: usize, found: &[Option<ImageInfo>]) {
        let asked = || self.chain.hashes().skip(skipped);
        let layer = |hash: &SeedHash, info: &&ImageInfo| label::has_key(&info.labels, hash.as_str());
        let layers = || {
            asked().zip(found).filter_map(|(hash, info)| Some((hash, info.as_ref().filter(|info| layer(hash, info))?)))
        };
        let present = layers().map(|(hash, _)| hash.clone()).collect();
        self.deep = layers().filter(|(_, info)| info.diff_ids.len() > DEEP).map(|(hash, _)| hash.clone()).collect();
        self.present = present;
    }
}

/// The cached properties of a base image.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Known {
    identity: BaseIdentity,
    data_volume: Option<String>,
    /// The locale in the image's environment.
    #[serde(default)]
    locale: Option<String>,
}

impl Known {
    fn of(info: &ImageInfo) -> Self {
        let data = info.variable("PGDATA").unwrap_or_default();
        let hides = |volume: &&String| std::path::Path::new(data).starts_with(volume);
        Self {
            identity: BaseIdentity::from(info),
            data_volume: info.volumes.iter().find(hides).cloned(),
            locale: locale::of_image(info),
        }
    }
}

/// Returns the volume of an image that contains its default data folder, if there is one.
pub(crate) fn data_volume(info: &ImageInfo) -> Option<String> {
    Known::of(info).data_volume
}

/// The result of a look-up that pulls no images.
#[derive(Debug, Clone)]
pub(crate) enum LookedUp {
    Resolved(Box<Resolved>),
    /// This base image is absent, so there can be no layer on it.
    NoImage(Reference),
}

/// The purpose of a look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Starting a server. A base image that is absent is pulled. If the last layer exists, the others are not looked
    /// up.
    Boot,
    /// Reporting which layers exist. Nothing is pulled, and all layers are looked up.
    Tell,
}

/// Resolves the base image and looks up the layers that a start needs. Pulls the base image if it is absent.
pub(crate) async fn look_up(
    definition: &Definition,
    backend: &Backend,
    seeds: &ReadSeeds,
) -> Result<Resolved, StartError> {
    match look(definition, backend, seeds, Purpose::Boot).await? {
        LookedUp::Resolved(found) => Ok(*found),
        LookedUp::NoImage(image) => Err(not_there(&image)),
    }
}

/// A base image, for a container that runs no server.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    pub(crate) image: Reference,
    /// The paths of the image's volumes.
    pub(crate) volumes: Vec<String>,
}

/// Resolves the base image on an engine, without looking up layers. Pulls the image if it is absent.
pub(crate) async fn base_image(definition: &Definition, backend: &Backend) -> Result<Base, StartError> {
    definition.observer.begin(Step::LookUp);
    let image = image_on_engine(definition, backend).await?;
    let info = match inspect_one(backend, &image).await? {
        Some(info) => info,
        None => fetch(definition, backend, &image).await?,
    };
    Ok(Base { image, volumes: info.volumes })
}

/// Resolves the base image and looks up all layers, without pulling anything.
pub(crate) async fn look_up_without_pulling(
    definition: &Definition,
    backend: &Backend,
    seeds: &ReadSeeds,
) -> Result<LookedUp, StartError> {
    look(definition, backend, seeds, Purpose::Tell).await
}

/// Returns the base image and the chain that a start would have now; no chain if the image is absent. Does not pull or
/// create anything, and looks up no layers. Runs one engine command if the definition names an image.
pub(crate) async fn chain_now(
    definition: &Definition,
    backend: &Backend,
    seeds: &ReadSeeds,
) -> Result<(Reference, Option<Chain>), StartError> {
    let found = if backend.as_host().is_some() {
        match (installed(definition, seeds), &definition.image) {
            (Err(StartError::Find(FindError::NotInstalled { .. } | FindError::NotOfHost { .. })), Some(image)) => {
                return Ok((image.reference().clone(), None));
            }
            (found, _) => found?.1,
        }
    } else {
        let image = image_on_engine(definition, backend).await?;
        match inspect_one(backend, &image).await? {
            Some(info) => on_image(definition, seeds, image, &Known::of(&info))?,
            None => return Ok((image, None)),
        }
    };
    Ok((found.image, Some(found.chain)))
}

async fn look(
    definition: &Definition,
    backend: &Backend,
    seeds: &ReadSeeds,
    purpose: Purpose,
) -> Result<LookedUp, StartError> {
    definition.observer.begin(Step::LookUp);
    match backend.as_host() {
        Some(host) => on_host(definition, backend, host, seeds).await.map(|found| LookedUp::Resolved(Box::new(found))),
        None => on_engine(definition, backend, seeds, purpose).await,
    }
}

fn not_there(image: &Reference) -> StartError {
    let image = image.to_string();
    StartError::LookUp { image: image.clone(), source: ociman::CommandError::ImageNotFound { image } }
}

/// Looks up all layers again, because another process may have built some of them in the meantime.
pub(crate) async fn look_again(backend: &Backend, found: &mut Resolved) -> Result<(), StartError> {
    let layers = inspect(backend, &found.layers()?, &found.image).await?;
    found.set_present(0, &layers);
    Ok(())
}

async fn on_host(
    definition: &Definition,
    backend: &Backend,
    host: &Host,
    seeds: &ReadSeeds,
) -> Result<Resolved, StartError> {
    let (installation, mut found) = installed(definition, seeds)?;
    if inspect_one(backend, &found.image).await?.is_none() {
        let look_up = |source| StartError::LookUp { image: found.image.to_string(), source };
        host.create_image(&found.image, installation.config(), |_| Ok(())).await.map_err(look_up)?;
    }
    look_again(backend, &mut found).await?;
    found.installation = Some(installation);
    Ok(found)
}

/// Returns the installation that the host backend uses for a definition, and the chain on it.
fn installed(definition: &Definition, seeds: &ReadSeeds) -> Result<(Installation, Resolved), StartError> {
    let installations = Installations::find(&definition.folders)?;
    let installation = installations.pick(definition.image.as_ref())?.clone();
    let image = installation.reference().unwrap_or_else(|| Image::default().reference().clone());
    let identity = BaseIdentity {
        diff_ids: vec![installation.build.clone()],
        os: std::env::consts::OS.to_owned(),
        architecture: std::env::consts::ARCH.to_owned(),
    };
    let locale = definition.locale.on_host(&installation, || InstalledLocales::find(&definition.folders))?;
    let found = assemble(definition, seeds, image, &Known { identity, ..Known::default() }, locale);
    Ok((installation, found))
}

async fn image_on_engine(definition: &Definition, backend: &Backend) -> Result<Reference, StartError> {
    match &definition.image {
        Some(image) => Ok(image.reference().clone()),
        None => newest_at_hand(backend).await,
    }
}

async fn on_engine(
    definition: &Definition,
    backend: &Backend,
    seeds: &ReadSeeds,
    purpose: Purpose,
) -> Result<LookedUp, StartError> {
    let look = Look { definition, backend, seeds, purpose };
    let (image, found) = match &definition.image {
        Some(image) => {
            let image = image.reference().clone();
            let found = look.as_remembered(&image).await?;
            (image, found)
        }
        None => look.newest_at_hand().await?,
    };
    if let Some(found) = found {
        return Ok(LookedUp::Resolved(Box::new(found)));
    }
    let info = match inspect_one(backend, &image).await? {
        Some(info) => info,
        None if purpose == Purpose::Tell => return Ok(LookedUp::NoImage(image)),
        None => fetch(definition, backend, &image).await?,
    };
    let known = Known::of(&info);
    Memory::of_image(&definition.folders, backend, &image).write(&known);
    let mut found = on_image(definition, seeds, image, &known)?;
    look_again(backend, &mut found).await?;
    Ok(LookedUp::Resolved(Box::new(found)))
}

/// A look-up of the image and the layers on an engine.
#[derive(Clone, Copy)]
struct Look<'a> {
    definition: &'a Definition,
    backend: &'a Backend,
    seeds: &'a ReadSeeds,
    purpose: Purpose,
}

impl Look<'_> {
    /// Looks up the image and its layers in one engine command; `None` if the image is not cached or has changed since.
    async fn as_remembered(self, image: &Reference) -> Result<Option<Resolved>, StartError> {
        let memory = Memory::of_image(&self.definition.folders, self.backend, image);
        let Some(known) = memory.read() else { return Ok(None) };
        let mut found = on_image(self.definition, self.seeds, image.clone(), &known)?;
        let layers = found.layers()?;
        // Only the necessary layers are inspected, because each image takes an engine milliseconds.
        let skipped = if self.purpose == Purpose::Boot { layers.len().saturating_sub(1) } else { 0 };
        let asked: Vec<_> = std::iter::once(image).chain(layers.iter().skip(skipped)).cloned().collect();
        let answer = inspect(self.backend, &asked, image).await?;
        match answer.split_first() {
            Some((Some(info), layers)) if Known::of(info) == known => {
                found.set_present(skipped, layers);
                Ok(Some(found))
            }
            _ => Ok(None),
        }
    }

    /// Returns the newest version of the official image that the engine has, or `latest` if it has none, and the
    /// look-up of it. The image that was the newest at the last start is looked up at the same time, because it usually
    /// still is.
    async fn newest_at_hand(self) -> Result<(Reference, Option<Resolved>), StartError> {
        let memory = Memory::of_newest(&self.definition.folders, self.backend);
        let Some(last) = memory.read().and_then(|name: String| name.parse::<Reference>().ok()) else {
            let newest = newest_at_hand(self.backend).await?;
            memory.write(&newest.to_string());
            let found = self.as_remembered(&newest).await?;
            return Ok((newest, found));
        };
        let (newest, found) = tokio::join!(newest_at_hand(self.backend), self.as_remembered(&last));
        let newest = newest?;
        if newest == last {
            return Ok((newest, found?));
        }
        memory.write(&newest.to_string());
        let found = self.as_remembered(&newest).await?;
        Ok((newest, found))
    }
}

/// Computes the chain on a base image of an engine.
fn on_image(
    definition: &Definition,
    seeds: &ReadSeeds,
    image: Reference,
    known: &Known,
) -> Result<Resolved, LocaleError> {
    let locale = definition.locale.on_engine(known.locale.as_deref())?;
    Ok(assemble(definition, seeds, image, known, locale))
}

fn assemble(
    definition: &Definition,
    seeds: &ReadSeeds,
    image: Reference,
    known: &Known,
    locale: ClusterLocale,
) -> Resolved {
    let (libraries, parameters) = split_libraries(&definition.parameters, seeds);
    let base = layer::base_hash(&BaseInputs {
        identity: &known.identity,
        superuser: &definition.superuser,
        database: &definition.database,
        locale: &locale,
        parameters: &parameters,
        ssl_hostname: definition.ssl_config.as_ref().map(|ssl| &ssl.hostname),
    });
    Resolved {
        image,
        chain: seeds.chain_with_libraries(base, &libraries),
        present: BTreeSet::new(),
        deep: BTreeSet::new(),
        data_volume: known.data_volume.clone(),
        installation: None,
        instance: definition.instance.clone(),
        locale,
    }
}

/// Splits parameters into those that a server has only after the last container script, because the script may install
/// the libraries that they name, and those that it has from the start.
fn split_libraries(parameters: &Parameters, seeds: &ReadSeeds) -> (Parameters, Parameters) {
    let (mut late, mut early) = (Parameters::new(), Parameters::new());
    for (name, value) in parameters {
        let is_late = layer::preloads(name.as_str()) && seeds.has_container_script();
        let part = if is_late { &mut late } else { &mut early };
        part.insert(name.clone(), value.clone());
    }
    (late, early)
}

async fn fetch(definition: &Definition, backend: &Backend, image: &Reference) -> Result<ImageInfo, StartError> {
    definition.observer.begin(Step::Pull { image: image.to_string() });
    let pull = |source| StartError::Pull { image: image.to_string(), source };
    backend.pull(image).await.map_err(pull)?;
    definition.observer.begin(Step::LookUp);
    let found = inspect_one(backend, image).await?;
    found.ok_or_else(|| pull(ociman::CommandError::ImageNotFound { image: image.to_string() }))
}

async fn inspect_one(backend: &Backend, image: &Reference) -> Result<Option<ImageInfo>, StartError> {
    Ok(inspect(backend, std::slice::from_ref(image), image).await?.into_iter().flatten().next())
}

async fn inspect(
    backend: &Backend,
    images: &[Reference],
    base: &Reference,
) -> Result<Vec<Option<ImageInfo>>, StartError> {
    let found = backend.inspect_images(images).await;
    found.map_err(|source| StartError::LookUp { image: base.to_string(), source })
}

/// Returns the newest version of the official image that the engine has; `latest`, which has to be pulled, if it has
/// none.
async fn newest_at_hand(backend: &Backend) -> Result<Reference, StartError> {
    let latest: Reference = Image::default().reference().clone();
    let images = backend.images_of(&latest).await;
    let images = images.map_err(|source| StartError::LookUp { image: latest.to_string(), source })?;
    let official = images.into_iter().map(|image| image.reference);
    let versions = official.filter(|reference| version_of(reference) > (0, 0));
    Ok(versions.max_by_key(version_of).unwrap_or(latest))
}

/// Returns the major and minor version in the tag of an official image; zeros if the tag is not a version. A tag with
/// only the major version counts as the newest minor version.
fn version_of(reference: &Reference) -> (u32, u32) {
    let tag = reference.tag().map(ToString::to_string).unwrap_or_default();
    if !tag.chars().all(|character| character.is_ascii_digit() || character == '.') {
        return (0, 0);
    }
    match tag.split_once('.') {
        Some((_, minor)) => (major_of(&tag), major_of(minor)),
        None => (major_of(&tag), u32::MAX),
    }
}

/// A file in the state folder with a cached value about the images of one engine.
struct Memory {
    folder: Option<PathBuf>,
    name: String,
}

impl Memory {
    /// The cached [properties](Known) of one image.
    fn of_image(folders: &Folders, backend: &Backend, image: &Reference) -> Self {
        Self::of(folders, backend, &image.to_string())
    }

    /// The cached name of the newest official image.
    fn of_newest(folders: &Folders, backend: &Backend) -> Self {
        Self::of(folders, backend, "the newest")
    }

    fn of(folders: &Folders, backend: &Backend, what: &str) -> Self {
        // The name depends on the selected engine, because the same client program may talk to several engines.
        let (kind, engine) = (backend.kind(), backend.selection());
        let name = blake3::hash(format!("{kind} {what} {engine:?}").as_bytes()).to_hex().to_string();
        Self { folder: folders.state_folder(folders::BASES).ok(), name }
    }

    fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&ociman::files::read(&self.folder.as_ref()?.join(&self.name)).ok()?).ok()
    }

    /// Writes the value. Ignores errors, because without the file the next start only needs one more engine command.
    fn write(&self, what: &impl Serialize) {
        let (Some(folder), Ok(json)) = (&self.folder, serde_json::to_vec(what)) else { return };
        let _ = write_whole(&folder.join(&self.name), &json);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This error never reaches a user, because an instance can't have such a name.
    #[test]
    fn an_instance_name_that_is_too_long_for_an_image_is_an_error() {
        let key = SeedHash::of_text("key");
        let found = Resolved {
            image: "docker.io/library/postgres:17".parse().unwrap(),
            chain: Chain::new(key.clone()),
            present: BTreeSet::new(),
            deep: BTreeSet::new(),
            data_volume: None,
            installation: None,
            instance: InstanceName::impossible(),
            locale: ClusterLocale::default(),
        };
        assert!(matches!(found.layer(&key), Err(StartError::LayerName(_))));
    }

    #[test]
    fn versions_are_ordered_by_number_and_a_major_version_alone_is_its_newest_minor_version() {
        let mut tags = ["9.6", "15.18", "17", "17.2", "17-alpine", "latest"];
        let reference = |tag: &&str| format!("docker.io/library/postgres:{tag}").parse::<Reference>().unwrap();
        tags.sort_by_key(|tag| version_of(&reference(tag)));
        assert_eq!(tags, ["17-alpine", "latest", "9.6", "15.18", "17.2", "17"]);
    }
}
