//! Names and IDs of images, as each engine completes and shortens them.

use ociman::Reference;

use super::speech::Speech;
use super::state::{Image, State};

impl Speech {
    /// Completes the name of an image to a full name with a tag. Returns `None` if the name is not valid.
    pub(super) fn full_name(self, name: &str) -> Option<String> {
        let reference: Reference = name.parse().ok()?;
        let tag = reference.tag().map_or("latest", |tag| tag.as_str());
        match (self, reference.domain()) {
            (Self::Docker, _) | (Self::Podman, Some(_)) => Some(format!("{}:{tag}", reference.canonical().name())),
            (Self::Podman, None) => Some(format!("localhost/{}:{tag}", reference.name())),
        }
    }

    /// Returns `true` if a listing of this repository contains the image with this full name.
    pub(super) fn lists(self, full: &str, repository: &str) -> bool {
        let shown = self.shown_name(full);
        let name = shown.rsplit_once(':').map_or(shown, |(name, _)| name);
        let is_end = |rest: &str| self == Self::Podman && rest.ends_with('/');
        name.strip_suffix(repository).is_some_and(|rest| rest.is_empty() || is_end(rest))
    }

    /// Returns the name of an image as listings show it.
    pub(super) fn shown_name(self, full: &str) -> &str {
        let hub = match self {
            Self::Docker => full.strip_prefix("docker.io/library/").or_else(|| full.strip_prefix("docker.io/")),
            Self::Podman => None,
        };
        hub.unwrap_or(full)
    }

    /// Returns the ID of an image as inspections show it.
    pub(super) fn shown_id(self, id: &str) -> String {
        match self {
            Self::Docker => format!("sha256:{id}"),
            Self::Podman => id.to_owned(),
        }
    }

    /// Returns the image with this name, or with an ID that starts with this text.
    pub(super) fn find<'a>(self, state: &'a State, name: &str) -> Option<&'a Image> {
        let position = self.position(&state.images, name)?;
        state.images.get(position)
    }

    pub(super) fn position(self, images: &[Image], name: &str) -> Option<usize> {
        let by_name = self.candidates(name).into_iter().find_map(|full| {
            images.iter().position(|image| image.names.contains(&full) || image.digests.contains(&full))
        });
        let id = name.strip_prefix("sha256:").unwrap_or(name);
        let by_id = || images.iter().position(|image| id.len() >= 12 && image.id.starts_with(id));
        by_name.or_else(by_id)
    }

    /// Returns the full names that a name may refer to. The first one that exists counts.
    fn candidates(self, name: &str) -> Vec<String> {
        let Ok(reference) = name.parse::<Reference>() else { return Vec::new() };
        if let Some(digest) = reference.digest() {
            return vec![format!("{}@{digest}", reference.canonical().name())];
        }
        let own = self.full_name(name);
        let tag = reference.tag().map_or("latest", |tag| tag.as_str());
        // Podman also looks for images of Docker Hub.
        let hub = format!("{}:{tag}", reference.canonical().name());
        own.into_iter().chain((reference.domain().is_none()).then_some(hub)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_domain_is_of_docker_hub_on_docker_and_local_on_podman() {
        assert_eq!(Speech::Docker.full_name("a/b").unwrap(), "docker.io/a/b:latest");
        assert_eq!(Speech::Podman.full_name("a/b:1").unwrap(), "localhost/a/b:1");
        assert_eq!(Speech::Podman.full_name("docker.io/postgres:17").unwrap(), "docker.io/library/postgres:17");
    }

    #[test]
    fn docker_omits_docker_hub_from_shown_names() {
        assert_eq!(Speech::Docker.shown_name("docker.io/library/postgres:17"), "postgres:17");
        assert_eq!(Speech::Docker.shown_name("docker.io/a/b:1"), "a/b:1");
        assert_eq!(Speech::Podman.shown_name("docker.io/a/b:1"), "docker.io/a/b:1");
    }
}
