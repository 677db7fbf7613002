//! The differences between Docker and Podman: how they write names, which flags and formats they have, and in which
//! words they report that something is missing, taken or in use. Messages are matched without case and by their stable
//! part, because the wording differs between versions.

use super::{arguments, parse};
use crate::engine::message::shorten;
use crate::label::Key;
use crate::{CommandError, ContainerSummary, EngineInfo, ImageInfo, ImageSummary, Kind, Reference};

/// What is specific to one engine's command line.
pub(super) struct Dialect {
    pub(super) kind: Kind,
    /// Returns the `--format` of `ps` for the requested labels.
    pub(super) list_format: fn(&[Key]) -> String,
    pub(super) parse_list: fn(&str, &[Key]) -> Option<Vec<ContainerSummary>>,
    /// The `--format` of `images`.
    pub(super) images_format: &'static str,
    pub(super) parse_images: fn(&str) -> Option<Vec<ImageSummary>>,
    /// Parses the output of `info`.
    pub(super) parse_info: fn(&str) -> Option<EngineInfo>,
    /// Whether the client has contexts, which determine where the engine is.
    pub(super) has_contexts: bool,
    /// Whether `images` accepts the full name of a repository, including its domain.
    pub(super) lists_repositories: bool,
    /// The command that removes a container at once, together with its anonymous volumes. Without `-t 0`, Podman would
    /// first wait for the stop time-out.
    pub(super) remove_force: &'static [&'static str],
    /// The command that commits a paused container. Podman's default image format loses nothing that this crate uses.
    pub(super) commit: &'static [&'static str],
    /// The arguments that let `pull` and `push` use plain HTTP. Docker does so by itself for registries on loopback.
    pub(super) plain_http: &'static [&'static str],
    /// Writes a label's value for `commit --change`, or returns `None` if the engine can't receive the value that way.
    pub(super) label_value: fn(&str) -> Option<String>,
    /// The statuses with which `exec` ends if the engine itself refuses to run anything.
    pub(super) exec_refused: &'static [i32],
    /// The domain of a name that has none.
    default_domain: DefaultDomain,
    /// How the engine's own messages begin, in lower case.
    own_message: &'static [&'static str],
    /// Phrases in lower case, and what they mean. The first phrase that occurs in a message decides.
    meanings: &'static [(&'static str, Meaning)],
}

impl std::fmt::Debug for Dialect {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Dialect").field("kind", &self.kind).finish_non_exhaustive()
    }
}

enum DefaultDomain {
    /// `docker.io`, with `library/` before a single component. The engine omits both in its output.
    DockerHub,
    /// `localhost`, always written out.
    Localhost,
}

#[derive(Clone, Copy)]
enum Meaning {
    ContainerNotFound,
    ImageNotFound,
    NameTaken,
    ImageInUse,
    ContainerNotRunning,
    CanNotPause,
    PortTaken,
    Unreachable,
}

/// The container and image of a command, for the error that names them.
#[derive(Clone, Copy, Default)]
pub(super) struct Subject<'a> {
    pub(super) container: &'a str,
    pub(super) image: &'a str,
}

pub(super) static DOCKER: Dialect = Dialect {
    kind: Kind::Docker,
    list_format: parse::docker_list_format,
    parse_list: parse::docker_list,
    images_format: "{{json .}}",
    parse_images: parse::docker_images,
    parse_info: parse::docker_info,
    has_contexts: true,
    lists_repositories: false,
    remove_force: &["rm", "--force", "--volumes"],
    commit: &["commit"],
    plain_http: &[],
    label_value: arguments::dockerfile_word,
    exec_refused: &[1],
    default_domain: DefaultDomain::DockerHub,
    own_message: &["error response from daemon", "error: no such", "cannot connect", "error during connect"],
    meanings: &[
        ("no such container", Meaning::ContainerNotFound),
        ("no such object", Meaning::ContainerNotFound),
        ("no such image", Meaning::ImageNotFound),
        ("image does not exist locally", Meaning::ImageNotFound),
        ("manifest unknown", Meaning::ImageNotFound),
        ("manifest for", Meaning::ImageNotFound),
        ("name unknown", Meaning::ImageNotFound),
        ("pull access denied", Meaning::ImageNotFound),
        ("the container name", Meaning::NameTaken),
        ("conflict: unable to", Meaning::ImageInUse),
        ("is not running", Meaning::ContainerNotRunning),
        ("port is already allocated", Meaning::PortTaken),
        ("address already in use", Meaning::PortTaken),
        ("cannot connect to the docker daemon", Meaning::Unreachable),
        ("error during connect", Meaning::Unreachable),
        ("permission denied while trying to connect", Meaning::Unreachable),
    ],
};

pub(super) static PODMAN: Dialect = Dialect {
    kind: Kind::Podman,
    list_format: |_| "json".to_owned(),
    parse_list: parse::podman_list,
    images_format: "json",
    parse_images: parse::podman_images,
    parse_info: parse::podman_info,
    has_contexts: false,
    lists_repositories: true,
    remove_force: &["rm", "--force", "--volumes", "-t", "0"],
    commit: &["commit", "--pause", "--quiet"],
    plain_http: &["--tls-verify=false"],
    label_value: arguments::bare_word,
    exec_refused: &[125, 255],
    default_domain: DefaultDomain::Localhost,
    own_message: &["error:", "error inspecting", "[]\nerror", "cannot connect to podman"],
    meanings: &[
        ("no such container", Meaning::ContainerNotFound),
        ("no container with name or id", Meaning::ContainerNotFound),
        ("no such object", Meaning::ContainerNotFound),
        ("image not known", Meaning::ImageNotFound),
        // The image is just being removed: its layers are removed before its name.
        ("layer not known", Meaning::ImageNotFound),
        ("no such image", Meaning::ImageNotFound),
        ("manifest unknown", Meaning::ImageNotFound),
        ("name unknown", Meaning::ImageNotFound),
        ("the container name", Meaning::NameTaken),
        // The new name given to `rename`.
        ("already in use, cannot rename", Meaning::NameTaken),
        ("image is in use by", Meaning::ImageInUse),
        ("image used by", Meaning::ImageInUse),
        ("can not pause containers on rootless", Meaning::CanNotPause),
        ("container state improper", Meaning::ContainerNotRunning),
        ("is not running", Meaning::ContainerNotRunning),
        ("address already in use", Meaning::PortTaken),
        ("unable to connect to podman", Meaning::Unreachable),
        ("cannot connect to podman", Meaning::Unreachable),
    ],
};

impl Dialect {
    /// Returns a reference in the form that this engine expects: always with a tag or a digest, never with both.
    pub(super) fn written(&self, image: &Reference) -> String {
        let mut name = image.name().to_owned();
        if image.domain().is_none() && matches!(self.default_domain, DefaultDomain::Localhost) {
            name = format!("localhost/{name}");
        }
        match (image.digest(), image.tag()) {
            (Some(digest), _) => format!("{name}@{digest}"),
            (None, Some(tag)) => format!("{name}:{tag}"),
            (None, None) => format!("{name}:latest"),
        }
    }

    /// Returns `true` if an inspected image has the requested name.
    pub(super) fn names(&self, info: &ImageInfo, written: &str) -> bool {
        let Ok(asked) = written.parse::<Reference>() else { return false };
        info.names
            .iter()
            .filter_map(|name| name.parse::<Reference>().ok())
            .any(|name| name.canonical() == asked.canonical())
    }

    /// Returns `true` if a message says that another process is just removing the container.
    pub(super) fn is_being_removed(&self, message: &str) -> bool {
        // Only Docker refuses in this case; Podman waits for the other removal.
        message.contains("is already in progress")
    }

    /// Returns `true` if a message says that a container could not be paused for its commit. On a busy machine, the
    /// system may not be able to stop all of its processes in time.
    pub(super) fn could_not_pause(&self, message: &str) -> bool {
        message.contains("pausing container") || message.contains("unable to freeze")
    }

    /// Returns `true` if a message is the engine's own and not that of a program that it ran.
    pub(super) fn is_own_message(&self, message: &str) -> bool {
        let message = message.trim_start().to_lowercase();
        self.own_message.iter().any(|start| message.starts_with(start))
    }

    /// Returns the typed error for a message of the engine, or `None` if no phrase with a meaning occurs in it.
    pub(super) fn classify(&self, program: &str, message: &str, subject: Subject<'_>) -> Option<CommandError> {
        let lower = message.to_lowercase();
        let (_, meaning) = self.meanings.iter().find(|(words, _)| lower.contains(words))?;
        let container = subject.container.to_owned();
        let image = subject.image.to_owned();
        let detail = || shorten(message, 500);
        Some(match meaning {
            Meaning::ContainerNotFound => CommandError::ContainerNotFound { container },
            Meaning::ImageNotFound => CommandError::ImageNotFound { image },
            Meaning::NameTaken => CommandError::NameTaken { name: container },
            Meaning::ImageInUse => CommandError::ImageInUse { image },
            Meaning::ContainerNotRunning => CommandError::ContainerNotRunning { container },
            Meaning::CanNotPause => CommandError::CanNotPause { container },
            Meaning::PortTaken => CommandError::PortTaken { name: container, detail: detail() },
            Meaning::Unreachable => {
                let detail = format!("{program}: {}", detail());
                CommandError::Unreachable { backend: self.kind, detail }
            }
        })
    }
}
