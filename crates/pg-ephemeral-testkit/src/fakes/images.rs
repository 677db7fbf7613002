//! Operations of a fake engine on images.

use std::io;

use ociman::Reference;
use serde_json::Value;

use super::containers::merge;
use super::flags::Arguments;
use super::machine::{Machine, Result};
use super::operation::Operation;
use super::reply::Reply;
use super::speech::Speech;
use super::state::{Image, State, new_id, now};
use super::{change, files, shapes};

impl Machine {
    pub(super) fn images(&self, arguments: &Arguments) -> Result<Reply> {
        let mut images = self.store.update(|state| state.images.clone())?;
        if let Some(repository) = arguments.positional.first() {
            images.retain_mut(|image| {
                let is_named = |name: &String| self.speech.lists(name, repository);
                // If one name of an image matches, Podman lists all its names. Docker lists only the matching names.
                match self.speech {
                    Speech::Podman => image.names.iter().any(is_named),
                    Speech::Docker => {
                        image.names.retain(is_named);
                        !image.names.is_empty()
                    }
                }
            });
        }
        for filter in arguments.values("filter") {
            match filter.split_once('=') {
                Some(("dangling", "true")) => images.retain(|image| image.names.is_empty()),
                Some(("label", label)) => images.retain(|image| image.config.labels.contains_key(label)),
                _ => {}
            }
        }
        if arguments.has("quiet") {
            let ids = images.iter().map(|image| format!("{}\n", self.speech.shown_id(&image.id)));
            return Ok(Reply::success(ids.collect::<String>()));
        }
        let format = arguments.value("format").unwrap_or("{{.Repository}}  {{.Tag}}  {{.ID}}");
        if self.speech == Speech::Podman && format == "json" {
            return Ok(Reply::success(format!("{:#}\n", shapes::podman_images(&images))));
        }
        Ok(self.formatted(format, &shapes::docker_images(&images), &|_, _| String::new()))
    }

    pub(super) fn inspect_images(&self, arguments: &Arguments) -> Result<Reply> {
        let images = self.store.update(|state| {
            let found = arguments.positional.iter().map(|name| self.speech.find(state, name).cloned().ok_or(name));
            found.collect::<Vec<_>>()
        })?;
        let mut found: Vec<Value> = Vec::new();
        let mut missing = Vec::new();
        for image in images {
            match image {
                Ok(image) => found.push(shapes::image(self.speech, &image, &self.image_root(&image.id))),
                Err(name) => missing.push(match self.speech {
                    Speech::Docker => format!("no such image: {name}: No such image: {name}"),
                    Speech::Podman => format!("{name}: image not known"),
                }),
            }
        }
        Ok(self.inspected(arguments, &found, missing))
    }

    pub(super) fn tag(&self, image: &str, name: &str) -> Result<Reply> {
        let Some(full) = self.speech.full_name(name) else { return Ok(self.speech.bad_reference(name)) };
        self.store.update(|state| {
            let Some(position) = self.speech.position(&state.images, image) else {
                return self.speech.no_image(Operation::Tag, image);
            };
            take_name(state, &full);
            if let Some(image) = state.images.get_mut(position) {
                image.names.push(full);
            }
            Reply::default()
        })
    }

    pub(super) fn remove_images(&self, names: &[String]) -> Result<Reply> {
        let mut all = Reply::default();
        for name in names {
            let reply = self.store.update(|state| self.remove_image(state, name))??;
            merge(&mut all, reply);
        }
        Ok(all)
    }

    fn remove_image(&self, state: &mut State, name: &str) -> Result<Reply> {
        let Some(position) = self.speech.position(&state.images, name) else {
            return Ok(self.speech.no_image(Operation::RemoveImage, name));
        };
        let Some(image) = state.images.get(position).cloned() else { return Ok(Reply::default()) };
        let full = self.speech.full_name(name).filter(|full| image.names.contains(full));
        let full = full.or_else(|| image.names.iter().find(|known| known.ends_with(name)).cloned());
        let is_last = image.names.len() <= 1 || full.is_none();
        let user = state.containers.iter().find(|container| container.image == image.id);
        if let Some(container) = user.filter(|_| is_last) {
            return Ok(self.speech.image_in_use(name, &image.id, &container.id));
        }
        let shown = full.as_deref().map(|full| self.speech.shown_name(full).to_owned());
        let mut said = shown.map(|name| format!("Untagged: {name}\n")).unwrap_or_default();
        if is_last {
            said.push_str(&format!("Deleted: {}\n", self.speech.shown_id(&image.id)));
            state.images.remove(position);
            match std::fs::remove_dir_all(self.folder.join("images").join(&image.id)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        } else if let Some(image) = state.images.get_mut(position) {
            image.names.retain(|known| Some(known) != full.as_ref());
        }
        Ok(Reply::success(said))
    }

    pub(super) fn commit(&self, arguments: &Arguments) -> Result<Reply> {
        let [name, names @ ..] = arguments.positional.as_slice() else { return Ok(Reply::default()) };
        let full = match names.first() {
            Some(name) => match self.speech.full_name(name) {
                Some(full) => Some(full),
                None => return Ok(self.speech.bad_reference(name)),
            },
            None => None,
        };
        self.store.update(|state| {
            let Some(container) = state.container(name).cloned() else {
                return Ok(self.speech.no_container(Operation::Commit, name));
            };
            let mut config = container.config.clone();
            for instruction in arguments.values("change") {
                if let Err(word) = change::apply(self.speech, instruction, &mut config) {
                    return Ok(self.speech.bad_change(&word));
                }
            }
            let below = state.images.iter().find(|image| image.id == container.image);
            let mut layers = below.map(|image| image.layers.clone()).unwrap_or_default();
            let id = new_id();
            let processes = self.processes(&container.id);
            let root = processes.root();
            let _frozen = self.is_running(&container).then(|| processes.freeze());
            // A commit of a container that has changed nothing adds no layer on Docker.
            if self.speech == Speech::Podman || self.has_changed(&container.image, &root, &container.mounts)? {
                layers.push(new_id());
            }
            let chatter = match self.speech {
                Speech::Podman if !arguments.has("quiet") => podman_chatter(&layers, &id),
                _ => String::new(),
            };
            let folder = self.folder.join("images").join(&id);
            files::create_open_folder(&folder)?;
            files::copy(&root, &folder.join("root"), &container.mounts)?;
            if let Some(full) = &full {
                take_name(state, full);
            }
            state.images.insert(
                0,
                Image {
                    id: id.clone(),
                    names: full.into_iter().collect(),
                    digests: Vec::new(),
                    parent: container.image,
                    layers,
                    created: now(),
                    config,
                },
            );
            let stdout = format!("{}\n", self.speech.shown_id(&id)).into_bytes();
            Ok(Reply { status: 0, stdout, stderr: chatter.into_bytes() })
        })?
    }

    fn has_changed(&self, image: &str, root: &std::path::Path, left_out: &[std::path::PathBuf]) -> Result<bool> {
        let below = self.image_root(image);
        if !below.is_dir() {
            return Ok(true);
        }
        Ok(files::listing(&below, left_out)? != files::listing(root, left_out)?)
    }

    /// Fetches an image of [`State::registry`].
    pub(super) fn pull(&self, name: &str) -> Result<Reply> {
        self.store.update(|state| {
            let Some(position) = self.speech.position(&state.registry, name) else {
                return self.unreachable_or_unknown(state, Operation::Pull, name);
            };
            let Some(image) = state.registry.get(position).cloned() else { return Reply::default() };
            let said = match self.speech {
                Speech::Docker => format!("{name}\n"),
                Speech::Podman => format!("{}\n", image.id),
            };
            if !state.images.iter().any(|known| known.id == image.id) {
                for name in &image.names {
                    take_name(state, name);
                }
                state.images.insert(0, image);
            }
            Reply::success(said)
        })
    }

    /// Puts an image into [`State::registry`].
    pub(super) fn push(&self, name: &str) -> Result<Reply> {
        self.store.update(|state| {
            let Some(image) = self.speech.find(state, name).cloned() else {
                return match self.speech {
                    Speech::Docker => {
                        Reply::failure(1, format!("An image does not exist locally with the tag: {name}\n"))
                    }
                    Speech::Podman => self.speech.no_image(Operation::Push, name),
                };
            };
            state.registry.retain(|known| known.id != image.id);
            state.registry.push(image);
            Reply::success(if self.speech == Speech::Docker { format!("{name}\n") } else { String::new() })
        })
    }

    /// Returns the error for an image that can't be pulled. A registry that has other images reports that this one is
    /// unknown; a registry without images is unreachable.
    fn unreachable_or_unknown(&self, state: &State, operation: Operation, name: &str) -> Reply {
        let domain =
            |name: &str| name.parse::<Reference>().ok().map(|name| name.canonical().domain().map(str::to_owned));
        let wanted = domain(name);
        let mut known = state.registry.iter().flat_map(|image| &image.names);
        if known.any(|name| domain(name) == wanted) {
            return self.speech.unknown_manifest(name);
        }
        self.speech.no_registry(operation, wanted.flatten().as_deref().unwrap_or_default())
    }
}

/// Removes a name from the image that has it, because a name belongs to one image only.
pub(super) fn take_name(state: &mut State, name: &str) {
    for image in &mut state.images {
        image.names.retain(|known| known != name);
    }
}

/// Returns the progress that Podman prints during a commit without `--quiet`.
fn podman_chatter(layers: &[String], id: &str) -> String {
    let blobs: String = layers.iter().map(|layer| format!("Copying blob sha256:{layer}\n")).collect();
    format!(
        "Getting image source signatures\n{blobs}Copying config sha256:{id}\nWriting manifest to image destination\n\
         Storing signatures\n"
    )
}
