//! Adds images and containers to a fake engine without a command.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::image::{FakeContainer, FakeImage, FakeLife};
use super::images::take_name;
use super::machine::{Machine, Result};
use super::scenario::Scenario;
use super::state::{Config, Container, Image, Life, Port, State, new_id, now};
use super::{files, postgres};

impl Machine {
    pub(crate) fn set_up(&self, scenario: &Scenario) -> Result<()> {
        for image in &scenario.images {
            self.add_image(image)?;
        }
        for image in &scenario.registry {
            self.add_to_registry(image)?;
        }
        for container in &scenario.containers {
            self.add_container(container)?;
        }
        self.store.update(|state| state.faults.extend(scenario.faults()))
    }

    pub(crate) fn add_image(&self, image: &FakeImage) -> Result<()> {
        let image = self.make_image(image)?;
        self.store.update(|state| put_image(state, image))
    }

    pub(crate) fn add_to_registry(&self, image: &FakeImage) -> Result<()> {
        let image = self.make_image(image)?;
        self.store.update(|state| state.registry.push(image))
    }

    fn make_image(&self, image: &FakeImage) -> Result<Image> {
        let id = new_id();
        let root = self.image_root(&id);
        files::create_open_folder(root.parent().unwrap_or(&root))?;
        files::create_open_folder(&root)?;
        for (path, content) in &image.files {
            let path = root.join(files::in_container(path));
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&path, content)?;
            if content.starts_with("#!") {
                fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
            }
        }
        if let Some(server) = &image.server {
            server.make_folders(&root)?;
        }
        let bad_name = || std::io::Error::other(format!("{:?} is no image name", image.name));
        let full = self.speech.full_name(&image.name).ok_or_else(bad_name)?;
        let repository = full.rsplit_once(':').map_or(full.as_str(), |(repository, _)| repository);
        let written = image.name.split_once('@').map(|(_, digest)| digest.to_owned());
        let digest = written.unwrap_or_else(|| format!("sha256:{}", new_id()));
        Ok(Image {
            id,
            digests: vec![format!("{repository}@{digest}")],
            names: vec![full],
            parent: String::new(),
            layers: vec![new_id()],
            created: image.created.unwrap_or_else(now),
            config: Config {
                environment: image.environment(),
                entrypoint: image.entrypoint.clone(),
                command: image.command.clone(),
                labels: image.labels.clone(),
                volumes: image.volumes.clone(),
                exposed: image.ports.clone(),
                stop_signal: image.stop_signal.clone(),
                user: image.server.as_ref().map(|_| postgres::USER.to_owned()).unwrap_or_default(),
                folder: "/".to_owned(),
                programs: image.programs.clone(),
                server: image.server.clone(),
            },
        })
    }

    pub(crate) fn add_container(&self, container: &FakeContainer) -> Result<()> {
        let is_there = self.store.update(|state| self.speech.find(state, &container.image).is_some())?;
        if !is_there {
            self.add_image(&FakeImage::new(container.image.as_str()))?;
        }
        let image = self.store.update(|state| self.speech.find(state, &container.image).cloned())?;
        let Some(image) = image else { return Ok(()) };
        let id = new_id();
        let root = self.processes(&id).root();
        files::create_open_folder(root.parent().unwrap_or(&root))?;
        files::copy(&self.image_root(&image.id), &root, &[])?;
        let mut config = image.config;
        config.labels.extend(container.labels.clone());
        for (name, value) in &container.variables {
            config.set(name, value);
        }
        let ports = container.ports.iter();
        let ports =
            ports.filter_map(|(inside, published)| Some(Port { inside: inside.parse().ok()?, published: *published }));
        let mounts = config.volumes.iter().map(|path| files::in_container(path)).collect();
        let container = Container {
            id,
            name: container.name.clone(),
            image: image.id,
            image_name: container.image.clone(),
            created: now(),
            config,
            ports: ports.collect(),
            mounts,
            has_network: true,
            life: match container.life {
                FakeLife::Created => Life::Created,
                FakeLife::Running => Life::Idle,
                FakeLife::Exited(code) => Life::Ended(code),
            },
        };
        self.store.update(|state| state.containers.push(container))
    }
}

fn put_image(state: &mut State, image: Image) {
    for name in &image.names {
        take_name(state, name);
    }
    state.images.insert(0, image);
}
