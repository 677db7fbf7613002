//! The JSON output of each engine: the fields of containers and images in Podman 4.3.1 and Docker 28 that have a
//! meaning for fake ones.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::files;
use super::speech::Speech;
use super::state::{Config, Container, Image, Port};

const PODMAN_VERSION: &str = "4.3.1";
const DOCKER_CLIENT: &str = "28.2.2";
const DOCKER_ENGINE: &str = "20.10.24+dfsg1";

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The current status of a container, in the words of both engines, and its exit status.
pub(super) struct Now {
    pub(super) status: &'static str,
    pub(super) exit_code: i32,
}

/// Returns the output of `version --format '{{json .}}'`.
pub(super) fn version(speech: Speech, answers: bool) -> Value {
    let (os, arch) = ("linux", architecture());
    match speech {
        Speech::Podman => json!({"Client": {
            "APIVersion": PODMAN_VERSION, "Version": PODMAN_VERSION, "GoVersion": "go1.19.8", "GitCommit": "",
            "BuiltTime": "Thu Jan  1 00:00:00 1970", "Built": 0, "OsArch": format!("{os}/{arch}"), "Os": os,
        }}),
        Speech::Docker => {
            let server = answers.then(|| {
                json!({
                    "Platform": {"Name": ""}, "Version": DOCKER_ENGINE, "ApiVersion": "1.41", "MinAPIVersion": "1.12",
                    "GitCommit": "5d6db84", "GoVersion": "go1.19.8", "Os": os, "Arch": arch,
                })
            });
            json!({
                "Client": {
                    "Version": DOCKER_CLIENT, "ApiVersion": "1.41", "DefaultAPIVersion": "1.50", "GitCommit": "e6534b4",
                    "GoVersion": "go1.24.3", "Os": os, "Arch": arch, "Context": "default",
                },
                "Server": server,
            })
        }
    }
}

/// Returns the output of `info --format '{{json .}}'`, with the fields that callers need.
pub(super) fn info(speech: Speech, storage: &Path) -> Value {
    match speech {
        Speech::Podman => json!({
            "host": {
                "arch": architecture(), "cgroupVersion": "v2", "os": "linux", "serviceIsRemote": false,
                "remoteSocket": {"path": "/run/podman/podman.sock"}, "security": {"rootless": false},
            },
            "store": {"graphDriverName": "overlay", "graphRoot": storage},
            "version": {"Version": PODMAN_VERSION},
        }),
        Speech::Docker => json!({
            "Architecture": architecture(), "CgroupVersion": "2", "DockerRootDir": storage, "Driver": "overlay2",
            "OSType": "linux", "SecurityOptions": ["name=seccomp,profile=default", "name=cgroupns"],
            "ServerVersion": DOCKER_ENGINE,
        }),
    }
}

fn port_map(ports: &[Port]) -> Map<String, Value> {
    let mut map = Map::new();
    for port in ports {
        let binding = json!({"HostIp": port.published.ip().to_string(), "HostPort": port.published.port().to_string()});
        if let Value::Array(bindings) = map.entry(format!("{}/tcp", port.inside)).or_insert_with(|| json!([])) {
            bindings.push(binding);
        }
    }
    map
}

fn config(config: &Config) -> Value {
    let exposed: Map<String, Value> = config.exposed.iter().map(|port| (format!("{port}/tcp"), json!({}))).collect();
    let volumes: Map<String, Value> = config.volumes.iter().map(|path| (path.clone(), json!({}))).collect();
    json!({
        "User": config.user, "Env": config.environment, "Cmd": config.command, "Entrypoint": config.entrypoint,
        "WorkingDir": config.folder, "Labels": config.labels, "StopSignal": config.stop_signal,
        "ExposedPorts": exposed, "Volumes": volumes,
    })
}

/// Returns the output of `container inspect` for one container.
pub(super) fn container(speech: Speech, container: &Container, now: &Now) -> Value {
    let argv: Vec<&String> = container.config.entrypoint.iter().chain(&container.config.command).collect();
    let is_running = now.status == "running";
    // A port that is not published has no binding, and a container that does not run has no ports at all.
    let mut ports = Map::new();
    if is_running && container.has_network {
        ports.extend(container.config.exposed.iter().map(|port| (format!("{port}/tcp"), Value::Null)));
        ports.extend(port_map(&container.ports));
    }
    if speech == Speech::Podman && !is_running {
        ports.extend(port_map(&container.ports));
    }
    let name = match speech {
        Speech::Docker => format!("/{}", container.name),
        Speech::Podman => container.name.clone(),
    };
    let mut shown_config = config(&container.config);
    if speech == Speech::Podman {
        // Podman shows the entrypoint of a container as one string, and that of an image as an array.
        shown_config["Entrypoint"] = Value::String(container.config.entrypoint.join(" "));
    }
    json!({
        "Id": container.id, "Created": timestamp(container.created), "Path": argv.first(),
        "Args": argv.get(1..).unwrap_or_default(), "Name": name, "Image": speech.shown_id(&container.image),
        "RestartCount": 0, "Driver": "overlay",
        "State": {
            "Status": now.status, "Running": is_running, "Paused": false, "Restarting": false, "OOMKilled": false,
            "Dead": false, "ExitCode": now.exit_code, "Error": "", "StartedAt": timestamp(container.created),
        },
        "Config": shown_config,
        "NetworkSettings": {"Ports": ports},
    })
}

/// Returns one entry of Podman's `ps --format json`.
pub(super) fn podman_listed(container: &Container, now: &Now) -> Value {
    let ports: Vec<Value> = container
        .ports
        .iter()
        .map(|port| {
            json!({
                "host_ip": port.published.ip().to_string(), "container_port": port.inside,
                "host_port": port.published.port(), "range": 1, "protocol": "tcp",
            })
        })
        .collect();
    json!({
        "AutoRemove": false, "Command": container.config.command, "CreatedAt": "1 second ago",
        "Exited": now.status == "exited", "ExitCode": now.exit_code, "Id": container.id,
        "Image": container.image_name, "ImageID": container.image, "IsInfra": false,
        "Labels": (!container.config.labels.is_empty()).then_some(&container.config.labels),
        "Names": [container.name], "Ports": (!ports.is_empty()).then_some(ports), "State": now.status,
        "Created": container.created,
    })
}

/// Returns the fields of one line of Docker's `ps`.
pub(super) fn docker_listed(container: &Container, now: &Now, is_whole: bool) -> Value {
    let id = if is_whole { &container.id } else { &container.id[..12] };
    let labels: Vec<String> = container.config.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let is_running = now.status == "running";
    let published = container.ports.iter().map(|port| format!("{}->{}/tcp", port.published, port.inside));
    let is_exposed = |port: &&u16| !container.ports.iter().any(|published| published.inside == **port);
    let exposed = container.config.exposed.iter().filter(is_exposed).map(|port| format!("{port}/tcp"));
    let ports: Vec<String> = exposed.chain(published).filter(|_| is_running && container.has_network).collect();
    json!({
        "Command": format!("{:?}", container.config.command.join(" ")), "CreatedAt": timestamp(container.created),
        "ID": id, "Image": container.image_name, "Labels": labels.join(","), "LocalVolumes": "0", "Mounts": "",
        "Names": container.name, "Networks": if container.has_network { "bridge" } else { "none" }, "Platform": null,
        "Ports": ports.join(", "), "RunningFor": "1 second ago", "Size": "0B", "State": now.status,
        "Status": match now.status {
            "exited" => format!("Exited ({}) 1 second ago", now.exit_code),
            "running" => "Up 1 second".to_owned(),
            other => other.to_owned(),
        },
    })
}

/// Returns the output of `image inspect` for one image.
pub(super) fn image(speech: Speech, image: &Image, root: &std::path::Path) -> Value {
    let size = files::size(root);
    let layers: Vec<String> = image.layers.iter().map(|layer| format!("sha256:{layer}")).collect();
    let names: Vec<&str> = image.names.iter().map(|name| speech.shown_name(name)).collect();
    let digests: Vec<&str> = image.digests.iter().map(|name| speech.shown_name(name)).collect();
    json!({
        "Id": speech.shown_id(&image.id), "RepoTags": names, "RepoDigests": digests,
        "Parent": if image.parent.is_empty() { String::new() } else { speech.shown_id(&image.parent) },
        "Comment": "", "Created": timestamp(image.created), "Config": config(&image.config), "Architecture": architecture(),
        "Os": "linux", "Size": size, "VirtualSize": size, "RootFS": {"Type": "layers", "Layers": layers},
        "Labels": image.config.labels,
    })
}

/// Returns the output of Podman's `images --format json`. An image with several names is listed once for each name,
/// each time with all names.
pub(super) fn podman_images(images: &[Image]) -> Value {
    let shape = |image: &Image| {
        json!({
            "Id": image.id, "ParentId": image.parent, "RepoTags": null, "RepoDigests": image.digests, "Size": 0,
            "Labels": image.config.labels, "Containers": 0,
            "Names": (!image.names.is_empty()).then_some(&image.names), "Created": image.created,
        })
    };
    images.iter().flat_map(|image| std::iter::repeat_n(shape(image), image.names.len().max(1))).collect()
}

/// Returns the fields of each line of Docker's `images`. There is one line for each name of an image.
pub(super) fn docker_images(images: &[Image]) -> Vec<Value> {
    let shape = |image: &Image, repository: &str, tag: &str| {
        json!({
            "Containers": "N/A", "CreatedAt": timestamp(image.created), "CreatedSince": "1 second ago",
            "Digest": "<none>", "ID": Speech::Docker.shown_id(&image.id), "Repository": repository, "SharedSize": "N/A",
            "Size": "0B", "Tag": tag, "UniqueSize": "N/A", "VirtualSize": "0B",
        })
    };
    let mut lines = Vec::new();
    for image in images {
        if image.names.is_empty() {
            lines.push(shape(image, "<none>", "<none>"));
        }
        for name in &image.names {
            let (repository, tag) = name.rsplit_once(':').unwrap_or((name, "latest"));
            lines.push(shape(image, Speech::Docker.shown_name(repository), tag));
        }
    }
    lines
}

/// Formats seconds since the Unix epoch as RFC 3339.
fn timestamp(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // If a year begins in March, its leap day is the last day (Howard Hinnant's `civil_from_days`).
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_formatted_as_rfc_3339() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(timestamp(1_795_449_197), "2026-11-23T15:53:17Z");
    }
}
